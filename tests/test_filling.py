"""Gaps are filled though X refuses a request now and then; one that it refuses always keeps no other waiting."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from test_errands import StillClock

from agents.filling import REFUSALS, Filling
from pipeline.backoff import Cause
from pipeline.errors import XRefused
from pipeline.gap_book import GapBook
from pipeline.gaps import Gap
from pipeline.intake import Taken
from pipeline.listener_metrics import ListenerMetrics
from pipeline.settings_listener import Prices


class FakeOutlet:
    """Has room."""

    spilling = False


class FakeSearch:
    """Nothing is found; the first steps raise what they are given."""

    def __init__(self, errors: list[XRefused]) -> None:
        self._errors = errors
        self.found: list[Taken] = []
        self.read = 0

    def step(self) -> bool:
        """The only page, if it is not refused."""
        if self._errors:
            raise self._errors.pop(0)
        return False


class FakeSource:
    """X, for gap filling; notes which gaps are searched, and since when."""

    name = "x"

    def __init__(self, *errors: XRefused) -> None:
        self._errors = list(errors)
        self.asked: list[tuple[str, float]] = []

    def search(self, gap: Gap, now: float) -> FakeSearch:
        """A sweep."""
        self.asked.append((gap.id, gap.reach(now)[0]))
        return FakeSearch(self._errors)


def _filling(clock: StillClock, source: Any, *gaps: Gap) -> tuple[Filling, GapBook]:
    metrics = ListenerMetrics(CollectorRegistry(), Prices(), clock.now)
    book = GapBook("x", gaps, metrics, lambda _: None)
    outlet: Any = FakeOutlet()
    return Filling(source, outlet, book, clock, 60.0, lambda _: None), book


def _steps(filling: Filling, clock: StillClock, number: int) -> None:
    for _ in range(number):
        try:
            filling.step()
        except XRefused:
            clock.sleep(60.0)


def test_what_x_refuses_once_is_asked_for_anew() -> None:
    """From as far back as X reaches now: by the time of the next try the old beginning may be out of reach."""
    clock, week = StillClock(), 7 * 86_400.0
    clock.at = 2 * week
    source = FakeSource(XRefused(400, "since_id must be newer"))
    filling, book = _filling(clock, source, Gap("g", "x", Cause.RESTART, week / 2, week / 2, until=2 * week - 100))

    _steps(filling, clock, 5)

    assert [pytest.approx(week + 300), pytest.approx(week + 360)] == [since for _, since in source.asked]
    assert 1 == len(book.all()[0].sweeps)


def test_a_gap_that_x_always_refuses_keeps_no_other_waiting() -> None:
    """It is closed, with why, and the next one is filled."""
    clock = StillClock()
    source = FakeSource(*(XRefused(400, "no") for _ in range(REFUSALS)))
    first, second = (Gap(name, "x", Cause.RESTART, at, at, until=at + 50) for name, at in (("a", 100.0), ("b", 200.0)))
    filling, book = _filling(clock, source, first, second)

    _steps(filling, clock, 2 * REFUSALS + 3)

    assert ["a"] * REFUSALS + ["b"] == [gap for gap, _ in source.asked][: REFUSALS + 1]
    closed, filled = book.all()
    assert closed.closed_at is not None
    assert 50.0 == closed.out_of_reach_s
    assert filled.sweeps


def test_credits_that_are_used_up_close_no_gap() -> None:
    """402: X says nothing of the gap; it is swept when the credits are bought, however long that takes."""
    clock = StillClock()
    source = FakeSource(*(XRefused(402, "credits are used up") for _ in range(3 * REFUSALS)))
    filling, book = _filling(clock, source, Gap("a", "x", Cause.RESTART, 100.0, 100.0, until=150.0))

    _steps(filling, clock, 3 * REFUSALS + 3)

    assert (None, 1) == (book.all()[0].closed_at, len(book.all()[0].sweeps))
