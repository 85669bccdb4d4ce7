"""Where reading goes on in a file that is rotated: the rest of the old one, those in between, the one of its name."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.file_places import EDGE, Place, Trail, digest

_ROTATED = re.compile(r"[.\-_]\d[\d.\-_T:]*")
"""What rotation puts behind a file's name: a number, a day, a time."""


class Start(NamedTuple):
    """A file, and where to begin in it."""

    path: Path
    inode: int
    """It may be another file's by now: whoever opens it compares."""
    offset: int = 0
    """In bytes."""


class Way(NamedTuple):
    """What is to be read, in order; the last is the file of the name itself."""

    files: list[Start]
    missed: str | None = None
    """What can be read no more, for people."""


class Sibling(NamedTuple):
    """A file beside ours; compared by age, the oldest first."""

    changed_at: int
    newness: int
    """Of several of one moment: FILE.2 is older than FILE.1."""
    path: Path
    inode: int


def find_way(path: Path, place: Place | None, *, done: bool) -> Way:
    """How to go on behind a place.

    Args:
        path: the file's name.
        place: behind the last line that is known; None: nothing was read yet.
        done: there is nothing behind the place in its file, as the caller knows.

    Raises:
        OSError: there is no file of the name, or the folder cannot be read.
    """
    whole = Start(path, path.stat().st_ino)
    if place is None:
        return Way([whole])
    if _is_in(path, place):
        return Way([whole._replace(offset=place.offset)])
    siblings = sorted(_siblings(path, whole.inode))
    old = next(_holding(path, siblings, place), None)
    between = [Start(one.path, one.inode) for one in siblings if _is_newer(one, old, place) and _is_rotated(path, one)]
    if done:
        return Way([*between, whole])
    if old is None:
        return Way([*between, whole], _missed(path, place, between))
    return Way([Start(old.path, old.inode, place.offset), *between, whole])


def trail(file: int, start: Start) -> Trail:
    """What lies before a start, in the open file of that descriptor."""
    head, tail = _edges(file, start.offset)
    return Trail(head, tail, start.offset)


def _siblings(path: Path, own: int) -> Iterator[Sibling]:
    """Plain files of the folder, and of the one that a link leads to."""
    for folder in {path.parent, path.resolve().parent}:
        for entry in os.scandir(folder):
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and found.st_ino != own:
                number = entry.name.removeprefix(path.name).lstrip(".-_")
                newness = -int(number) if number.isdecimal() and len(number) < 5 else 0  # longer ones are days
                yield Sibling(found.st_mtime_ns, newness, Path(entry.path), found.st_ino)


def _holding(path: Path, siblings: list[Sibling], place: Place) -> Iterator[Sibling]:
    """Those that hold what was read: the file itself under another name; else a copy, whose original was cut."""
    for one in siblings:
        if one.inode == place.inode and _is_in(one.path, place):
            yield one
    for one in reversed(siblings):
        if place.offset and one.path.name.startswith(path.name) and _is_in(one.path, place):
            yield one


def _is_rotated(path: Path, one: Sibling) -> bool:
    """Whether its name is ours with what rotation puts behind it; what is compressed is not."""
    name = one.path.name
    return name.startswith(path.name) and _ROTATED.fullmatch(name, len(path.name)) is not None


def _is_newer(one: Sibling, old: Sibling | None, place: Place) -> bool:
    """Whether it was begun after the old one; where that is gone, its last known change decides, if one is known."""
    return one > old if old is not None else 0 < place.changed_at <= one.changed_at


def _is_in(path: Path, place: Place) -> bool:
    """Whether a file holds, before the place, what was read there; a file that cannot be opened does not."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size < place.offset:
                return False
            if not place.digest or not place.offset:
                return found.st_ino == place.inode
            return digest(*_edges(file.fileno(), place.offset)) == place.digest
    except OSError:
        return False


def _edges(file: int, offset: int) -> tuple[bytes, bytes]:
    start = max(0, offset - EDGE)
    return os.pread(file, min(EDGE, offset), 0), os.pread(file, offset - start, start)


def _missed(path: Path, place: Place, between: list[Start]) -> str:
    read = "".join(f", {one.path.name} is read" for one in between)
    return (
        f"the file that {path} was (inode {place.inode}, read up to byte {place.offset:,}) is neither there nor beside "
        f"it: whatever it got after that is not read{read}"
    )
