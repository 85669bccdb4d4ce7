"""A file as a source: JSON Lines, one post a line, followed as they are appended; or a named pipe.

Its place in a file is its checkpoint: nothing is missed while the file is only appended to. A file that was replaced
or cut is read from its beginning. A pipe cannot be read twice: what was written to it while nobody read is gone, and
the gap's record says so.
"""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path
from threading import Event
from typing import BinaryIO

from agents.sources import Ending, Heard
from pipeline.backoff import Cause
from pipeline.clocks import Clock
from pipeline.gaps import Gap

LOOK_EVERY_S = 0.1
ALIVE_EVERY_S = 1.0
CHUNK = 64 * 1024
LONGEST = 2 * 1024 * 1024
"""A line longer than any topic takes is handed over in pieces."""


class Follower:
    """Follows one file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.name = f"file:{path.name}"
        self._path = path
        self._clock = clock
        self.resumes = not (path.exists() and stat.S_ISFIFO(path.stat().st_mode))
        self._closing = Event()
        self._hanging_up = Event()
        self._rest = b""
        self._at: int | None = None

    def listen(self, heard: Heard, mark: str | None) -> Ending:
        """Hand over the lines after the mark, then what is appended."""
        self._hanging_up.clear()
        self._rest = b""
        try:
            pipe = stat.S_ISFIFO(self._path.stat().st_mode)
            with self._open(pipe=pipe) as file:
                heard.opened()
                return self._pipe(file, heard) if pipe else self._file(file, heard, mark)
        except OSError as error:
            return Ending(Cause.DISCONNECT, f"{self._path}: {error.strerror}", reached=False)

    def close(self) -> None:
        """End for good."""
        self._closing.set()

    def hang_up(self) -> None:
        """End this reading."""
        self._hanging_up.set()

    def search(self, gap: Gap, now: float) -> None:
        """A file is read again from its mark; there is nothing else to look for."""
        del gap, now

    def _open(self, *, pipe: bool) -> BinaryIO:
        flags = os.O_RDONLY | (os.O_NONBLOCK if pipe else 0)
        return os.fdopen(os.open(self._path, flags), "rb", buffering=0)

    def _over(self) -> bool:
        return self._closing.is_set() or self._hanging_up.is_set()

    def _file(self, file: BinaryIO, heard: Heard, mark: str | None) -> Ending:
        place = _place(mark, os.fstat(file.fileno()))
        file.seek(place)
        self._at = place
        alive_at = self._clock.monotonic()
        while not self._over():
            if data := file.read(CHUNK):
                self._lines(data, heard, os.fstat(file.fileno()).st_ino)
                continue
            if self._replaced(file):
                if self._rest.strip():  # its last line had no end
                    heard.line(self._rest, None)
                return Ending(Cause.CLOSED, f"{self._path} was replaced or cut", reached=False)
            alive_at = self._say_alive(heard, alive_at)
            self._clock.wait(self._closing, LOOK_EVERY_S)
        return Ending(None)

    def _pipe(self, file: BinaryIO, heard: Heard) -> Ending:
        """Read while somebody writes; when the last writer is gone, wait for the next."""
        self._at = None
        alive_at = self._clock.monotonic()
        while not self._over():
            ready = select.select([file], [], [], LOOK_EVERY_S)[0]
            data = file.read(CHUNK) if ready else None
            if data:
                self._lines(data, heard, 0)
                continue
            if ready:  # at its end: nobody writes
                self._clock.wait(self._closing, LOOK_EVERY_S)
            alive_at = self._say_alive(heard, alive_at)
        return Ending(None)

    def _lines(self, data: bytes, heard: Heard, inode: int) -> None:
        """Hand over each line that is complete, with the place behind it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            mark = None
            if self._at is not None:
                self._at += len(line) + 1
                mark = f"{inode}:{self._at}"
            if line.strip():
                heard.line(line.rstrip(b"\r"), mark)
        if len(self._rest) > LONGEST:
            heard.line(self._rest, None)
            self._at = None if self._at is None else self._at + len(self._rest)
            self._rest = b""

    def _replaced(self, file: BinaryIO) -> bool:
        ours = os.fstat(file.fileno())
        try:
            there = self._path.stat()
        except FileNotFoundError:  # between the old one and the new one
            return False
        return there.st_ino != ours.st_ino or there.st_size < file.tell()

    def _say_alive(self, heard: Heard, before: float) -> float:
        now = self._clock.monotonic()
        if now - before < ALIVE_EVERY_S:
            return before
        heard.alive()
        return now


def _place(mark: str | None, found: os.stat_result) -> int:
    """Where to go on: behind the mark, if it is of this file and within it."""
    inode, _, place = (mark or "").partition(":")
    if inode == str(found.st_ino) and place.isdecimal() and int(place) <= found.st_size:
        return int(place)
    return 0
