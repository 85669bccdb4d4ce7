"""Clocks: what tells the time and waits is passed in, so that half an hour can pass in a minute."""

from __future__ import annotations

import time
from threading import Event
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits, in seconds."""

    def now(self) -> float:
        """Seconds since 1970."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""

    def wait(self, event: Event, seconds: float) -> bool:
        """Return when the event is set or so many seconds are over; whether it is set."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since the machine was started."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds; at once where they are negative."""
        time.sleep(max(0.0, seconds))

    def wait(self, event: Event, seconds: float) -> bool:
        """Return when the event is set or so many seconds are over; whether it is set."""
        return event.wait(max(0.0, seconds))


class ScaledClock:
    """Runs `factor` times as fast as the machine's clock, from `start` (seconds since 1970) or from now.

    Raises:
        ValueError: the factor is not above 0.
    """

    def __init__(self, factor: float, *, start: float | None = None) -> None:
        if not factor > 0:
            raise ValueError(f"a clock that runs {factor} times as fast never arrives; give a factor above 0")
        self.factor = factor
        self._start = time.time() if start is None else start
        self._began = time.monotonic()

    def now(self) -> float:
        """Seconds since 1970, of this clock; steps of the machine's clock do not move it."""
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        """Seconds of this clock since it was made."""
        return (time.monotonic() - self._began) * self.factor

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds of this clock; at once where they are negative."""
        time.sleep(max(0.0, seconds / self.factor))

    def wait(self, event: Event, seconds: float) -> bool:
        """Return when the event is set or so many seconds of this clock are over; whether it is set."""
        return event.wait(max(0.0, seconds / self.factor))
