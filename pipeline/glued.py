"""Lines that run into one another: a writer that ended within a line, or without a line's end, and then another one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec

_ATTEMPTS = 100
"""So many beginnings in a row may fail: a line of megabytes must not hold the reader up."""
_WITHIN = frozenset(":,[")
"""Behind these an object is part of another one, which may be cut off itself."""
_decode = msgspec.json.Decoder(msgspec.Raw).decode
_object_at = json.JSONDecoder().raw_decode


def is_whole(line: bytes) -> bool:
    """Whether it is one complete JSON value."""
    try:
        _decode(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def split(line: bytes) -> list[bytes]:
    """A line as the lines that have run into it: complete objects, and what is left between them, in order.

    A line that is complete, or has no complete object of its own, is one piece.
    """
    if is_whole(line):
        return [line]
    text, behind, pieces = line.decode(errors="surrogateescape"), 0, list[str]()
    for start, end in _objects(text):
        pieces += [text[behind:start], text[start:end]]
        behind = end
    pieces.append(text[behind:])
    return [piece.encode(errors="surrogateescape") for piece in pieces if piece.strip()]


def _objects(text: str) -> Iterator[tuple[int, int]]:
    """Where complete objects begin and end that are part of no other one."""
    at = failed = 0
    while failed < _ATTEMPTS and (start := text.find('{"', at)) >= 0:
        end = None if _is_within(text, start) else _end(text, start)
        if end is None:
            at, failed = start + 1, failed + 1
        else:
            yield start, end
            at, failed = end, 0


def _is_within(text: str, start: int) -> bool:
    return text[max(0, start - 64) : start].rstrip()[-1:] in _WITHIN


def _end(text: str, start: int) -> int | None:
    """The end of the object that begins there, if it is complete, and only another one may follow."""
    try:
        end = _object_at(text, start)[1]
    except (ValueError, RecursionError):
        return None
    return end if text[end : end + 64].lstrip()[:1] in ("", "{") else None
