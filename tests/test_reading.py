"""What was read from X, and what of it is paid for."""

from __future__ import annotations

from x_reader import HandClock

from pipeline.listener_metrics import Reading
from pipeline.settings_listener import Prices
from pipeline.sweeps import Route


def test_a_post_is_paid_for_once_a_day() -> None:
    """By whichever route it is asked for first; the next UTC day it is paid for again."""
    clock = HandClock(at=1_800_057_600.0 - 60)  # a minute before midnight
    reading = Reading(Prices(search=0.005, posts=0.005), clock.now)

    reading.read(Route.SEARCH, ["1", "2"])
    reading.read(Route.SEARCH, ["2", "3"])
    reading.read(Route.POSTS, ["3"])
    before = reading.dollars(Route.SEARCH), reading.dollars(Route.POSTS)
    clock.sleep(60)
    reading.read(Route.POSTS, ["3"])

    assert (0.015, 0.0) == before
    assert 0.005 == reading.dollars(Route.POSTS)
    assert {Route.SEARCH: 4, Route.POSTS: 2} == {route: read for route, read in reading.posts.items() if read}


def test_each_of_the_stream_is_paid_for() -> None:
    """As it comes."""
    reading = Reading(Prices(stream=0.005), HandClock().now)

    for _ in range(4):
        reading.came()

    assert 0.02 == reading.dollars(Route.STREAM)


def test_a_month_like_this_is_counted_from_the_time_of_reading_alone() -> None:
    """Days of standing by are no days without cost, and who stands by again costs nothing more."""
    clock = HandClock(at=1_800_000_000.0)
    reading = Reading(Prices(stream=0.01), clock.now)
    clock.sleep(20 * 86_400)

    reading.active(True)
    for _ in range(100):
        reading.came()
    clock.sleep(86_400)
    active = reading.a_month(Route.STREAM, clock.now())
    reading.active(False)

    assert (30, 0) == (round(active, 6), reading.a_month(Route.STREAM, clock.now()))


def test_time_of_reading_adds_up() -> None:
    """A listener that has the lease again goes on counting."""
    clock = HandClock(at=1_800_000_000.0)
    reading = Reading(Prices(stream=0.01), clock.now)
    for _ in range(2):
        reading.active(True)
        reading.came()
        clock.sleep(43_200)
        reading.active(False)
        clock.sleep(86_400)
    reading.active(True)

    assert 0.6 == round(reading.a_month(Route.STREAM, clock.now()), 6)
