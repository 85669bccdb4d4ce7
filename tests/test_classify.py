"""The rule for the unsure."""

from __future__ import annotations

import pytest

from pipeline.classify import foreign, queue_for
from pipeline.posts import Queue, Stage, Verdict

THRESHOLDS = {Stage.REACTIVE: 0.6, Stage.PROACTIVE: 0.7, Stage.ENGAGEMENT: 0.0}


@pytest.mark.parametrize(
    ("stage", "confidence", "expected"),
    [
        (Stage.REACTIVE, 0.61, Queue.REACTIVE),
        (Stage.REACTIVE, 0.6, Queue.REACTIVE),
        (Stage.REACTIVE, 0.5999, Queue.REVIEW),
        (Stage.PROACTIVE, 0.65, Queue.REVIEW),
        (Stage.PROACTIVE, 0.7, Queue.PROACTIVE),
        (Stage.ENGAGEMENT, 0.34, Queue.ENGAGEMENT),
        (Stage.ENGAGEMENT, 0.0, Queue.ENGAGEMENT),
    ],
)
def test_under_its_stages_threshold_to_review(stage: Stage, confidence: float, expected: Queue) -> None:
    """A verdict at its stage's threshold is acted on, one under it goes to people."""
    rest = (1 - confidence) / 2

    assert expected is queue_for(Verdict(stage, confidence, (confidence, rest, rest)), THRESHOLDS)


@pytest.mark.parametrize("stage", Stage)
def test_a_threshold_of_one_sends_all_but_the_certain_to_review(stage: Stage) -> None:
    """The strictest threshold lets through only what has no doubt left."""
    strict = dict.fromkeys(Stage, 1.0)

    found = [queue_for(Verdict(stage, confidence, (1, 0, 0)), strict) for confidence in (0.999, 1.0)]

    assert [Queue.REVIEW, Queue(stage.value)] == found


@pytest.mark.parametrize(
    ("language", "known", "expected"),
    [
        ("en", {"en"}, False),
        ("es", {"en"}, True),
        ("es", {"en", "es"}, False),
        ("und", {"en"}, False),
        ("qme", {"en"}, False),
        ("es", set(), False),
    ],
)
def test_a_language_that_the_model_does_not_know(language: str, known: set[str], expected: bool) -> None:
    """Another language is foreign; none at all (links, hashtags, a word) is not; with none named all are known."""
    assert foreign(language, known) is expected
