"""A stranger's text made fit for a helpdesk's fields: short enough, of its alphabet, and nothing but text there."""

from __future__ import annotations

import hashlib
import re

from pipeline.clean import clean

TEXT = 65_535
"""The longest text that any of the helpdesks takes; counted in bytes, where some count bytes and some characters."""
NAME = 255
NO_TEXT = "(no text)"
"""In place of an empty text, which helpdesks refuse."""
_ELLIPSIS = "…"
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_NOT_IN_TAGS = re.compile(r"[^a-z0-9_-]+")
_LINKS = re.compile(r"\](?=[\[(:])")
_PLACEHOLDERS = re.compile(r"\{(?=[{%])")
_CODE_TAGS = re.compile(r"\[(?=\s*/?\s*code\s*\])", re.IGNORECASE)
_FORMULA = re.compile(r"[=+\-\uff1d\uff0b\uff0d\uff20]|@(?!\w{1,50}(?:[\s,.:;?]|$))")
_WEB = re.compile(r"https?://[!#-;=?-\[\]_a-z~]+")
_SCHEME = re.compile(r"://")


def ascii_id(value: str, most: int = NAME) -> str:
    """An id of at most so many plain ASCII characters, safe in queries: itself, or else its SHA-256."""
    if len(value) <= most and _PLAIN_ID.fullmatch(value):
        return value
    return "h:" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def text(value: str, most: int = TEXT) -> str:
    """Plain text of several lines, at most so many bytes in UTF-8, never empty."""
    return fit_bytes(_plain(value), most) or NO_TEXT


def line(value: str, most: int = NAME) -> str:
    """Plain text in one line, at most so many characters, an emoji counting as two."""
    return fit(" ".join(_plain(value).split()), most)


def person(name: str | None, handle: str | None, identity: str, most: int = NAME) -> str:
    """What an author is called: name, handle or id; no link, which helpdesks would put into their own e-mails."""
    called = _SCHEME.sub(" ", name or "").strip() or (handle or "")
    return line(called, most) or ascii_id(identity, most)


def tag(value: str, most: int = 64) -> str:
    """A tag: lower-case ASCII letters, digits, _ and -."""
    return _NOT_IN_TAGS.sub("_", value.lower())[:most].strip("_-") or "none"


def web(url: str | None, most: int = 2000) -> str | None:
    """A link that leads to the web and is not too long, else None."""
    return url if url is not None and len(url) <= most and _WEB.fullmatch(url) else None


def to_the_second(time: str) -> str:
    """RFC 3339 in UTC without the milliseconds."""
    return time[:19] + "Z"


def for_a_database(time: str) -> str:
    """UTC as yyyy-MM-dd HH:mm:ss."""
    return time[:10] + " " + time[11:19]


def fit(value: str, most: int) -> str:
    """At most so many characters as Java and JavaScript count them, an ellipsis where something is left out."""
    encoded = value.encode("utf-16-le", "surrogatepass")
    if len(encoded) <= 2 * most:
        return value
    return encoded[: 2 * most - 2].decode("utf-16-le", "ignore").rstrip() + _ELLIPSIS


def fit_bytes(value: str, most: int) -> str:
    """At most so many bytes in UTF-8, an ellipsis where something is left out."""
    encoded = value.encode("utf-8", "surrogatepass")
    if len(encoded) <= most:
        return value
    return encoded[: most - 3].decode("utf-8", "ignore").rstrip() + _ELLIPSIS


def _plain(value: str) -> str:
    """Clean text in which no link hides behind words, no placeholder, [code] tag or formula is one any more."""
    plain = _CODE_TAGS.sub("(", clean(value))
    plain = _PLACEHOLDERS.sub("{ ", _LINKS.sub("] ", plain)).strip()
    return "'" + plain if _FORMULA.match(plain) else plain
