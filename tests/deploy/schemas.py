"""Schemas of other people's files, as the package check-jsonschema brings them."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path

from jsonschema.validators import validator_for


def wrong(schema: str, document: object) -> list[str]:
    """What is wrong with a document, by the schema of that name."""
    package = Path(str(distribution("check-jsonschema").locate_file("check_jsonschema")))
    found = json.loads((package / "builtin_schemas" / "vendor" / f"{schema}.json").read_text(encoding="utf-8"))
    return [f"{error.json_path}: {error.message}" for error in validator_for(found)(found).iter_errors(document)]
