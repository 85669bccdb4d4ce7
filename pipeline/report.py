"""The report: how long customers waited, by brand, queue, hour of the day and weekday; from turns and outcomes.

Percentiles interpolate between the two nearest values, as numpy and pandas do (type 7 of Hyndman and Fan, 1996).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from statistics import fmean

import msgspec

from pipeline.calendars import WEEKDAYS
from pipeline.facts import QUEUES
from pipeline.turns import NEVER, End, Outcome, Policy, Settled, Turn


class Times(msgspec.Struct):
    """How long some waits were, in seconds; None where there are none."""

    n: int
    mean_s: float | None
    median_s: float | None
    p90_s: float | None
    p95_s: float | None

    @classmethod
    def of(cls, waits_ms: Sequence[int]) -> Times:
        """From waits in ms."""
        ordered = sorted(waits_ms)
        if not ordered:
            return cls(0, None, None, None, None)
        mean = round(fmean(ordered) / 1000, 3)
        return cls(len(ordered), mean, *(round(percentile(ordered, share) / 1000, 3) for share in (0.5, 0.9, 0.95)))


class Waits(msgspec.Struct):
    """The turns of a brand, a queue, an hour or a weekday."""

    first_response: Times
    next_response: Times
    first_response_business: Times
    next_response_business: Times
    turns: int
    answered: int
    waiting: int
    breached: int
    outcomes: dict[str, int]


class Report(msgspec.Struct):
    """Everything; hours and weekdays are those in UTC at which the customer asked."""

    brands: dict[str, Waits]
    queues: dict[str, Waits]
    hours: dict[str, Waits]
    weekdays: dict[str, Waits]
    all: Waits
    unreadable: int = 0
    """Rows or lines that are no post, or one without a time: they are in none of the figures."""


class Books:
    """Takes conversation by conversation.

    Args:
        since: turns that opened, and conversations that settled, before this count for nothing; ms.
        until: those from this on neither.
    """

    def __init__(self, since: int = 0, until: int = NEVER) -> None:
        self._since, self._until = since, until
        self._rows: list[tuple[str, Turn, int]] = []
        self._outcomes: list[tuple[str, str, Turn | None]] = []

    def add(self, brand: str, turns: Iterable[Turn], settled: Sequence[Settled], policy: Policy) -> None:
        """One conversation; of its outcomes the last counts."""
        turns = list(turns)
        for turn in turns:
            business = policy.business(turn.queue, turn.opened, turn.ended) if turn.end is End.ANSWERED else 0
            self.add_turn(brand, turn, business)
        if settled:
            self.add_outcome(brand, final(settled), turns)

    def add_turn(self, brand: str, turn: Turn, business: int) -> None:
        """One turn, and how long it waited in business hours (ms)."""
        if turn.counts and self._since <= turn.opened < self._until:
            self._rows.append((brand, turn, business))

    def add_outcome(self, brand: str, settled: Settled, turns: Iterable[Turn]) -> None:
        """What became of one conversation; it counts for the queue and the hour of the last turn that counts in it."""
        if self._since <= settled.at < self._until:
            counted = [turn for turn in turns if turn.counts]
            newest = max(counted, key=lambda turn: turn.opened, default=None)
            self._outcomes.append((brand, Outcome(settled.outcome).name.lower(), newest))

    def report(self) -> Report:
        """What came together."""
        rows: dict[Place, list[tuple[Turn, int]]] = defaultdict(list)
        outcomes: dict[Place, Counter[str]] = defaultdict(Counter)
        for brand, turn, business in self._rows:
            for place in _places(brand, turn):
                rows[place].append((turn, business))
        for brand, outcome, last in self._outcomes:
            for place in _places(brand, last):
                outcomes[place][outcome] += 1

        def waits(by: str, names: Iterable[str]) -> dict[str, Waits]:
            return {name: _waits(rows[by, name], outcomes[by, name]) for name in names}

        found = {*rows, *outcomes}
        brands = sorted({name for by, name in found if by == "brand"}, key=lambda one: (-len(rows["brand", one]), one))
        return Report(
            waits("brand", brands),
            waits("queue", sorted(name for by, name in found if by == "queue")),
            waits("hour", [f"{hour:02d}" for hour in range(24)]),
            waits("weekday", WEEKDAYS),
            _waits(rows["all", ""], outcomes["all", ""]),
        )


def final(settled: Iterable[Settled]) -> Settled:
    """The outcome that counts, whatever the order of telling: the last in time, at one instant a helpdesk's word."""
    return max(settled, key=lambda one: (one.at, -one.outcome, one.replies))


Place = tuple[str, str]
"""What is grouped by, and the group's name."""


def _places(brand: str, turn: Turn | None) -> Iterator[Place]:
    """The groups in which a turn counts."""
    yield "all", ""
    yield "brand", brand
    if turn is not None:
        at = datetime.fromtimestamp(turn.opened / 1000, UTC)
        yield "queue", QUEUES[turn.queue].value
        yield "hour", f"{at.hour:02d}"
        yield "weekday", WEEKDAYS[at.weekday()]


def percentile(ordered: Sequence[int], share: float) -> float:
    """The value below which a share of the sorted values lies."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _waits(rows: Sequence[tuple[Turn, int]], outcomes: Counter[str]) -> Waits:
    answered = [(turn, business) for turn, business in rows if turn.end is End.ANSWERED]

    def times(*, first: bool, business: bool = False) -> Times:
        some = [(turn, open_ms) for turn, open_ms in answered if turn.first is first]
        return Times.of([open_ms if business else turn.ended - turn.opened for turn, open_ms in some])

    return Waits(
        times(first=True),
        times(first=False),
        times(first=True, business=True),
        times(first=False, business=True),
        turns=len(rows),
        answered=len(answered),
        waiting=sum(turn.waiting for turn, _ in rows),
        breached=sum(turn.breached for turn, _ in rows),
        outcomes=dict(sorted(outcomes.items())),
    )
