"""X's own count of requests: what it shows of calls whose answer was lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.request_counts import RequestCount

SETTLE = 1000


def counted() -> RequestCount:
    """100 are left until 9; then a call gets lost at 10."""
    count = RequestCount(SETTLE)
    assert count.answered(100, 9.0, 0) == []
    count.doubt("a", 10)
    return count


def test_that_it_never_came() -> None:
    """The next answered call is the only one that X counted."""
    assert ["a"] == counted().answered(99, 9.0, 10 + SETTLE)


def test_that_it_may_still_come() -> None:
    """A call that was made shortly after it shows nothing; one that comes later does."""
    count = counted()

    assert [] == count.answered(99, 9.0, 10 + SETTLE - 1)
    assert ["a"] == count.answered(98, 9.0, 10 + SETTLE)


def test_that_it_came() -> None:
    """One more is gone than was answered."""
    assert [] == counted().answered(98, 9.0, 10 + SETTLE)


def test_another_window_shows_nothing() -> None:
    """Nor does an answer without a count, or a call before which nothing was counted."""
    assert [] == counted().answered(99, 10.0, 10 + SETTLE)
    assert [] == counted().answered(None, None, 10 + SETTLE)
    count = RequestCount(SETTLE)
    count.doubt("a", 10)
    assert [] == count.answered(99, 9.0, 10 + SETTLE)
    assert [] == count.answered(98, 9.0, 10 + SETTLE)


def _two() -> RequestCount:
    """A second call gets lost; the first is found on X."""
    count = counted()
    count.doubt("b", 20)
    count.settled("a", found=True)
    return count


def test_what_was_found_is_counted() -> None:
    """It is one of the two that are gone, so the other one never came; or both came."""
    assert ["b"] == _two().answered(98, 9.0, 20 + SETTLE)
    assert [] == _two().answered(97, 9.0, 20 + SETTLE)


def test_what_came_may_be_found_later() -> None:
    """An answer in between shows that one of the two came; when it is found, the next shows that the other did not."""
    count = counted()
    count.doubt("b", 20)
    between = count.answered(98, 9.0, 20 + SETTLE)
    count.settled("a", found=True)

    assert [] == between
    assert ["b"] == count.answered(97, 9.0, 20 + SETTLE)


def test_what_is_not_certain_is_not_counted() -> None:
    """A call that is given up as unknown stands neither for one that came nor for one that did not."""
    count = counted()
    count.doubt("b", 20)
    count.settled("a")

    assert [] == count.answered(98, 9.0, 20 + SETTLE)


def test_a_stranger_begins_the_count_anew() -> None:
    """More is gone than all in doubt explain: what is in doubt later can be told again."""
    count = counted()
    strange = count.answered(90, 9.0, 10 + SETTLE)
    count.doubt("b", 20)

    assert [] == strange
    assert ["b"] == count.answered(89, 9.0, 20 + SETTLE)


@given(st.lists(st.sampled_from(["fine", "came", "never", "stranger", "window", "found", "given up"]), max_size=60))
def test_never_wrong(story: list[str]) -> None:
    """Whatever happens, and whoever else posts: only calls that never came are said never to have come."""
    count, left, window = RequestCount(SETTLE), 10_000, 1.0
    never, came = set[str](), list[str]()
    for number, event in enumerate(story):
        at = number * 700
        if event in ("came", "never"):
            count.doubt(str(number), at)
            (never.add if event == "never" else came.append)(str(number))
        if event in ("found", "given up") and came:
            count.settled(came.pop(number % len(came)), found=event == "found")
        if event == "window":
            left, window = 10_000, window + 1
        if event in ("fine", "came", "stranger"):
            left -= 1
        if event == "fine":
            assert set(count.answered(left, window, at)) <= never
