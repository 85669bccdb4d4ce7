"""Clocks tell the time and wait, at the machine's speed or faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Timer

import pytest

from pipeline.clocks import Clock, ScaledClock, SystemClock

FAST = 1000.0
START = 1_800_000_000.0


@pytest.mark.parametrize("make", [SystemClock, lambda: ScaledClock(2.0)], ids=["system", "scaled"])
def test_both_begin_at_the_machines_time(make: Callable[[], Clock]) -> None:
    """A new clock says what the machine's says, and never goes back."""
    clock = make()

    assert abs(clock.now() - time.time()) < 5.0
    assert clock.monotonic() <= clock.monotonic()


def test_the_systems_clock_is_the_machines() -> None:
    """Neither the time nor the seconds differ."""
    clock = SystemClock()

    assert abs(clock.now() - time.time()) < 1.0
    assert abs(clock.monotonic() - time.monotonic()) < 1.0


@pytest.mark.parametrize(("clock", "seconds"), [(SystemClock(), 0.02), (ScaledClock(FAST), 20.0)])
def test_sleep_lasts_as_long_as_the_clock_says(clock: Clock, seconds: float) -> None:
    """At least so many of its own seconds pass, and 20 ms of the machine's in both cases."""
    before, began = clock.monotonic(), time.monotonic()

    clock.sleep(seconds)

    assert clock.monotonic() - before >= seconds * 0.99
    assert 0.019 <= time.monotonic() - began < 2.0


def test_half_an_hour_passes_in_two_milliseconds() -> None:
    """A clock that runs a million times as fast."""
    clock = ScaledClock(1e6, start=START)

    clock.sleep(1800.0)

    assert clock.now() >= START + 1800.0


@pytest.mark.parametrize("clock", [SystemClock(), ScaledClock(FAST)], ids=["system", "scaled"])
def test_a_negative_time_is_no_time(clock: Clock) -> None:
    """What is due already is not waited for."""
    event = Event()

    clock.sleep(-5.0)

    assert not clock.wait(event, -5.0)


@pytest.mark.parametrize("clock", [SystemClock(), ScaledClock(FAST)], ids=["system", "scaled"])
def test_an_event_ends_the_wait(clock: Clock) -> None:
    """A wait of an hour ends when the event is set, and says so."""
    event = Event()
    timer = Timer(0.01, event.set)
    timer.start()

    heard = clock.wait(event, 3600.0 * FAST)
    timer.join()

    assert heard


def test_a_wait_ends_without_its_event() -> None:
    """When the time is over it says that nothing was set."""
    assert not ScaledClock(FAST).wait(Event(), 5.0)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_a_clock_must_run(factor: float) -> None:
    """A factor that is not above 0 is refused."""
    with pytest.raises(ValueError, match="factor above 0"):
        ScaledClock(factor)
