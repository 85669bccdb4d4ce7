"""All gaps that a listener knows: one lasts at a time for the connection, one for what could not be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock

import msgspec

from pipeline.backoff import Cause
from pipeline.gaps import Gap, forgotten, open_gap
from pipeline.listener_metrics import ListenerMetrics


class GapBook:
    """Opens, worsens, ends and closes gaps, from whichever thread; each change is written by `write`."""

    def __init__(
        self, source: str, known: Iterable[Gap], metrics: ListenerMetrics, write: Callable[[Gap], None]
    ) -> None:
        self._source = source
        self._gaps = {gap.id: gap for gap in known}
        self._metrics = metrics
        self._write = write
        self._lock = Lock()
        self._lasting: dict[bool, str] = {}
        """The id of the gap that lasts, by whether it is of what could not be kept."""
        self._number = 0
        for gap in self._gaps.values():
            if gap.until is None:  # its listener ended within it; a restart's gap begins before it and is ours to end
                self._lasting[gap.cause is Cause.OVERFLOW] = gap.id
        self._count()

    def all(self) -> list[Gap]:
        """As they are now, the oldest first."""
        with self._lock:
            return sorted(self._gaps.values(), key=lambda gap: gap.opened_at)

    def open(self, cause: Cause, since: float, now: float) -> Gap:
        """Posts made from `since` on may be missing; where a gap lasts already, it gets worse."""
        with self._lock:
            lasting = self._lasting.get(cause is Cause.OVERFLOW)
            if lasting is not None:
                gap = self._gaps[lasting].worsened(cause)
                return self._keep(msgspec.structs.replace(gap, since=min(gap.since, since)))
            gap = open_gap(self._source, cause, since, now, self._number)
            self._number += 1
            self._lasting[cause is Cause.OVERFLOW] = gap.id
            self._metrics.opened(gap)
            return self._keep(gap)

    def lost(self, since: float, now: float) -> None:
        """A post made since then could not be kept."""
        gap = self.open(Cause.OVERFLOW, since, now)
        with self._lock:
            self._keep(msgspec.structs.replace(self._gaps[gap.id], lost=gap.lost + 1))

    def missing(self, cause: Cause, since: float, now: float, why: str) -> Gap:
        """Posts made from `since` until now may be missing for good: a gap of its own, closed with the reason."""
        with self._lock:
            gap = open_gap(self._source, cause, since, now, self._number).ended(now).given_up(now, why)
            self._number += 1
            self._metrics.opened(gap)
            self._metrics.ended(gap)
            self._metrics.out_of_reach.inc(gap.out_of_reach_s)
            return self._keep(gap)

    def end(self, now: float, *, overflow: bool = False) -> Gap | None:
        """Posts come again, or can be kept again; the gap that lasted, if one did."""
        with self._lock:
            identity = self._lasting.pop(overflow, None)
            if identity is None:
                return None
            gap = self._keep(self._gaps[identity].ended(now))
            self._metrics.ended(gap)
            return gap

    def swept(self, identity: str, now: float, read: int, recovered: int, out_of_reach_s: float) -> Gap:
        """A sweep of a gap is done."""
        with self._lock:
            gap = self._keep(self._gaps[identity].swept(now, read, recovered, out_of_reach_s))
            self._metrics.swept(gap)
            if gap.closed_at is not None:
                self._metrics.out_of_reach.inc(gap.out_of_reach_s)
            return gap

    def give_up(self, identity: str, now: float, why: str) -> Gap:
        """Nothing can be found of a gap."""
        with self._lock:
            gap = self._keep(self._gaps[identity].given_up(now, why))
            self._metrics.out_of_reach.inc(gap.out_of_reach_s)
            return gap

    def due(self, second_after_s: float) -> tuple[float, Gap] | None:
        """The gap whose sweep is next, and when that is."""
        with self._lock:
            waiting = [(at, gap) for gap in self._gaps.values() if (at := gap.due(second_after_s)) is not None]
        return min(waiting, key=lambda one: one[0], default=None)

    def forget(self, now: float) -> list[str]:
        """Drop the records that have told enough; their ids."""
        with self._lock:
            old = [gap.id for gap in self._gaps.values() if forgotten(gap, now)]
            for identity in old:
                del self._gaps[identity]
            return old

    def _keep(self, gap: Gap) -> Gap:
        if self._gaps.get(gap.id) != gap:
            self._gaps[gap.id] = gap
            self._write(gap)
            self._count()
        return gap

    def _count(self) -> None:
        self._metrics.open_gaps.set(sum(gap.closed_at is None for gap in self._gaps.values()))
