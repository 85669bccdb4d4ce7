"""How long X takes a text to be: weighted characters, as X's own counting has them (twitter-text, configuration 3).

An emoji is two, whatever it is put together from; of sequences that no font draws as one, X may count the parts.
"""

from __future__ import annotations

import re
import unicodedata

from pipeline.top_level import TOP_LEVEL

LINK = 23
"""What a link counts, however long it is: X shortens it."""
_EMOJI = 2
_LIGHT = re.compile("[\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")
"""Characters that count one; all others count two."""

_MARK = "\ufffe"
"""Stands where a link was; no character, so that no text has it."""
_ACCENTED = (
    "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u026f"
    "\u0272\u0289\u028b\u02bb\u0300-\u036f\u1e00-\u1eff"
)
"""Latin letters with accents: the only others that a domain without a protocol may have."""
_END = r"(?:xn--[a-z0-9-]+|[a-z]{2,}(?![a-z0-9@+-])|[^\W\d_a-z][^\W\d_]+)"
"""Of a domain; other scripts begin no more of one that ends in a to z."""
_HOST = rf"(?:[^\W_](?:[\w-]*[^\W_])?\.)+{_END}"
_PORT = r"(?::\d+)?"
_LETTERS = f"a-z0-9_\u0400-\u04ff{_ACCENTED}"
"""Of a path: Latin and Cyrillic; in other scripts the text goes on."""
_GENERAL = rf"[{_LETTERS}!*';:=+,.$%#\[\]\-–@~|&/]"
_PAIR = rf"\((?:{_GENERAL}+|{_GENERAL}*\({_GENERAL}+\){_GENERAL}*)\)"
"""A parenthesis belongs to a path where it is closed within it."""
_PATH = rf"/(?:(?:{_GENERAL}|{_PAIR})*(?:[{_LETTERS}=+\-/#]|{_PAIR}))?"
_QUERY = r"(?:\?[a-z0-9_!?*'@();:&=+$/%#\[\]\-.,~|]*[a-z0-9_\-&=#/])?"
_WITH_PROTOCOL = re.compile(rf"(?<![A-Za-z0-9@＠$#＃])https?://{_HOST}{_PORT}(?:{_PATH})?{_QUERY}", re.IGNORECASE)
_LABEL = rf"[a-z0-9{_ACCENTED}](?:[a-z0-9{_ACCENTED}-]*[a-z0-9{_ACCENTED}])?"
_DOTTED = re.compile(rf"(?<![A-Za-z0-9@＠$#＃_./{_ACCENTED}-])(?:{_LABEL}\.)+{_LABEL}", re.IGNORECASE)
_PLAIN = re.compile("[a-z0-9-]*")
_GOES_ON = frozenset("@+-")
"""Behind one of these it was no end of a domain, but the name of a mailbox, say."""
_BEHIND = re.compile(_PORT + _PATH + _QUERY, re.IGNORECASE)
"""What belongs to a link behind a bare domain: nothing, unless it has a path."""

_PICTURE = (
    "[\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_ONE = f"{_PICTURE}(?:\ufe0f|[\U0001f3fb-\U0001f3ff])?"
_EMOJIS = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}"  # a flag
    "|[0-9#*]\ufe0f?\u20e3"  # a key
    "|[\u00a9\u00ae]\ufe0f"
    f"|{_ONE}(?:[\U000e0020-\U000e007f]+|(?:\u200d{_ONE})*)"
)

_CASHTAG = re.compile(r"(?<!\w)\$[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?(?!\w)")


def links(text: str) -> list[str]:
    """The links of a text, in their order, as X finds them: with a protocol, or a bare domain whose end it knows."""
    return [text[start:end] for start, end in places(text)]


def without_links(text: str, instead: str = " ") -> str:
    """The text with something else in place of its links: X shows others there."""
    rest, at = [], 0
    for start, end in places(text):
        rest.append(text[at:start])
        at = end
    return instead.join([*rest, text[at:]])


def length(text: str) -> int:
    """The weighted length: of the text in NFC, links 23, an emoji 2, a character 1 or 2."""
    composed = unicodedata.normalize("NFC", text)
    rest, emojis = _EMOJIS.subn("", without_links(composed, ""))
    light = len(_LIGHT.findall(rest))
    return LINK * len(links(composed)) + _EMOJI * emojis + light + 2 * (len(rest) - light)


def cashtags(text: str) -> int:
    """How many cashtags ($ABC) a text has; X takes one a post."""
    return len(_CASHTAG.findall(text))


def places(text: str) -> list[tuple[int, int]]:
    """Where the links of a text begin and end, in their order."""
    found = [match.span() for match in _WITH_PROTOCOL.finditer(text)]
    rest = _WITH_PROTOCOL.sub(lambda match: _MARK * len(match.group()), text)
    at = 0
    while (match := _DOTTED.search(rest, at)) is not None:
        place, at = _bare(match), match.end()
        if place is not None:
            found.append(place)
            at = max(at, place[1])  # a domain in a link's path is no link of its own
    return sorted(found)


def _bare(match: re.Match[str]) -> tuple[int, int] | None:
    """Of something with dots, up to the last top-level domain in it; a path follows only where that is its end."""
    start, end = match.span()
    labels = match.group().split(".")
    if match.string[end : end + 1] in _GOES_ON:
        end -= len(labels.pop()) + 1
    while len(labels) > 1:
        known = _known(labels[-1])
        if known == len(labels[-1]) and end == match.end():
            path = _BEHIND.match(match.string, end)
            return start, end if path is None else path.end()
        if known:
            return start, end - len(labels[-1]) + known
        end -= len(labels.pop()) + 1
    return None


def _known(label: str) -> int:
    """How much of a label is a top-level domain: all of it, or what stands before its first letter with an accent."""
    small = label.lower()
    if small in TOP_LEVEL or small.startswith("xn--"):
        return len(label)
    plain = _PLAIN.match(small)
    return plain.end() if plain is not None and plain.group() in TOP_LEVEL else 0
