"""What X leaves of its limits: as it said, until its window is over, and only of the process that asks it."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from agents.ask import ask
from agents.x_api import Answer
from pipeline.errors import XLimited
from pipeline.headroom import WINDOW_S
from pipeline.listener_metrics import ListenerMetrics
from pipeline.outbox import Route
from pipeline.poster_metrics import PosterMetrics
from pipeline.settings import Brand, Settings
from pipeline.settings_listener import Prices

NOW = 1_800_000_000.0
SETTINGS = Settings(brands=(Brand(name="acme", handles=("Acme",)),))
POST = Route("acme", "post")


class Hand:
    """A clock that is set by hand, and the metrics of both who ask X."""

    def __init__(self) -> None:
        self.at = NOW
        self.registry = CollectorRegistry()
        self.listener = ListenerMetrics(self.registry, Prices(), lambda: self.at)
        self.others = CollectorRegistry()
        self.poster = PosterMetrics(self.others, SETTINGS, lambda: self.at)

    def headroom(self, route: str) -> float | None:
        """The listener's."""
        return self.registry.get_sample_value("triage_x_rate_limit_headroom", {"route": route})

    def remaining(self) -> float | None:
        """The poster's."""
        return self.others.get_sample_value("triage_x_remaining", {"brand": "acme", "what": "post"})


@pytest.mark.parametrize(
    ("reset_at", "later", "expected"),
    [
        (NOW + 600, 599, 0.06),
        (NOW + 600, 600, 1),
        (NOW + 86_400, 3600, 0.06),
        (None, WINDOW_S - 1, 0.06),
        (None, WINDOW_S, 1),
    ],
)
def test_a_window_that_is_over_leaves_all(reset_at: float | None, later: float, expected: float) -> None:
    """Also of a route that is never asked again, such as a stream that stays open for days."""
    hand = Hand()

    hand.listener.limit("stream", 50, 3, reset_at)
    hand.at += later

    assert expected == hand.headroom("stream")


def test_who_gave_up_the_lease_says_nothing() -> None:
    """The next listener asks X; what the last one heard is no news of it."""
    hand = Hand()
    hand.listener.active(True)
    hand.listener.limit("stream", 50, 3, NOW + 600)

    hand.listener.active(False)

    assert hand.headroom("stream") is None
    assert 0 == hand.registry.get_sample_value("triage_listener_active")


def test_a_429_leaves_nothing() -> None:
    """It carries no count of its own, and all is there again when its window is over."""
    hand = Hand()
    hand.listener.limit("dm", 50, 40, NOW + 900)

    with pytest.raises(XLimited):
        ask("dm", _limited, hand.listener)

    assert 0 == hand.headroom("dm")
    hand.at += 60
    assert 1 == hand.headroom("dm")


def test_a_blocked_poster_has_nothing_left() -> None:
    """And as much as X said before, once it may again."""
    hand = Hand()
    hand.poster.limit(POST, 60, 100, NOW + 600)

    hand.poster.blocked(POST, int((NOW + 60) * 1000))

    assert 0 == hand.remaining()
    hand.at += 60
    assert 100 == hand.remaining()


def _limited() -> Answer:
    raise XLimited(NOW + 60, "too many requests")


@pytest.mark.parametrize(("limit", "remaining"), [(None, 3), (50, None), (0, 0)])
def test_what_x_does_not_say_is_not_told(limit: int | None, remaining: int | None) -> None:
    """A share needs both."""
    hand = Hand()

    hand.listener.limit("stream", limit, remaining, NOW + 600)

    assert hand.headroom("stream") is None


@pytest.mark.parametrize(("limit", "expected"), [(100, 100), (None, None)])
def test_the_posters_window_begins_anew(limit: int | None, expected: float | None) -> None:
    """With all that X takes, as far as it said how much that is."""
    hand = Hand()
    hand.poster.limit(POST, 2, limit, NOW + 600)

    before = hand.remaining()
    hand.at += 600

    assert (2, expected) == (before, hand.remaining())


def test_a_poster_that_stands_by_says_nothing_of_limits() -> None:
    """Another one posts."""
    hand = Hand()
    hand.poster.limit(POST, 2, 100, NOW + 600)

    hand.poster.stands_by()

    assert hand.remaining() is None
    assert 0 == hand.others.get_sample_value("triage_poster_active")
