"""Each version of a post once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.seen import Seen


@given(st.lists(st.tuples(st.sampled_from(["1", "2", "x"]), st.integers(0, 3))))
def test_only_later_versions_are_new(story: list[tuple[str, int]]) -> None:
    """What comes twice, or after a later edit of it, is known."""
    seen, newest = Seen(100), dict[str, int]()

    for first_id, revision in story:
        expected = revision > newest.get(first_id, -1)
        newest[first_id] = max(revision, newest.get(first_id, -1))
        assert expected == seen.is_new(first_id, revision)


def test_memory_is_bounded() -> None:
    """What was heard of last is kept."""
    seen = Seen(2)

    assert [True, True, False, True] == [seen.is_new(identity, 0) for identity in ("1", "2", "1", "3")]
    assert (2, True, False) == (len(seen), seen.is_new("2", 0), seen.is_new("3", 0))


def test_what_could_not_be_kept_may_come_again() -> None:
    """It is forgotten."""
    seen = Seen(2)
    seen.is_new("1", 0)
    seen.forget("1")

    assert seen.is_new("1", 0)
