"""Fills gaps: each is swept at once when posts come again, and once more a minute later, and closed with counts."""

from __future__ import annotations

from collections.abc import Callable

from agents.errands import NO_ACCESS
from agents.line import Parcel, Ticket
from agents.outlet import Outlet
from agents.sources import Search, Source
from pipeline.clocks import Clock
from pipeline.errors import XRefused
from pipeline.gap_book import GapBook
from pipeline.gaps import Gap
from pipeline.intake import Taken
from pipeline.topics import API_HEADER, TWEETS

BACKFILL = ((API_HEADER, b"backfill"),)
LOOK_AGAIN_S = 0.2
REFUSALS = 5
"""So often X may refuse a gap's sweep before the gap counts as out of reach, and others have their turn."""
GIVEN_AT_ONCE = 2000
NOT_OF_THE_GAP = NO_ACCESS | {402}
"""What X refuses whatever is asked for: without rights, or credits, it says nothing of this gap."""


def parcels(found: list[Taken]) -> list[Parcel]:
    """Posts that were looked for, as records of `tweets`."""
    return [Parcel(TWEETS, taken.key, taken.value, BACKFILL, post=taken) for taken in found]


class Filling:
    """An errand; one gap at a time, the one that is due first."""

    name = "gap filling"

    def __init__(
        self,
        source: Source,
        outlet: Outlet,
        book: GapBook,
        clock: Clock,
        second_after_s: float,
        say: Callable[[str], None],
    ) -> None:
        self._source = source
        self._outlet = outlet
        self._book = book
        self._clock = clock
        self._second_after_s = second_after_s
        self._say = say
        self._gap: Gap | None = None
        self._search: Search | None = None
        self._tickets: list[Ticket] = []
        self._asked_all = False
        self._look_at = 0.0
        self._refusals = 0

    def due(self) -> float | None:
        """When the next sweep is, or its next page; None while Kafka is behind, for search can wait."""
        if self._search is not None:
            return self._look_at
        found = self._book.due(self._second_after_s)
        return None if found is None or self._outlet.spilling else found[0]

    def step(self) -> None:
        """Begin a sweep, ask for a page, or see whether Kafka has all of it."""
        if self._search is None:
            self._begin()
        elif not self._asked_all:
            self._ask(self._search)
        elif all(ticket.done.is_set() for ticket in self._tickets):
            self._finish()
        else:
            self._look_at = self._clock.now() + LOOK_AGAIN_S

    def _begin(self) -> None:
        found = self._book.due(self._second_after_s)
        if found is None:
            return
        self._gap = found[1]
        now = self._clock.now()
        self._search = self._source.search(self._gap, now)
        self._look_at, self._asked_all, self._tickets = now, False, []
        if self._search is None:
            self._book.give_up(self._gap.id, now, f"{self._source.name} cannot look back")

    def _ask(self, search: Search) -> None:
        try:
            self._asked_all = not search.step()
        except XRefused as error:
            if error.status not in NOT_OF_THE_GAP:
                self._refused(error)
            raise
        self._refusals = 0
        self._give(search)

    def _refused(self, error: XRefused) -> None:
        """The sweep begins anew: what X reaches moves on, and pages get stale. A gap refused often is closed."""
        assert self._gap is not None, "a sweep is of a gap"
        self._refusals += 1
        if self._refusals >= REFUSALS:
            self._book.give_up(self._gap.id, self._clock.now(), str(error))
            self._refusals = 0
        self._gap = self._search = None

    def _give(self, search: Search) -> None:
        while search.found:
            some, search.found = search.found[:GIVEN_AT_ONCE], search.found[GIVEN_AT_ONCE:]
            self._tickets.append(self._outlet.deliver(parcels(some)))

    def _finish(self) -> None:
        assert self._gap is not None, "a sweep is of a gap"
        assert self._search is not None, "it was begun"
        now, read = self._clock.now(), self._search.read
        recovered = sum(ticket.fresh for ticket in self._tickets)
        out_of_reach_s = max(0.0, self._gap.reach(now)[0] - self._gap.since)
        gap = self._book.swept(self._gap.id, now, read, recovered, out_of_reach_s)
        self._say(
            f"gap of {gap.seconds:.0f} s ({gap.cause.value}) swept {'twice' if gap.closed_at else 'once'}: "
            f"{read:,} posts read, {recovered:,} recovered"
            + (f"; {gap.out_of_reach_s / 3600:.1f} h of it are out of reach" if gap.out_of_reach_s else "")
        )
        self._gap = self._search = None
