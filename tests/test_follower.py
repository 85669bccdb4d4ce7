"""A file as a source: followed as it grows, from its own place; replaced files; pipes."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event, Thread
from time import monotonic

from patience import PATIENCE

from agents.follower import Follower
from agents.sources import Ending, Heard
from pipeline.backoff import Cause
from pipeline.clocks import SystemClock


class Reader:
    """Follows a file on a thread of its own."""

    def __init__(self, path: Path, mark: str | None = None) -> None:
        self.follower = Follower(path, SystemClock())
        self.lines: list[bytes] = []
        self.marks: list[str | None] = []
        self.alive = Event()
        self.opened = Event()
        self.ending: Ending | None = None
        self._thread = Thread(target=self._run, args=(mark,), daemon=True)
        self._thread.start()

    def _run(self, mark: str | None) -> None:
        self.ending = self.follower.listen(Heard(self._line, self.alive.set, self.opened.set), mark)

    def _line(self, line: bytes, mark: str | None) -> None:
        self.lines.append(line)
        self.marks.append(mark)

    def wait(self, lines: int) -> None:
        """Until so many have come."""
        deadline = monotonic() + 10 * PATIENCE
        while len(self.lines) < lines:
            assert monotonic() < deadline, self.lines
            Event().wait(0.01)

    def end(self) -> Ending | None:
        """Close it."""
        self.follower.close()
        self._thread.join(10)
        return self.ending


def _append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def test_lines_as_they_are_appended(folder: Path) -> None:
    """Those that were there before too; a line counts when it is complete; empty ones are passed over."""
    path = folder / "posts.jsonl"
    path.write_bytes(b"one\n\r\ntwo\r\nthr")
    reader = Reader(path)
    reader.wait(2)
    _append(path, b"ee\nfour\n")
    reader.wait(4)

    assert Ending(None) == reader.end()
    assert [b"one", b"two", b"three", b"four"] == reader.lines
    assert reader.follower.resumes


def test_it_goes_on_behind_its_mark(folder: Path) -> None:
    """Nothing comes twice, and nothing that was written meanwhile is missed."""
    path = folder / "posts.jsonl"
    path.write_bytes(b"one\ntwo\n")
    first = Reader(path)
    first.wait(2)
    first.end()
    _append(path, b"three\n")
    second = Reader(path, first.marks[0])
    second.wait(2)
    second.end()

    assert [b"two", b"three"] == second.lines


def test_a_replaced_file_is_read_from_its_beginning(folder: Path) -> None:
    """What the old one ended with is handed over first; the old one's mark says nothing of the new one."""
    path = folder / "posts.jsonl"
    path.write_bytes(b"one\ntwo")
    reader = Reader(path)
    reader.wait(1)
    (folder / "new").write_bytes(b"new\n")
    (folder / "new").rename(path)
    reader.wait(2)
    ending = reader.end()
    again = Reader(path, reader.marks[0])
    again.wait(1)
    again.end()

    assert ending is not None
    assert (Cause.CLOSED, [b"one", b"two"], [b"new"]) == (ending.cause, reader.lines, again.lines)


def test_a_missing_file_is_a_disconnect(folder: Path) -> None:
    """It is tried again, as a connection is."""
    ending = Follower(folder / "none", SystemClock()).listen(Heard(lambda *_: None, print, print), None)

    assert (Cause.DISCONNECT, False) == (ending.cause, ending.reached)


def test_a_pipe_is_read_while_anybody_writes(folder: Path) -> None:
    """One writer after the other; it has no place to go on from."""
    path = folder / "pipe"
    os.mkfifo(path)
    reader = Reader(path)
    assert reader.opened.wait(10)
    for text in (b"one\n", b"two\n"):
        path.write_bytes(text)
        reader.wait(1 if text == b"one\n" else 2)
    reader.end()

    assert ([b"one", b"two"], [None, None]) == (reader.lines, reader.marks)
    assert not reader.follower.resumes
