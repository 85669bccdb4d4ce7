"""What waits on disk while Kafka is away: files of lines, written at one end and read at the other."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import struct
import time
from collections import deque
from hashlib import sha256
from io import BufferedReader, FileIO
from itertools import count
from pathlib import Path
from typing import BinaryIO

import msgspec

from agents.line import Line

log = logging.getLogger(__name__)

PIECE_BYTES = 16 * 1024 * 1024
"""A file that was read is deleted as a whole."""
_HEAD = struct.Struct(">I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[bytes, bytes, float, str | None]).decode


def folder_of(root: Path, cluster: str, prefix: str, group: str) -> Path:
    """An installation's own folder below `root`: another one on this machine must not send what it has spilled.

    What a version before these folders left in `root` is taken along.
    """
    own = root / sha256(f"{cluster}\x1f{prefix}\x1f{group}".encode()).hexdigest()[:16]
    for path in sorted(root.glob("*.spill")):
        own.mkdir(mode=0o700, exist_ok=True)
        if not (own / path.name).exists():
            path.rename(own / path.name)
    return own


class Spill:
    """Used by one thread; at most `most` bytes lie there.

    Files that an ended listener left are read first, those older than `kept_s` are deleted unread: their posts are
    looked for as a gap, and what X's users deleted since must not come up again. A folder is one process's at a time:
    while the one that had it before still brings its lines to Kafka, this one writes beside it (FOLDER.1, ...).
    """

    def __init__(self, folder: Path, most: int, kept_s: float, *, piece_bytes: int = PIECE_BYTES) -> None:
        self._folder = folder
        self._home: Path | None = None
        self._locks: list[int] = []
        self._most = most
        self._piece_bytes = piece_bytes
        self._pieces: deque[Path] = deque()
        self._number = 0
        self._writer: FileIO | None = None
        self._reader: BufferedReader | BinaryIO | None = None
        self._waiting: Line | None = None
        self.bytes = 0
        self.count = 0
        """Lines of this listener that wait; those left by another are not counted until they are read."""
        self._find(kept_s)

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._waiting is None and not self._pieces

    def append(self, line: Line) -> bool:
        """Write a line behind all others; whether there was room."""
        packed = _encode((line.value, line.api, line.read_at, line.mark))
        if self.bytes + _HEAD.size + len(packed) > self._most:
            return False
        try:
            self._write(_HEAD.pack(len(packed)) + packed)
        except OSError as error:
            log.error("cannot spill to %s: %s", self._folder, error.strerror)  # noqa: TRY400 - the reason is all there is
            return False
        self.bytes += _HEAD.size + len(packed)
        self.count += 1
        return True

    def peek(self) -> Line | None:
        """The line that has waited longest; it stays until it is popped."""
        while self._waiting is None and self._pieces:
            self._waiting = self._read()
        return self._waiting

    def pop(self) -> None:
        """The line that `peek` gave is taken care of."""
        self._waiting = None
        self.count = max(0, self.count - 1)
        if self._pieces:
            self.peek()  # so that the last file goes as soon as its last line does

    def close(self) -> None:
        """Close the files; what waits stays for the next listener."""
        self._close_writer()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        while self._locks:
            os.close(self._locks.pop())
        self._home = None

    def _find(self, kept_s: float) -> None:
        beside = sorted(self._folder.parent.glob(f"{self._folder.name}.*"))
        for folder in (self._folder, *beside):
            if folder.is_dir() and self._claim(folder):
                self._take_up(folder, kept_s)

    def _claim(self, folder: Path) -> bool:
        """Whether the folder is ours from now on; the kernel gives it back when this process ends."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError as error:  # a file system without locks
            log.warning("%s cannot be locked (%s): no two listeners may share it", folder, error.strerror)
        self._locks.append(descriptor)
        self._home = self._home or folder
        return True

    def _take_up(self, folder: Path, kept_s: float) -> None:
        for path in sorted(folder.glob("*.spill")):
            found = path.stat()
            if found.st_mtime < time.time() - kept_s:
                path.unlink()
                continue
            self._pieces.append(path)
            self.bytes += found.st_size
            self._number = max(self._number, int(path.stem) + 1)

    def _write(self, data: bytes) -> None:
        """All of it or nothing: behind half a line no other could be read."""
        writer = self._writer or self._begin()
        before, written = writer.tell(), 0
        try:
            written = writer.write(data)
        finally:
            if written != len(data):
                self._take_back(writer, before)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if writer.tell() >= self._piece_bytes:
            self._close_writer()

    def _take_back(self, writer: FileIO, size: int) -> None:
        try:
            writer.truncate(size)
            writer.seek(size)
        except OSError:  # then the half line ends this piece
            self._close_writer()

    def _begin(self) -> FileIO:
        path = self._own() / f"{self._number:012}.spill"
        self._number += 1
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # posts are nobody else's to read
        self._writer = FileIO(descriptor, "wb")
        self._pieces.append(path)
        return self._writer

    def _own(self) -> Path:
        """The folder that is ours; made, where none was there or all were another's."""
        for number in count():
            if self._home is not None:
                break
            folder = self._folder.with_name(f"{self._folder.name}.{number}") if number else self._folder
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._claim(folder)
        assert self._home is not None, "one of them is free"
        return self._home

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _read(self) -> Line | None:
        """The next line of the first file; at its end the file goes."""
        if self._reader is None:
            self._reader = self._pieces[0].open("rb")
        head = self._reader.read(_HEAD.size)
        if len(head) == _HEAD.size:
            packed = self._reader.read(_HEAD.unpack(head)[0])
            try:
                value, api, read_at, mark = _decode(packed)
            except (msgspec.DecodeError, UnicodeDecodeError):
                log.warning("a spilled line is cut off: its listener was killed while it wrote")
            else:
                return Line(value, api, read_at, None, mark)
        self._end_of_piece()
        return None

    def _end_of_piece(self) -> None:
        assert self._reader is not None, "it was read to its end"
        self._reader.close()
        self._reader = None
        path = self._pieces.popleft()
        if not self._pieces:
            self._close_writer()
        self.bytes -= path.stat().st_size
        path.unlink()
