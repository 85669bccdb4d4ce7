"""values.schema.json: what deploy/helm/schema.yaml says, and of `settings` what the program itself takes.

Secrets are left out of it: they are never in values, but in Secrets that exist.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from pipeline.settings import Settings

BASE = Path(__file__).parent / "schema.yaml"


def values_schema() -> str:
    """The schema as JSON."""
    base: dict[str, Any] = yaml.safe_load(BASE.read_text(encoding="utf-8"))
    settings = Settings.model_json_schema(ref_template="#/$defs/settings.{model}")
    inner: dict[str, Any] = settings.pop("$defs")
    base["$defs"] |= {f"settings.{name}": _bare(part) for name, part in inner.items()}
    base["properties"]["settings"] |= _bare(settings)
    return json.dumps(base, indent=1) + "\n"


def _bare(part: Any) -> Any:
    """Without secrets, and without titles, defaults and formats, of which the program knows more."""
    if isinstance(part, list):
        return [_bare(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {key: _bare(value) for key, value in part.items() if key not in ("title", "default", "format")}
    if isinstance(part.get("properties"), dict):
        kept = {key: value for key, value in part["properties"].items() if not _secret(value)}
        found["properties"] = {key: _bare(value) for key, value in kept.items()}
    return found


def _secret(part: Any) -> bool:
    return any(one.get("writeOnly", False) for one in (part, *part.get("anyOf", [])))
