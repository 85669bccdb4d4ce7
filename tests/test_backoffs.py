"""When X may be asked again."""

from __future__ import annotations

from pipeline.backoffs import Backoffs
from pipeline.outbox import Route
from pipeline.posting import Entry, State

ROUTE, OTHER = Route("acme", "post"), Route("acme", "dm")


def test_x_says_until_when() -> None:
    """Then it is that, unless it is past."""
    backoffs = Backoffs()

    assert 90_000 == backoffs.until(ROUTE, 90.0, 1000)
    assert 160_000 == backoffs.until(ROUTE, 90.0, 100_000)


def test_x_does_not_say() -> None:
    """A minute, doubling up to 16, by route; short again once X has answered."""
    backoffs = Backoffs()

    waits = [backoffs.until(ROUTE, None, 0) // 1000 for _ in range(6)]
    assert [60, 120, 240, 480, 960, 960] == waits
    assert 60_000 == backoffs.until(OTHER, None, 0)
    backoffs.fine(ROUTE)
    assert 60_000 == backoffs.until(ROUTE, None, 0)


def test_the_next_process_goes_on() -> None:
    """A wait that stands in replies.log was the last one, unless something was posted after it."""
    limited = Entry("1", State.INTENT, "", "acme", "reply", 0, 1000, not_before=121_000)
    private = Entry("2", State.INTENT, "", "acme", "dm", 0, 1000, not_before=121_000)
    posted = Entry("3", State.POSTED, "", "acme", "dm", 0, 200_000)
    backoffs = Backoffs()

    backoffs.resume([posted, limited, private])

    assert 240_000 == backoffs.until(ROUTE, None, 0)
    assert 60_000 == backoffs.until(OTHER, None, 0)
