"""Gaps: times in which posts may have been missed, each with a record, each swept twice, each closed with counts."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pipeline.backoff import Cause
from pipeline.route import utc

DAY_S = 86_400.0
REACH_S = 7 * DAY_S - 300
"""Recent search looks back 7 days; a little less, for the sweep takes its time."""
FORGOTTEN_AFTER_S = 7 * DAY_S
"""A closed gap's record is kept so long."""
PROOF = "|"
"""In a place that a source tells: between what earlier versions know of it and what came later."""
BEYOND_S = 10.0
"""A sweep looks so far beyond the gap's end: what was published while the connection was made is in nobody's stream."""


class Sweep(msgspec.Struct, frozen=True):
    """One search for what was missed."""

    at: str
    """When it was done."""
    read: int
    """Posts that were read for it."""
    recovered: int
    """Those that nobody had seen before."""


class Gap(msgspec.Struct, frozen=True):
    """Time in which posts may have been missed: a record of `listener.state`, under `gap/` and its id.

    Times are seconds since 1970. It lasts until posts come again (`until`), and is closed when two sweeps have looked
    for what is missing, or none can (`note`); a week later its record ends in a tombstone.
    """

    id: str
    source: str
    cause: Cause
    since: float
    """Posts made from then on may be missing; seconds since 1970."""
    opened_at: float
    """When it was noticed."""
    until: float | None = None
    """When posts came again; None: they do not yet."""
    causes: tuple[Cause, ...] = ()
    """What else went wrong before they did, in order."""
    lost: int = 0
    """Posts that came and could not be kept."""
    sweeps: tuple[Sweep, ...] = ()
    closed_at: float | None = None
    out_of_reach_s: float = 0.0
    """So many seconds of it no search can reach any more."""
    note: str | None = None
    """Why it was closed without its sweeps."""

    @property
    def seconds(self) -> float:
        """How long posts may have been missed; 0 while they still are."""
        return 0.0 if self.until is None else max(0.0, self.until - self.since)

    @property
    def recovered(self) -> int:
        """Posts found by its sweeps."""
        return sum(sweep.recovered for sweep in self.sweeps)

    def worsened(self, cause: Cause) -> Gap:
        """Something else went wrong while it was open; the same in a row is said once."""
        last = self.causes[-1] if self.causes else self.cause
        return self if cause is last else msgspec.structs.replace(self, causes=(*self.causes, cause))

    def ended(self, now: float) -> Gap:
        """Posts come again."""
        return msgspec.structs.replace(self, until=now)

    def swept(self, now: float, read: int, recovered: int, out_of_reach_s: float = 0.0) -> Gap:
        """A sweep is done; the second closes the gap."""
        sweeps = (*self.sweeps, Sweep(utc(round(now * 1000)), read, recovered))
        closed = now if len(sweeps) >= 2 else None
        worst = max(self.out_of_reach_s, out_of_reach_s)
        return msgspec.structs.replace(self, sweeps=sweeps, closed_at=closed, out_of_reach_s=worst)

    def given_up(self, now: float, why: str) -> Gap:
        """Nothing can be found of it."""
        return msgspec.structs.replace(self, closed_at=now, note=why, out_of_reach_s=self.seconds)

    def due(self, second_after_s: float) -> float | None:
        """When its next sweep is; None: while it lasts, and once it is closed."""
        if self.until is None or self.closed_at is not None:
            return None
        return self.until if not self.sweeps else self.until + second_after_s

    def reach(self, now: float) -> tuple[float, float | None]:
        """From when and until when a sweep looks; None: as far as search goes (half a minute ago)."""
        assert self.until is not None, "a gap is swept when posts come again"
        end = self.until + BEYOND_S
        return max(self.since, now - REACH_S), end if end < now - 30 else None


class Checkpoint(msgspec.Struct, frozen=True):
    """What is in Kafka for certain: a record of `listener.state`, under `checkpoint/` and the source's name.

    Times are seconds since 1970: posts made until `whole_until` that came are in Kafka; the source's own place, where
    it has one, is `mark`. `attempts` are the connections of the last 15 minutes, which X counts.
    """

    whole_until: float
    """Posts made until then that came are in Kafka; seconds since 1970."""
    mark: str | None = None
    """The source's own place, where it has one."""
    written_at: float = 0.0
    attempts: tuple[float, ...] = ()
    """When connections were made in the last 15 minutes: X counts them, whoever makes them."""
    not_before: float = 0.0
    """X has said 429: the next connection is made then at the earliest, whoever makes it; seconds since 1970."""
    proof: str | None = None
    """What stood before the mark, where the source can compare it: another file is not taken for the one it was."""

    @property
    def place(self) -> str | None:
        """The source's own place as it tells it: the mark, and the proof if there is one."""
        return self.mark if self.mark is None or self.proof is None else f"{self.mark}{PROOF}{self.proof}"

    def at(self, place: str | None) -> Checkpoint:
        """With a place as the source tells it."""
        mark, _, proof = (place or "").partition(PROOF)
        return msgspec.structs.replace(self, mark=mark or None, proof=proof or None)


class Opened(NamedTuple):
    """What came of an event: the gap as it is now, and whether it is a new one."""

    gap: Gap
    new: bool


def open_gap(source: str, cause: Cause, since: float, now: float, number: int) -> Gap:
    """A new gap; `number` tells those of one moment apart."""
    return Gap(f"{source}-{round(now * 1000)}-{number}", source, cause, min(since, now), now)


def after_restart(source: str, checkpoint: Checkpoint | None, now: float) -> Gap | None:
    """What a start has to look for: all since the last checkpoint; a first start nothing."""
    return None if checkpoint is None else open_gap(source, Cause.RESTART, checkpoint.whole_until, now, 0)


def forgotten(gap: Gap, now: float) -> bool:
    """Whether its record has told enough."""
    return gap.closed_at is not None and gap.closed_at < now - FORGOTTEN_AFTER_S
