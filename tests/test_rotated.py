"""Files that are rotated, replaced, or copied and cut, while the listener is down or reads: nothing goes in silence."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from test_follower import Reader, _append, _read

from agents.follower import Follower
from pipeline.backoff import Cause
from pipeline.clocks import SystemClock
from pipeline.file_places import read_mark


@pytest.fixture
def path(folder: Path) -> Path:
    """The file that is followed; it begins with two lines."""
    path = folder / "posts.jsonl"
    path.write_bytes(b"one\ntwo\n")
    return path


def _older(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def test_rotated_while_nobody_listens(path: Path) -> None:
    """The rest of the old file comes first, also its last line without an end; then the new one."""
    first = _read(path, 2)
    _append(path, b"three\nfour")
    path.rename(_older(path))
    path.write_bytes(b"five\n")
    second = _read(path, 4, first.marks[0])
    third = _read(path, 1, second.marks[2])

    assert ([b"two", b"three", b"four", b"five"], [b"five"]) == (second.lines, third.lines)
    assert [] == second.missed + third.missed


def test_rotated_several_times_while_nobody_listens(path: Path) -> None:
    """Those in between come too, the oldest first; other files of the folder do not."""
    first = _read(path, 2)
    _append(path, b"three\n")
    for number, text in ((3, b"four\n"), (2, b"five\n"), (1, b"six\n")):
        path.rename(path.with_name(f"{path.name}.{number}"))
        path.write_bytes(text)
    path.with_name(f"{path.name}.new").write_bytes(b"other\n")
    path.with_name("other.jsonl").write_bytes(b"other\n")
    second = _read(path, 4, first.marks[-1])

    assert [b"three", b"four", b"five", b"six"] == second.lines
    assert [] == second.missed


def test_rotated_before_its_first_line(folder: Path) -> None:
    """An empty file has a place, too."""
    path = folder / "posts.jsonl"
    path.touch()
    first = Reader(path)
    assert first.opened.wait(10)
    first.end()
    _append(path, b"one\n")
    path.rename(_older(path))
    path.write_bytes(b"two\n")
    second = _read(path, 2, first.begun[0])

    assert [b"one", b"two"] == second.lines


def test_the_old_file_is_gone(path: Path) -> None:
    """What it got after the mark is missing, and that is told once; the new one is read from its beginning."""
    first = _read(path, 2)
    _append(path, b"three\n")
    path.rename(_older(path))
    path.write_bytes(b"four\n")
    _older(path).unlink()
    second = _read(path, 1, first.marks[-1])

    assert [b"four"] == second.lines
    [missed] = second.missed
    assert "read up to byte 8" in missed
    assert "is not read" in missed


def test_the_old_file_is_gone_and_one_in_between_is_not(path: Path) -> None:
    """It is read, for it was changed after the mark was made; one that was older is not."""
    path.with_name(f"{path.name}.9").write_bytes(b"ancient\n")
    os.utime(path.with_name(f"{path.name}.9"), (1, 1))
    first = _read(path, 2)
    path.unlink()
    _older(path).write_bytes(b"three\n")
    later = _older(path).stat().st_mtime + 1
    os.utime(_older(path), (later, later))
    path.write_bytes(b"four\n")
    second = _read(path, 2, first.marks[-1])

    assert [b"three", b"four"] == second.lines
    [missed] = second.missed
    assert "posts.jsonl.1 is read" in missed


def test_an_inode_number_that_comes_again(path: Path) -> None:
    """Another file with the number of the old one: the place is not applied to it, however long it is."""
    first = _read(path, 2)
    inode = path.stat().st_ino
    path.write_bytes(b"eins\nzwei\ndrei\n")  # in place: the number stays
    second = _read(path, 3, first.marks[-1])

    assert inode == path.stat().st_ino
    assert [b"eins", b"zwei", b"drei"] == second.lines
    assert 1 == len(second.missed)


@pytest.mark.parametrize("new", [b"four\n", b"four\nfive\nsix\n"])
def test_copied_and_cut_while_nobody_listens(path: Path, new: bytes) -> None:
    """The rest is read from the copy, whether the file has grown beyond the place again or not."""
    first = _read(path, 2)
    _append(path, b"three\n")
    shutil.copy(path, _older(path))
    path.write_bytes(new)
    lines = [b"three", *new.split()]
    second = _read(path, len(lines), first.marks[-1])

    assert lines == second.lines
    assert [] == second.missed


@pytest.mark.parametrize("new", [b"four\n", b"four\nfive\nsix\n"])
def test_cut_while_it_is_read(path: Path, new: bytes) -> None:
    """It is noticed by its length, and by how it begins; what was written in between is told to be missing, once."""
    reader = Reader(path)
    reader.wait(2)
    path.write_bytes(new)
    ending = reader.over()
    assert ending is not None
    again = reader.again()
    again.wait(len(new.split()))
    again.end()

    assert Cause.CLOSED is ending.cause
    assert ([b"one", b"two"], new.split()) == (reader.lines, again.lines)
    assert 1 == len(again.missed)


def test_rotated_while_it_is_read(path: Path) -> None:
    """What writers that have the old file open still bring is read; nothing is told to be missing."""
    reader = Reader(path, follower=Follower(path, SystemClock()))
    reader.wait(2)
    with path.open("ab", buffering=0) as late:
        path.rename(_older(path))
        late.write(b"three\n")
        path.write_bytes(b"four\n")
        late.write(b"five\n")
        ending = reader.over()
    _older(path).unlink()
    again = reader.again()
    again.wait(1)
    again.end()

    assert ending is not None
    assert (Cause.CLOSED, [b"one", b"two", b"three", b"five"]) == (ending.cause, reader.lines)
    assert ([b"four"], []) == (again.lines, again.missed)


def test_an_empty_new_file_does_not_end_the_old_one(path: Path) -> None:
    """Rotation made it; its writer goes on in the old one until it opens it, also after a restart of the listener."""
    first = _read(path, 2)
    path.rename(_older(path))
    path.touch()
    second = Reader(path, first.marks[-1])
    assert second.opened.wait(10)
    _append(_older(path), b"three\n")
    second.wait(1)
    _append(path, b"four\n")
    second.wait(2)
    second.end()

    assert [b"three", b"four"] == second.lines


def test_a_writer_that_ended_within_a_line(path: Path) -> None:
    """The next one's first line is one of its own, with the mark behind both."""
    _append(path, b'{"id":"1","te{"id":"2"}\n')
    reader = _read(path, 4)

    assert [b'{"id":"1","te', b'{"id":"2"}'] == reader.lines[2:]
    place = read_mark(reader.marks[3])
    assert place is not None
    assert (None, path.stat().st_size) == (reader.marks[2], place.offset)


def test_a_mark_of_an_earlier_version(path: Path) -> None:
    """Inode and offset alone: it holds as it did then."""
    reader = _read(path, 1, f"{path.stat().st_ino}:4")

    assert [b"two"] == reader.lines
