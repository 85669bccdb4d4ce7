"""The file of a backup: what is written is read, and what was cut, changed or is something else is refused."""

from __future__ import annotations

import pytest

from pipeline.backup import FORMAT, Head, Saved, lines, read
from pipeline.errors import BackupError

HEAD = Head(FORMAT, "cluster", "care.", 12, "2026-11-26T07:00:00.000Z", [("queue.reactive", 0, 42)])
SAVED = [Saved(3, b"1\x1facme\x1f7", b"\x98\x01", 1_790_000_000_000), Saved(3, b"told", b"9", 1_790_000_000_001)]


def test_read_as_written() -> None:
    """Bytes and times alike."""
    assert (HEAD, SAVED) == read(lines(HEAD, SAVED))


@pytest.mark.parametrize(
    "found",
    [
        [],
        list(lines(HEAD, SAVED))[:-1],
        list(lines(HEAD, SAVED))[1:],
        [line.replace(b'"partition":3', b'"partition":4') for line in lines(HEAD, SAVED)],
        [line.replace(b"conversations/1", b"conversations/2") for line in lines(HEAD, SAVED)],
        [b"{}\n", b"{}\n"],
    ],
)
def test_refused(found: list[bytes]) -> None:
    """Nothing of it is restored."""
    with pytest.raises(BackupError):
        read(found)
