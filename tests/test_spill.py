"""What waits on disk: in order, bounded, taken up again, and gone when it is read."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agents.line import Line
from agents.spill import Spill, folder_of


def _line(number: int) -> Line:
    return Line(b"post %d" % number, b"stream", float(number), None, str(number))


def _all(spill: Spill) -> list[Line]:
    found = []
    while (line := spill.peek()) is not None:
        found.append(line)
        spill.pop()
    return found


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 200))
def test_what_goes_in_comes_out_in_order(story: list[bool], piece_bytes: int) -> None:
    """However writing and reading take turns, and however small the files are; nothing is left on disk."""
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"spill-{os.getpid()}-{time.monotonic_ns()}"
    spill, written, read = Spill(folder, 10**6, 60, piece_bytes=piece_bytes), 0, []
    for write in story:
        if write:
            assert spill.append(_line(written))
            written += 1
        elif (line := spill.peek()) is not None:
            read.append(line)
            spill.pop()
    read += _all(spill)
    spill.close()

    assert [_line(number) for number in range(written)] == read
    assert (True, 0, []) == (spill.empty, spill.bytes, list(folder.glob("*")) if folder.exists() else [])


def test_no_more_than_is_allowed(folder: Path) -> None:
    """What does not fit is said, and there is room again when something was read."""
    spill = Spill(folder, 100, 60)

    taken = [spill.append(_line(number)) for number in range(10)]

    assert True in taken
    assert not taken[-1]
    assert spill.bytes <= 100
    _all(spill)
    assert spill.append(_line(11))
    spill.close()


def test_what_another_one_left_is_taken_up(folder: Path) -> None:
    """In its order, before what is new; a line that was cut off by the end of its writer is passed over."""
    first = Spill(folder, 10**6, 60)
    for number in range(3):
        first.append(_line(number))
    first.close()
    [piece] = folder.glob("*.spill")
    piece.write_bytes(piece.read_bytes()[:-2])

    second = Spill(folder, 10**6, 60)
    second.append(_line(7))

    assert [_line(0), _line(1), _line(7)] == _all(second)
    second.close()


def test_each_installation_has_a_folder_of_its_own(folder: Path) -> None:
    """What one has spilled is not the other's to send; what lies there from before such folders goes along with one."""
    old = Spill(folder, 10**6, 60)
    old.append(_line(0))
    old.close()
    ours, theirs = folder_of(folder, "c", "a.", "listener"), folder_of(folder, "d", "a.", "listener")
    first, second = Spill(ours, 10**6, 60), Spill(theirs, 10**6, 60)
    first.append(_line(1))
    second.append(_line(2))

    assert [_line(0), _line(1)] == _all(first)
    assert [_line(2)] == _all(second)
    first.close()
    second.close()


def test_a_folder_in_use_is_left_alone(folder: Path) -> None:
    """Who lost the lease may still bring its lines to Kafka while the next one spills; the rest is taken up later."""
    first, second = Spill(folder / "ours", 10**6, 60), Spill(folder / "ours", 10**6, 60)
    first.append(_line(1))
    second.append(_line(2))

    third = Spill(folder / "ours", 10**6, 60)

    assert third.empty
    first.close()
    second.close()
    fourth = Spill(folder / "ours", 10**6, 60)
    assert [_line(1), _line(2)] == _all(fourth)
    fourth.close()


def test_what_is_old_is_deleted_unread(folder: Path) -> None:
    """Its posts may have been deleted by those who wrote them."""
    first = Spill(folder, 10**6, 60)
    first.append(_line(1))
    first.close()
    [piece] = folder.glob("*.spill")
    os.utime(piece, (0, 0))

    assert Spill(folder, 10**6, 60).empty
    assert list(folder.glob("*")) == []


def test_no_room_within_a_line(folder: Path) -> None:
    """A disk that is full takes the beginning of a line; what is kept before and after it comes back."""
    spill = Spill(folder, 10**6, 60)
    lines = [Line(b"%d" % number + 9000 * b"p", b"stream", 1.0, None) for number in range(5)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        kept = [spill.append(line) for line in lines[:3]]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    kept += [spill.append(line) for line in lines[3:]]

    assert [True, True, False, True, True] == kept
    assert [line for line, was in zip(lines, kept, strict=True) if was] == _all(spill)
    spill.close()


def test_only_we_may_read_it(folder: Path) -> None:
    """It holds posts."""
    spill = Spill(folder / "new", 10**6, 60)
    spill.append(_line(1))
    spill.close()

    [piece] = (folder / "new").glob("*.spill")
    assert (0o600, 0o700) == (piece.stat().st_mode & 0o777, (folder / "new").stat().st_mode & 0o777)


def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    """The line is not kept, and that is said."""
    (folder / "file").write_text("no folder")

    assert not Spill(folder / "file" / "x", 10**6, 60).append(_line(1))
