"""Drift: the index, and counters that hold a whole batch at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from pipeline.drift import BAND_LABELS, BANDS, CONFIDENCE_LABELS, LEAST_SHARE, Bins, Shares, psi
from pipeline.metrics import Metrics

SHARES = st.lists(st.floats(0, 1), min_size=4, max_size=4)
STEADY = settings(derandomize=True)


@pytest.mark.parametrize(
    ("now", "usual", "expected"),
    [
        ((0.5, 0.5), (0.5, 0.5), 0.0),
        ((0.3, 0.7), (0.05, 0.95), 0.5243),
        ((1.0, 0.0), (0.0, 1.0), 13.8017),
    ],
    ids=["alike", "six times as many", "nothing in common"],
)
def test_the_index(now: tuple[float, ...], usual: tuple[float, ...], expected: float) -> None:
    """By hand; an empty bin counts as LEAST_SHARE, so that the index has an end."""
    assert expected == round(psi(now, usual), 4)
    assert LEAST_SHARE == 0.001


@STEADY
@given(now=SHARES, usual=SHARES)
def test_the_index_has_no_direction(now: list[float], usual: list[float]) -> None:
    """It is never negative, and the same both ways."""
    assert psi(now, usual) >= 0
    assert psi(now, usual) == pytest.approx(psi(usual, now))


def test_bins_begin_at_nothing_and_add_up() -> None:
    """Every bin is there from the first scrape on, which is what increase() needs; batches add to it."""
    registry = CollectorRegistry()
    bins = Bins("apples", "Apples.", ["colour"], [("red",), ("green",)], registry)

    before = registry.get_sample_value("apples_total", {"colour": "green"})
    bins.add([2, 1])
    bins.add([3, 0])

    assert before == 0
    assert [5, 1] == [registry.get_sample_value("apples_total", {"colour": one}) for one in ("red", "green")]


def test_training_stands_beside_the_counters() -> None:
    """Each bin has its share under the same labels; of a model whose training is not known there is none."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    labels = dict(zip(("stage", "up_to"), CONFIDENCE_LABELS[-1], strict=True))

    unknown = registry.get_sample_value("triage_training_confidence_ratio", labels)
    metrics.learnt_from(Shares(tuple([0.0] * 29 + [0.25]), tuple([0.5] + [0.0] * 9)))

    assert unknown is None
    assert 0 == registry.get_sample_value("triage_confidence_total", labels)
    assert 0.25 == registry.get_sample_value("triage_training_confidence_ratio", labels)
    assert 0.5 == registry.get_sample_value("triage_training_words_ratio", {"band": BANDS[0]})
    assert len(BAND_LABELS) == 10
