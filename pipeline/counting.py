"""How long X takes a text to be: weighted characters, as X's own counting has them (twitter-text, configuration 3).

An emoji is two, whatever it is put together from; of sequences that no font draws as one, X may count the parts.
"""

from __future__ import annotations

import re
import unicodedata

LINK = 23
"""What a link counts, however long it is: X shortens it."""
_EMOJI = 2
_LIGHT = re.compile("[\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")
"""Characters that count one; all others count two."""

_MARK = "\ufffe"
"""Stands where a link was; no character, so that no text has it."""
_HOST = r"(?:[^\W_](?:[\w-]*[^\W_])?\.)+(?:xn--[a-z0-9-]+|[^\W\d_]{2,})"
_REST = (
    r"(?::\d+)?"
    r"(?:/(?:[\w!*';:=+,.$%#\[\]\-–~@|&()/]*[\w=+\-/#~)])?)?"
    r"(?:\?[\w!?*'@();:&=+$/%#\[\]\-.,~|]*[\w\-&=#/])?"
)
_WITH_PROTOCOL = re.compile(rf"(?<![A-Za-z0-9@＠$#＃])https?://{_HOST}{_REST}", re.IGNORECASE)
_GENERIC = "com|net|org|edu|gov|mil|int|info|biz|name|app|dev|shop|store|online|site|blog|cloud|help|support|xyz"
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_BARE = re.compile(
    rf"(?<![A-Za-z0-9@＠$#＃_./-])(?:{_LABEL}\.)+(?P<end>{_GENERIC}|[a-z]{{2}})(?![\w@-])(?P<rest>{_REST})",
    re.IGNORECASE | re.ASCII,
)
_SHORT = re.compile(rf"{_LABEL}\.(?!co$|tv$)[a-z]{{2}}", re.IGNORECASE)
"""hello.de is no link unless a path follows; www.hello.de, hello.com, t.co are."""

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


def links(text: str) -> list[str]:
    """The links of a text, in their order, as X finds them: with a protocol, or a bare domain that looks like one."""
    found = [(match.start(), match.group()) for match in _WITH_PROTOCOL.finditer(text)]
    without = _WITH_PROTOCOL.sub(lambda match: _MARK * len(match.group()), text)
    found += [(match.start(), match.group()) for match in _BARE.finditer(without) if _is_link(match)]
    return [link for _, link in sorted(found)]


def without_links(text: str, instead: str = " ") -> str:
    """The text with something else in place of its links: X shows others there."""
    bare = _BARE.sub(lambda match: _MARK if _is_link(match) else match.group(), _WITH_PROTOCOL.sub(_MARK, text))
    return bare.replace(_MARK, instead)


def length(text: str) -> int:
    """The weighted length: of the text in NFC, links 23, an emoji 2, a character 1 or 2."""
    composed = unicodedata.normalize("NFC", text)
    rest, emojis = _EMOJIS.subn("", without_links(composed, ""))
    light = len(_LIGHT.findall(rest))
    return LINK * len(links(composed)) + _EMOJI * emojis + light + 2 * (len(rest) - light)


def _is_link(match: re.Match[str]) -> bool:
    return bool(match["rest"]) or not _SHORT.fullmatch(match.group())
