"""Lines that run into one another are told apart where that is certain."""

from __future__ import annotations

import pytest

from pipeline.glued import is_whole, split

CASES = {
    "whole": (b'{"a":{"b":1}}', [b'{"a":{"b":1}}']),
    "no JSON": (b"one two", [b"one two"]),
    "without ends": (b'{"a":1}{"b":2}{"c":[{"d":3}]}', [b'{"a":1}', b'{"b":2}', b'{"c":[{"d":3}]}']),
    "cut within a text": (b'{"a":"hello wor{"b":2}', [b'{"a":"hello wor', b'{"b":2}']),
    "cut behind a number": (b'{"a":1{"b":{"c":2}}', [b'{"a":1', b'{"b":{"c":2}}']),
    "whole, then cut": (b'{"a":1}{"b":"wor', [b'{"a":1}', b'{"b":"wor']),
    "whole between cut ones": (b'{"a":"\xff{"b":"{"} {"c":', [b'{"a":"\xff', b'{"b":"{"}', b' {"c":']),
    "with commas between": (b'{"a":1},{"b":2}', [b'{"a":1},{"b":2}']),
    "both cut": (b'{"a":"hello wor{"b":"wor', [b'{"a":"hello wor{"b":"wor']),
    "its own inner object": (b'{"a":{"id":"1","text":"t"}', [b'{"a":{"id":"1","text":"t"}']),
    "its own inner objects, with spaces": (b'{"a": [{"id":"1"}, {"id":"2"}', [b'{"a": [{"id":"1"}, {"id":"2"}']),
    "deeper than can be read": (b"[" * 100_000, [b"[" * 100_000]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_split(name: str) -> None:
    """Complete objects are lines of their own; what may be a part of a line that was cut off is not."""
    line, pieces = CASES[name]

    assert pieces == split(line)


def test_many_beginnings_are_not_all_tried() -> None:
    """A line of megabytes is left as it is before long, and loses nothing."""
    line = b'x{"' * 700_000

    assert [line] == split(line)


def test_what_is_whole() -> None:
    """One value, and nothing behind it."""
    assert [True, True, False, False, False] == [
        is_whole(line) for line in (b' {"a":1} ', b"1", b'{"a":1}{', b"", b'{"a":')
    ]
