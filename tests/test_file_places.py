"""Places in files: what stands in a checkpoint, and what is compared."""

from __future__ import annotations

import pytest

from pipeline.file_places import EDGE, Place, Trail, digest, read_mark


def test_a_mark_says_the_place() -> None:
    """There and back."""
    place = Place(7, 42, "00ff", 5)

    assert place == read_mark(place.mark)


@pytest.mark.parametrize(
    ("mark", "place"),
    [("7:42", Place(7, 42)), ("7:42|:x", Place(7, 42)), (None, None), ("", None), ("m", None), ("7:-1", None)],
)
def test_marks_of_others(mark: str | None, place: Place | None) -> None:
    """Those of earlier versions have no digest; what is no place of a file is none."""
    assert place == read_mark(mark)


@pytest.mark.parametrize("size", [0, 5, EDGE - 1, EDGE, EDGE + 1, 5 * EDGE])
def test_a_trail_says_what_the_file_says(size: int) -> None:
    """However it was read, its digest is that of the file's first and last bytes up to the place."""
    content = bytes(number % 251 for number in range(size))
    trail = Trail()
    for start in range(0, size, 300):
        trail.add(content[start : start + 300])
    going_on = Trail(content[: size // 2][:EDGE], content[: size // 2][-EDGE:], size // 2)
    going_on.add(content[size // 2 :])

    assert Place(1, size, digest(content[:EDGE], content[-EDGE:]), 2) == trail.place(1, 2) == going_on.place(1, 2)
