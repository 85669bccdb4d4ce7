"""A file as a source: JSON Lines, one post a line, followed as they are appended; or a named pipe.

Its place in a file is its checkpoint, and the bytes around the place tell whether a file is still the one it was. Of a
file that was rotated, or copied and cut, the rest is read first, then the one of its name from its beginning; where
that rest is gone, a gap says so. A pipe cannot be read twice: what was written to it while nobody read is gone, and
the gap's record says so.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import stat
from codecs import BOM_UTF8
from pathlib import Path
from threading import Event
from typing import BinaryIO

from agents.rotated import Start, find_way, trail
from agents.sources import Ending, Heard
from pipeline.backoff import Cause
from pipeline.clocks import Clock
from pipeline.file_places import Trail, read_mark
from pipeline.gaps import Gap
from pipeline.glued import is_whole, split

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.1
ALIVE_EVERY_S = 1.0
SETTLED_AFTER_S = 1.0
"""A rotated file is left when it has brought nothing for so long: its writers do not all change over at once."""
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
        self._trail: Trail | None = None
        self._mark: str | None = None
        """The last one that was told."""
        self._done: str | None = None
        """Behind this mark there is nothing more in its file, or nothing that can be had."""
        self._alive_at = 0.0

    def listen(self, heard: Heard, mark: str | None) -> Ending:
        """Hand over the lines after the mark, then what is appended."""
        self._hanging_up.clear()
        self._rest = b""
        self._alive_at = self._clock.monotonic()
        try:
            if stat.S_ISFIFO(self._path.stat().st_mode):
                return self._pipe(heard)
            return self._files(heard, mark)
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

    def _over(self) -> bool:
        return self._closing.is_set() or self._hanging_up.is_set()

    # Files.

    def _files(self, heard: Heard, mark: str | None) -> Ending:
        """What is left of earlier files, then the one of the name, until another one stands there."""
        self._mark = mark
        way = find_way(self._path, read_mark(mark), done=mark is not None and mark == self._done)
        if way.missed is not None:
            heard.missed(way.missed)
            self._done = mark
        for number, start in enumerate(way.files, 2):
            with _open(start) as file:
                if start is way.files[0]:
                    heard.opened()
                ending = self._file(file, start, heard, sure=number < len(way.files))
            if ending is not None:
                return ending
        return Ending(Cause.CLOSED, f"{self._path} was replaced", reached=False)

    def _file(self, file: BinaryIO, start: Start, heard: Heard, *, sure: bool) -> Ending | None:
        """Read it until another one follows, which is `sure` or to be seen; None: it has brought all it will."""
        self._begin(file, start, heard)
        idle_since: float | None = None
        while not self._over():
            data, found = file.read(CHUNK), os.fstat(file.fileno())
            if self._is_cut(file, found):
                return self._cut(heard)
            if data:
                self._lines(data, heard, found)
                idle_since = None
                continue
            if sure or self._is_followed(found):
                now = self._clock.monotonic()
                idle_since = now if idle_since is None else idle_since
                if now - idle_since >= SETTLED_AFTER_S:
                    self._finish(heard, found)
                    self._done = self._mark
                    return None
            self._wait(heard)
        return Ending(None)

    def _begin(self, file: BinaryIO, start: Start, heard: Heard) -> None:
        file.seek(start.offset)
        self._trail = trail(file.fileno(), start)
        self._rest = b""
        if self._mark is None:  # a file that is rotated before its first line is read must be found again, too
            self._mark = self._trail.place(start.inode, os.fstat(file.fileno()).st_mtime_ns).mark
            heard.begins(self._mark)

    def _is_cut(self, file: BinaryIO, found: os.stat_result) -> bool:
        """Whether it is shorter than what was read, or begins with something else: it may have grown again."""
        assert self._trail is not None, "a file has a trail"
        head = self._trail.head
        return found.st_size < file.tell() or os.pread(file.fileno(), len(head), 0) != head

    def _is_followed(self, ours: os.stat_result) -> bool:
        """Whether another file stands under the name, and is written to."""
        try:
            there = self._path.stat()
        except FileNotFoundError:  # between the old one and the new one
            return False
        return there.st_ino != ours.st_ino and (there.st_size > 0 or not stat.S_ISREG(there.st_mode))

    def _cut(self, heard: Heard) -> Ending:
        """What was not read yet may be in a copy: the next reading looks for it."""
        if is_whole(self._rest):
            self._hand_over(self._rest, heard, None)
        elif self._rest.strip():
            log.warning("%s was cut within a line, of which %d bytes were read", self._path, len(self._rest))
        return Ending(Cause.CLOSED, f"{self._path} was cut", reached=False)

    # Pipes.

    def _pipe(self, heard: Heard) -> Ending:
        """Read while somebody writes; when the last writer is gone, wait for the next."""
        self._trail = None
        file = _open_pipe(self._path)
        try:
            heard.opened()
            while not self._over():
                data = file.read(CHUNK) if select.select([file], [], [], LOOK_EVERY_S)[0] else None
                if data:
                    self._lines(data, heard, None)
                elif data is not None:  # at its end: nobody writes
                    self._finish(heard, None)
                    file = self._again(file)
                self._say_alive(heard)
            self._finish(heard, None)
        finally:
            file.close()
        return Ending(None)

    def _again(self, file: BinaryIO) -> BinaryIO:
        """The pipe, opened anew: it waits for the next writer, and shows that one's end too."""
        again = _open_pipe(self._path)
        file.close()
        if select.select([again], [], [], 0)[0]:  # where a pipe is ready though nobody writes, this spares the core
            self._clock.wait(self._closing, LOOK_EVERY_S / 10)
        return again

    # Lines.

    def _lines(self, data: bytes, heard: Heard, found: os.stat_result | None) -> None:
        """Hand over each line that is complete, with the place behind it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._hand_over(line, heard, self._behind(line + b"\n", found))
        if len(self._rest) > LONGEST:
            self._behind(self._rest, found)
            heard.line(self._rest, None)
            self._rest = b""

    def _behind(self, read: bytes, found: os.stat_result | None) -> str | None:
        """The mark of the place behind what was read; a pipe has none."""
        if self._trail is None or found is None:
            return None
        self._trail.add(read)
        self._mark = self._trail.place(found.st_ino, found.st_mtime_ns).mark
        return self._mark

    def _hand_over(self, line: bytes, heard: Heard, mark: str | None) -> None:
        """A line; where a writer ended within one, what came behind it is a line of its own."""
        if not line.strip():
            return
        *before, last = split(line.removeprefix(BOM_UTF8).rstrip(b"\r"))  # what editors put before and behind
        for piece in before:
            heard.line(piece, None)
        heard.line(last, mark)

    def _finish(self, heard: Heard, found: os.stat_result | None) -> None:
        """The last line had no end: it counts as it is, and where it is cut off becomes a dead letter."""
        rest, self._rest = self._rest, b""
        if rest.strip() and not is_whole(rest):
            log.warning(
                "%s: its writer ended within a line: %d bytes of it become a dead letter", self._path, len(rest)
            )
        if rest:
            self._hand_over(rest, heard, self._behind(rest, found))

    def _wait(self, heard: Heard) -> None:
        self._say_alive(heard)
        self._clock.wait(self._closing, LOOK_EVERY_S)

    def _say_alive(self, heard: Heard) -> None:
        now = self._clock.monotonic()
        if now - self._alive_at >= ALIVE_EVERY_S:
            self._alive_at = now
            heard.alive()


def _open(start: Start) -> BinaryIO:
    """Open a file unbuffered.

    Raises:
        OSError: it cannot be opened, or is another one by now.
    """
    file = start.path.open("rb", buffering=0)
    if os.fstat(file.fileno()).st_ino != start.inode:
        file.close()
        raise OSError(errno.ESTALE, "it was rotated just now")
    return file


def _open_pipe(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
