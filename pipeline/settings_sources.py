"""Where settings come from: a YAML file, TRIAGE_ variables, one over the other; and what is wrong, in words."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

from pipeline.errors import SettingsError
from pipeline.settings_part import SHAPES

_QUOTED = re.compile(r"(['\"]).*?\1")
"""In a parser's words, a piece of the file; one of a single character tells nothing."""


class Environment(EnvSettingsSource):
    """The TRIAGE_ variables; lists of words may be written with commas, as Kafka's own clients take addresses."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A value that is more than one: JSON, or words."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            if getattr(field, "annotation", None) != tuple[str, ...]:
                raise
            return [word.strip() for word in value.split(",")]


def read_file(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file.

    Raises:
        SettingsError: it cannot be read, or holds something else; the text shows nothing of what stands in it.
    """
    try:
        file = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: cannot be read as YAML: {_slip(error)}") from None  # its text quotes the file
    except (UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    except (ValueError, RecursionError):  # a date that is none, a tag that does not fit: their words quote the file
        raise SettingsError(f"{path}: no YAML: put what is no word and no number in quotes") from None
    if not isinstance(file or {}, dict):
        raise SettingsError(f"{path}: the file must hold keys and values")
    return file or {}


def _slip(error: yaml.YAMLError) -> str:
    """What is wrong and where, without the line, in which a secret may stand."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return "it holds a character that YAML does not know"
    said = _QUOTED.sub(lambda one: one[0] if len(one[0]) < 4 else "...", problem)
    return f"line {mark.line + 1}, column {mark.column + 1}: {said}"


def merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Nested keys of `over` replace those of `under`; what it does not name stays."""
    both = dict(under)
    for key, value in over.items():
        below = both.get(key)
        both[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return both


def refuse_unknown_variables(known: set[str]) -> None:
    """pydantic-settings passes over variables that it does not know; a typing error must not.

    Raises:
        SettingsError: a variable names none of the known settings.
    """
    known = known | {"settings", "cache_dir", "log_level", "log_format"}
    for variable in os.environ:
        if variable.upper().startswith("TRIAGE_") and variable[7:].lower().split("__")[0] not in known:
            raise SettingsError(f"{variable} is no setting: one of {', '.join(sorted(known))} may follow TRIAGE_")


def readable(error: ValidationError) -> str:
    """What is wrong, a line for each key."""
    lines = [
        f"{'.'.join(_name(part) for part in found['loc']) or 'settings'}: {_said(found)}" for found in error.errors()
    ]
    return "settings are wrong:\n  " + "\n  ".join(lines)


def _name(part: str | int) -> str:
    """A part of a key's path; of what is no name its beginning alone, for a value may have run into it."""
    found = re.match(r"[\w-]{0,63}", str(part))
    shown = found[0] if found is not None else ""
    return shown if shown == str(part) else f"{shown}..."


def _said(found: ErrorDetails) -> str:
    if found["type"] == "extra_forbidden":
        return "there is no such setting"
    shape = SHAPES.get(str(found.get("ctx", {}).get("pattern")))
    return found["msg"].removeprefix("Value error, ") if shape is None else shape
