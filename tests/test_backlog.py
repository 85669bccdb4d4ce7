"""Backlogs: which queues of a brand have one, over all workers together."""

from __future__ import annotations

from itertools import permutations

import pytest

from pipeline.backlog import Counts, Waiting, alarmed

MANY, FEW, LATE = Waiting(4, 0, 1), Waiting(3, 0, 1), Waiting(1, 1, 1)


@pytest.mark.parametrize("order", list(permutations(["a", "b", "acme"])))
def test_brands_under_one_name_have_one_if_any_has(order: tuple[str, ...]) -> None:
    """Brands that settings do not know (any more) are one label: the last one looked at does not speak for all."""
    waiting = {"a": MANY, "b": FEW, "acme": FEW}
    totals: Counts = {(brand, "reactive"): waiting[brand] for brand in order}

    found = alarmed(totals, 3, lambda brand: brand if brand == "acme" else "other")

    assert {("other", "reactive"): True, ("acme", "reactive"): False} == found


def test_one_who_waits_too_long_is_a_backlog() -> None:
    """More than the limit, or one past the target; few in time are none."""
    totals: Counts = {("acme", "reactive"): LATE, ("acme", "review"): FEW}

    assert {("acme", "reactive"): True, ("acme", "review"): False} == alarmed(totals, 3)
