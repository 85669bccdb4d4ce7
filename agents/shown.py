"""Text from outside, for a terminal: nothing in it acts, neither as an escape sequence nor as markup."""

from __future__ import annotations

from pipeline.clean import clean


def shown(text: str) -> str:
    """On one line, without what cannot be seen; for `rich` it is to be wrapped in Text, or printed without markup."""
    return " ".join(clean(text).split())
