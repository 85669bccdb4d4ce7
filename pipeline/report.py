"""The report: how long customers waited, by brand, queue, hour of the day and weekday; from turns and outcomes.

Percentiles interpolate between the two nearest values, as numpy and pandas do (type 7 of Hyndman and Fan, 1996).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from statistics import fmean

import msgspec

from pipeline.calendars import WEEKDAYS
from pipeline.facts import QUEUES
from pipeline.turns import End, Outcome, Policy, Settled, Turn


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
    """Takes conversation by conversation."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, Turn, int]] = []
        self._outcomes: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, brand: str, turns: Iterable[Turn], settled: Sequence[Settled], policy: Policy) -> None:
        """One conversation; of its outcomes the last counts."""
        for turn in turns:
            if turn.counts:
                business = policy.business(turn.queue, turn.opened, turn.ended) if turn.end is End.ANSWERED else 0
                self._rows.append((brand, turn, business))
        if settled:
            self._outcomes[brand][Outcome(settled[-1].outcome).name.lower()] += 1

    def report(self) -> Report:
        """What came together."""
        by: dict[str, dict[str, list[tuple[Turn, int]]]] = {name: defaultdict(list) for name in ("brand", "queue")}
        hours: dict[str, list[tuple[Turn, int]]] = {f"{hour:02d}": [] for hour in range(24)}
        weekdays: dict[str, list[tuple[Turn, int]]] = {name: [] for name in WEEKDAYS}
        for brand, turn, business in self._rows:
            at = datetime.fromtimestamp(turn.opened / 1000, UTC)
            for place in (by["brand"][brand], by["queue"][QUEUES[turn.queue].value], hours[f"{at.hour:02d}"],
                          weekdays[WEEKDAYS[at.weekday()]]):  # fmt: skip
                place.append((turn, business))
        brands = sorted({*by["brand"], *self._outcomes}, key=lambda name: (-len(by["brand"][name]), name))
        everything = [(turn, business) for _, turn, business in self._rows]
        return Report(
            {name: _waits(by["brand"][name], self._outcomes[name]) for name in brands},
            {name: _waits(rows) for name, rows in sorted(by["queue"].items())},
            {name: _waits(rows) for name, rows in hours.items()},
            {name: _waits(rows) for name, rows in weekdays.items()},
            _waits(everything, sum(self._outcomes.values(), Counter())),
        )


def percentile(ordered: Sequence[int], share: float) -> float:
    """The value below which a share of the sorted values lies."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _waits(rows: Sequence[tuple[Turn, int]], outcomes: Counter[str] | None = None) -> Waits:
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
        outcomes=dict(sorted((outcomes or Counter()).items())),
    )
