"""What is done beside the stream: each when it is due, patient with X's limits and failures, loud about refusals."""

from __future__ import annotations

from threading import Event

import pytest
from prometheus_client import CollectorRegistry

from agents.errands import Errands
from pipeline.errors import (
    BadMessage,
    BrokerError,
    Reason,
    StateError,
    TopicsError,
    TriageError,
    XFailing,
    XLimited,
    XRefused,
    XUnreachable,
)
from pipeline.listener_metrics import ListenerMetrics
from pipeline.settings_listener import Prices


class StillClock:
    """Stands where it is put; waiting moves it."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        """Seconds."""
        return self.at

    def monotonic(self) -> float:
        """The same."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.at += seconds

    def wait(self, event: Event, seconds: float) -> bool:
        """Move on."""
        self.at += seconds
        return event.is_set()


class FakeErrand:
    """Due each so many seconds; raises what it is given, one after the other."""

    def __init__(self, name: str, clock: StillClock, every_s: float, *errors: TriageError) -> None:
        self.name = name
        self.times: list[float] = []
        self._clock = clock
        self._every_s = every_s
        self._due = clock.now()
        self._errors = list(errors)

    def due(self) -> float | None:
        """When it is."""
        return self._due

    def step(self) -> None:
        """Note when it was called."""
        self.times.append(self._clock.now() - 1000)
        if self._errors:
            raise self._errors.pop(0)
        self._due = self._clock.now() + self._every_s


def _metrics(clock: StillClock) -> ListenerMetrics:
    return ListenerMetrics(CollectorRegistry(), Prices(), clock.now)


def _run(clock: StillClock, until: float, *made: FakeErrand) -> Errands:
    errands = Errands(made, clock, _metrics(clock))
    while clock.at < 1000 + until:
        errands.turn()
    return errands


def test_each_when_it_is_due() -> None:
    """None waits for another."""
    clock = StillClock()
    one, other = FakeErrand("one", clock, 10), FakeErrand("other", clock, 4)

    _run(clock, 12, one, other)

    assert ([0, 10], [0, 4, 8]) == (one.times, other.times)


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (XLimited(1900.0), 901),
        (XLimited(None), 60),
        (XLimited(500.0), 60),
        (XRefused(400, "since_id must be newer"), 60),
        (XFailing(503, ""), 5),
        (XUnreachable("no answer"), 5),
        (BadMessage(Reason.NOT_JSON, "no page"), 5),
        (BrokerError("no broker answers"), 5),
        (TopicsError("conversations does not exist"), 5),
        (StateError("a record is no state"), 5),
    ],
)
def test_what_failed_comes_again_in_its_time(error: TriageError, wait: float) -> None:
    """After X's reset, a minute where none is to come or X refuses, five seconds for failures; the others go on.

    Also where Kafka is away just when open conversations are read: the stream goes on, and is spilled.
    """
    clock = StillClock()
    one, other = FakeErrand("one", clock, 10_000, error), FakeErrand("other", clock, 100)

    _run(clock, 910, one, other)

    assert [0, wait] == one.times
    assert 10 == len(other.times)


def test_failures_double_the_wait() -> None:
    """Up to 320 s."""
    clock = StillClock()
    one = FakeErrand("one", clock, 10_000, *(XFailing(503, "") for _ in range(8)))

    _run(clock, 2000, one)

    waits = [later - first for first, later in zip(one.times, one.times[1:], strict=False)]
    assert [5, 10, 20, 40, 80, 160, 320, 320] == waits


def test_limits_double_the_wait() -> None:
    """From a minute, where X says no time, up to the window of its limits; a time that it says is kept."""
    clock = StillClock()
    one = FakeErrand(
        "one", clock, 10_000, *(XLimited(None) for _ in range(3)), XLimited(1720.0), XLimited(None), XLimited(None)
    )

    _run(clock, 4000, one)

    assert [0, 60, 180, 420, 721, 1201, 2101] == one.times


def test_what_x_gives_no_right_to_is_given_up() -> None:
    """It is not asked for again, and that is seen."""
    clock = StillClock()
    one = FakeErrand("one", clock, 1, XRefused(403, "no right to it"))

    errands = _run(clock, 100, one)

    assert [0] == one.times
    assert "no right to it" in errands.given_up["one"]
