"""Plain text for helpdesks: what cannot be seen, or turns a line around, is taken out."""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u115f\u1160\u3164\uffa0\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""C0 and C1 controls but the line feed, bidirectional overrides and isolates, invisible characters.

The zero-width joiners stay: emoji, Persian and the Indic scripts are written with them."""


def clean(text: str) -> str:
    """Plain text for helpdesks: NFC, without control, bidirectional-override and invisible characters."""
    if text.isascii():
        return text if text.isprintable() else _HIDDEN.sub("", text)
    if not text.isprintable():
        text = _HIDDEN.sub("", text)
    return unicodedata.normalize("NFC", text)
