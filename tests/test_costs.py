"""Thresholds from costs: Chow's rule, against a plain count of what each choice costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.costs import SHARES, threshold
from pipeline.posts import Stage
from pipeline.settings import Costs, Settings, Thresholds

COSTS = st.fixed_dictionaries({stage: st.floats(0.1, 50) for stage in Stage})


@given(st.sampled_from(Stage), COSTS, st.floats(0.05, 20), st.floats(0, 1))
def test_acts_exactly_where_acting_is_cheaper(
    judged: Stage, cost_of: dict[Stage, float], review: float, sure: float
) -> None:
    """At any confidence the threshold chooses what a plain count of the expected costs chooses."""
    others = [stage for stage in Stage if stage is not judged]
    rest = (1 - sure) / sum(SHARES[stage] for stage in others)
    acting = sum(rest * SHARES[stage] * cost_of[stage] for stage in others)
    limit = threshold(judged, cost_of, review)
    assert (sure >= limit) == (acting <= review) or abs(sure - limit) < 1e-3


def test_what_costs_nothing_is_never_sent_to_review() -> None:
    """Where no mistake costs anything every verdict is acted on."""
    assert threshold(Stage.REACTIVE, dict.fromkeys(Stage, 0.0), 1.0) == 0.0


def test_a_dear_miss_is_looked_at_more_often() -> None:
    """The dearer a missed reactive post, the surer the model has to be of the other stages; of reactive no surer."""
    cheap, dear = Costs(missed_reactive=2).thresholds(), Costs(missed_reactive=20).thresholds()
    assert dear[Stage.ENGAGEMENT] > cheap[Stage.ENGAGEMENT]
    assert dear[Stage.PROACTIVE] > cheap[Stage.PROACTIVE]
    assert dear[Stage.REACTIVE] == cheap[Stage.REACTIVE]


@pytest.mark.parametrize("said", [0.0, 0.7, 1.0])
def test_a_threshold_that_is_said_wins(said: float) -> None:
    """A threshold in the settings stands, 0 included; the others still follow from the costs."""
    settings = Settings(thresholds=Thresholds(proactive=said))
    expected = settings.costs.thresholds() | {Stage.PROACTIVE: said}
    assert settings.thresholds_by_stage() == expected
