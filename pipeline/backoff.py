"""When to connect again: X's own schedule, as a pure function of what happened so far.

At once after a good connection; then, for errors of the network, 250 ms more each time, up to 16 s; for errors of HTTP
5 s, doubled each time, up to 320 s; for too many requests from 60 s, doubled, and never before X says that it may be.
"""

from __future__ import annotations

from enum import StrEnum
from math import log2

import msgspec

WINDOW_S = 900.0
LINEAR_S, LINEAR_MOST_S = 0.25, 16.0
DOUBLING_S, DOUBLING_MOST_S = 5.0, 320.0
LIMITED_S, LIMITED_MOST_S = 60.0, 960.0
GOOD_AFTER_S = 60.0
"""A connection that lived so long makes the next one a first one."""
AFTER_RESET_S = 1.0
"""A limit is over a little after X says so: its clock is not ours."""


class Cause(StrEnum):
    """How a connection ended, or was not made; also the kind of gap, and a metric label."""

    DISCONNECT = "disconnect"
    STALL = "stall"
    QUIET = "quiet"
    LIMITED = "limited"
    UNAVAILABLE = "unavailable"
    IN_STREAM = "in_stream"
    CLOSED = "closed"
    RESTART = "restart"
    OVERFLOW = "overflow"


class Schedule(StrEnum):
    """How the waiting grows."""

    LINEAR = "linear"
    DOUBLING = "doubling"
    LIMITED = "limited"


SCHEDULES = {
    Cause.DISCONNECT: Schedule.LINEAR,
    Cause.STALL: Schedule.LINEAR,
    Cause.QUIET: Schedule.LINEAR,
    Cause.CLOSED: Schedule.LINEAR,
    Cause.RESTART: Schedule.LINEAR,
    Cause.OVERFLOW: Schedule.LINEAR,
    Cause.UNAVAILABLE: Schedule.DOUBLING,
    Cause.IN_STREAM: Schedule.DOUBLING,
    Cause.LIMITED: Schedule.LIMITED,
}


class Backoff(msgspec.Struct, frozen=True):
    """What happened so far; `ended` and `attempt` give the next state."""

    most: int = 45
    """So many attempts in 15 minutes reach X; X itself takes 50."""
    in_row: int = 0
    """How many ended in a row under the same schedule, since the last good connection."""
    schedule: Schedule | None = None
    attempts: tuple[float, ...] = ()
    """When those that reached X were made, the oldest first; of the last 15 minutes."""
    not_before: float = 0.0
    """The earliest time of the next attempt, in seconds since 1970."""
    at_bound: bool = False
    """The waiting has grown as far as it goes: somebody should look."""

    @classmethod
    def resumed(cls, attempts: tuple[float, ...], limited_until: float, now: float, *, most: int = 45) -> Backoff:
        """What the process before knew; a limit that holds still is not the first one, if its wait was longer."""
        if limited_until <= now:
            before = cls(most, attempts=attempts, not_before=limited_until)
            room = before._room(now)
            return before if room <= now else msgspec.structs.replace(before, not_before=room)
        waits_s = limited_until - max(attempts, default=now)
        return cls(most, 1 + int(log2(max(1.0, waits_s / LIMITED_S))), Schedule.LIMITED, attempts, limited_until)

    def joined(self, other: Backoff) -> Backoff:
        """With what another process has done meanwhile: all attempts count, and whoever's limit holds longer."""
        newest = max(self, other, key=lambda one: max(one.attempts, default=0.0))
        limited = max(self, other, key=lambda one: one.limited_until)
        known = limited if limited.limited_until > newest.not_before else newest
        return msgspec.structs.replace(known, attempts=tuple(sorted({*self.attempts, *other.attempts})))

    @property
    def limited_until(self) -> float:
        """Until when X's limit holds, whoever connects; 0 where it was no limit that ended the last connection."""
        return self.not_before if self.schedule is Schedule.LIMITED else 0.0

    def ended(self, cause: Cause, now: float, *, lived_s: float = 0.0, reset_at: float | None = None) -> Backoff:
        """A connection ended, or was not made.

        Args:
            cause: how.
            now: seconds since 1970.
            lived_s: how long it was open.
            reset_at: when X says that the limit is over.
        """
        schedule = SCHEDULES[cause]
        good = lived_s >= GOOD_AFTER_S and schedule is not Schedule.LIMITED
        in_row = int(schedule is Schedule.LINEAR) if good else self.in_row + 1 if schedule is self.schedule else 1
        delay, bound = (0.0, 1.0) if good else _delay(schedule, in_row)
        at = max(now + delay, self._room(now))
        if schedule is Schedule.LIMITED and reset_at is not None:
            at = max(at, reset_at + AFTER_RESET_S)
        return msgspec.structs.replace(self, in_row=in_row, schedule=schedule, not_before=at, at_bound=delay >= bound)

    def reached(self, at: float) -> Backoff:
        """An attempt was made at `at` that X has seen."""
        kept = tuple(one for one in self.attempts if one > at - WINDOW_S)
        return msgspec.structs.replace(self, attempts=(*kept, at))

    def _room(self, now: float) -> float:
        """When the next attempt breaks no limit: from half of the limit on they are spread over the time."""
        recent = [one for one in self.attempts if one > now - WINDOW_S]
        if len(recent) >= self.most:
            return recent[-self.most] + WINDOW_S + AFTER_RESET_S
        half = self.most // 2
        return recent[-1] + WINDOW_S / max(1, self.most - half) if len(recent) > half else now


def _delay(schedule: Schedule, in_row: int) -> tuple[float, float]:
    """The wait, and the most that it can be, in seconds; linear waits begin at once."""
    if schedule is Schedule.LINEAR:
        return min(LINEAR_S * (in_row - 1), LINEAR_MOST_S), LINEAR_MOST_S
    start, most = (LIMITED_S, LIMITED_MOST_S) if schedule is Schedule.LIMITED else (DOUBLING_S, DOUBLING_MOST_S)
    return min(start * 2.0 ** min(in_row - 1, 10), most), most
