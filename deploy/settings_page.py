"""docs/settings.md: every setting with its default and what it means, read from the classes that check it."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import gettempdir
from typing import Any, get_args, get_origin

import msgspec
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from pipeline.settings import Settings
from pipeline.settings_part import Part

FILE = Path(__file__).parents[1] / "docs" / "settings.md"
HEAD = """# Every setting

Made from `pipeline/settings.py` by `make deploy-files`; [configure.md](configure.md) says which of them you need.
A key `kafka.sasl_username` stands in the file as `kafka: {sasl_username: ...}` and in the environment as
`TRIAGE_KAFKA__SASL_USERNAME`. `brands[].name` is the name of each brand in the list, `hours.NAME.zone` the zone of the
hours that you call NAME.
"""
LONGEST = 60
"""Characters of a default that a table can bear."""


class Row(msgspec.Struct, frozen=True):
    """One setting."""

    key: str
    default: str
    meaning: str


def rows(part: type[Part] = Settings, prefix: str = "") -> Iterator[Row]:
    """All settings under a section, in the order of the code."""
    meanings = _meanings(part)
    for name, field in part.model_fields.items():
        key = f"{prefix}{name}"
        inner = _inner(field.annotation)
        meaning = meanings.get(name, "")
        if inner is None:
            yield Row(key, _default(field), meaning)
            continue
        within = {tuple: "[].", dict: ".NAME."}.get(get_origin(field.annotation) or Part, ".")
        if within != "." or meaning:
            yield Row(key, "" if within == "." else _default(field), meaning)
        yield from rows(inner, f"{key}{within}")


def text() -> str:
    """The page: a table for each section at the top."""
    by_section: dict[str, list[Row]] = {}
    for row in rows():
        section = row.key.partition(".")[0].removesuffix("[]")
        by_section.setdefault(section if "." in row.key or section in by_section else "", []).append(row)
    return "\n".join([HEAD, *(_table(section, found) for section, found in by_section.items())])


def _table(section: str, found: list[Row]) -> str:
    lines = [f"## {section or 'At the top'}", "", "| Key | Default | |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{row.key}` | {row.default} | {row.meaning} |" for row in found), ""])


def _inner(annotation: Any) -> type[Part] | None:
    """The section that a field holds, alone, in a list or by name."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    return next((found for one in get_args(annotation) if (found := _inner(one)) is not None), None)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be said"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}):
        return "none"
    if isinstance(value, SecretStr):
        return "a secret"
    shown = json.dumps(value, default=str, ensure_ascii=False).replace(gettempdir(), "$TMPDIR")
    return f"`{shown}`" if len(shown) <= LONGEST else f"{len(value)} of them, in the code"


def _meanings(part: type[Part]) -> dict[str, str]:
    """By field, the docstring under it, of the class and of those that it is made from."""
    found: dict[str, str] = {}
    for one in reversed(part.__mro__):
        if issubclass(one, Part) and one is not Part:
            body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0].body  # type: ignore[attr-defined]
            for field, after in pairwise(body):
                if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                    words = " ".join(str(ast.literal_eval(after.value)).split()).replace("|", "\\|")
                    found[ast.unparse(field.target)] = words
    return found
