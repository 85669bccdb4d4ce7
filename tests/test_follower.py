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
from pipeline.clocks import ScaledClock, SystemClock


class Reader:
    """Follows a file on a thread of its own."""

    def __init__(self, path: Path, mark: str | None = None, follower: Follower | None = None) -> None:
        self.follower = follower or Follower(path, ScaledClock(20))
        self._path = path
        self.missed: list[str] = []
        self.begun: list[str] = []
        self.lines: list[bytes] = []
        self.marks: list[str | None] = []
        self.alive = Event()
        self.opened = Event()
        self.ending: Ending | None = None
        self._thread = Thread(target=self._run, args=(mark,), daemon=True)
        self._thread.start()

    def _run(self, mark: str | None) -> None:
        heard = Heard(self._line, self.alive.set, self.opened.set, self.missed.append, self.begun.append)
        self.ending = self.follower.listen(heard, mark)

    def _line(self, line: bytes, mark: str | None) -> None:
        self.lines.append(line)
        self.marks.append(mark)

    def wait(self, lines: int) -> None:
        """Until so many have come."""
        deadline = monotonic() + 10 * PATIENCE
        while len(self.lines) < lines:
            assert monotonic() < deadline, self.lines
            Event().wait(0.01)

    def over(self) -> Ending | None:
        """When it has ended by itself."""
        self._thread.join(10 * PATIENCE)
        return self.ending

    def again(self) -> Reader:
        """The same follower listens again, behind the last mark."""
        return Reader(self._path, self.marks[-1], self.follower)

    def end(self) -> Ending | None:
        """Close it."""
        self.follower.close()
        self._thread.join(10)
        return self.ending


def _read(path: Path, lines: int, mark: str | None = None) -> Reader:
    """Follow a file until so many lines have come."""
    reader = Reader(path, mark)
    reader.wait(lines)
    reader.end()
    return reader


def _append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def test_lines_as_they_are_appended(folder: Path) -> None:
    """Those that were there before too; a line counts when it is whole; empty ones and marks are passed over."""
    path = folder / "posts.jsonl"
    path.write_bytes(b"\xef\xbb\xbfone\n\r\ntwo\r\nthr")
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
    ending = reader.over()
    again = _read(path, 1, reader.marks[0])

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


def test_a_writer_of_a_pipe_that_ends_within_a_line(folder: Path) -> None:
    """Its last line counts if it is whole, and becomes a dead letter if not; the next writer's are as it wrote them."""
    path = folder / "pipe"
    os.mkfifo(path)
    reader = Reader(path)
    assert reader.opened.wait(10)
    for number, text in enumerate((b'{"id":"1"}', b'{"id":"2","te', b'{"id":"3"}\n{"id":"4"}\n'), 1):
        path.write_bytes(text)
        reader.wait(number)
    reader.wait(4)
    reader.end()

    assert [b'{"id":"1"}', b'{"id":"2","te', b'{"id":"3"}', b'{"id":"4"}'] == reader.lines


def test_writers_of_a_pipe_whose_change_is_not_seen(folder: Path) -> None:
    """The second one opened it before the first one's end could be read: the lines are told apart all the same."""
    path = folder / "pipe"
    os.mkfifo(path)
    reader = Reader(path)
    assert reader.opened.wait(10)
    path.write_bytes(b'{"id":"1","te{"id":"2"}{"id":"3"}\n{"id":"4"}\n')
    reader.wait(4)
    reader.end()

    assert [b'{"id":"1","te', b'{"id":"2"}', b'{"id":"3"}', b'{"id":"4"}'] == reader.lines


def test_an_unfinished_line_of_a_pipe_at_the_end(folder: Path) -> None:
    """The listener ends before the writer does: what was read of the line is not kept back."""
    path = folder / "pipe"
    os.mkfifo(path)
    reader = Reader(path)
    assert reader.opened.wait(10)
    with path.open("wb", buffering=0) as file:
        file.write(b"one\ntwo")
        reader.wait(1)
        reader.end()

    assert [b"one", b"two"] == reader.lines
