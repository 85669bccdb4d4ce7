"""Notices that this process stood still: paused, starved, or its machine asleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pipeline.errors import StoodStill

BEAT_S = 0.25


def steady() -> float:
    """Seconds, also of the time in which the machine slept, where the system can tell."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Pulse:
    """Beats four times a second; whoever is about to write state asks it first.

    A worker that stood still for longer than its session lasts has lost its partitions and may not know it yet: what it
    would write, another one has written better.
    """

    def __init__(
        self, limit_s: float, on_stop: Callable[[BaseException], None], clock: Callable[[], float] = steady
    ) -> None:
        self._limit_s = limit_s
        self._on_stop = on_stop
        self._clock = clock
        self._last = clock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to beat."""
        self._last = self._clock()
        self._task = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        """Beat no more."""
        if self._task is not None:
            self._task.cancel()

    def check(self) -> None:
        """Raise StoodStill if the last beat is too long ago."""
        still = self._clock() - self._last
        if still > self._limit_s:
            raise StoodStill(
                f"this process stood still for {still:.0f} s, longer than its session of {self._limit_s:g} s lasts: "
                "its partitions belong to others by now; start it again"
            )

    async def _beat(self) -> None:
        while True:
            try:
                self.check()
            except StoodStill as error:
                self._on_stop(error)
                return
            self._last = self._clock()
            await asyncio.sleep(BEAT_S)
