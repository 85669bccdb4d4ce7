"""What the sections of the settings have in common: the base class, the checked strings, secrets in files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from pipeline.errors import SettingsError


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


_SLUG = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_HANDLE = r"^[A-Za-z0-9_]{1,30}$"
_LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z]+)?$"
SHAPES = {
    _SLUG: "small letters, digits, _ and - only, the first a letter or digit, 63 at most",
    _HANDLE: "letters, digits and _ only, without the @, 30 at most",
    _LANGUAGE: "a code such as en or pt-BR",
}
"""Patterns in words, for whoever wrote something else."""

Slug = Annotated[str, StringConstraints(pattern=_SLUG)]
Handle = Annotated[str, StringConstraints(pattern=_HANDLE)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Language = Annotated[str, StringConstraints(pattern=_LANGUAGE)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _without_login(url: str) -> str:
    if any(sign in url for sign in "@?#"):
        raise ValueError("no user, password or token may stand in this address (no @, ? or #): it is shown")
    return url


Url = Annotated[str, StringConstraints(pattern=r"^https?://[^/]"), AfterValidator(_without_login)]
"""An address that may be shown."""


class Part(BaseModel):
    """A section: unknown keys fail, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def secret(value: SecretStr | None, file: Path | None) -> str:
    """A secret given itself or by the file that holds it; empty where neither is.

    Raises:
        SettingsError: the file cannot be read, or is no text.
    """
    if file is not None:
        try:
            return file.read_text(encoding="utf-8-sig").strip()  # editors put a mark before it
        except OSError as error:
            raise SettingsError(f"cannot read the secret in {file}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise SettingsError(f"the secret in {file} is no UTF-8 text: write it again, as plain text") from None
    return value.get_secret_value() if value is not None else ""
