"""Several models in one seat: who is asked, who decides, what it may cost, and what is told of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.classify import Model
from pipeline.panel import Budget, Panel, Shadowed, Shares, both
from pipeline.posts import STAGES, Author, Opinion, Post, Stage, Verdict

REACTIVE, PROACTIVE, ENGAGEMENT = STAGES


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


class First:
    """Is as sure of reactive as the text says."""

    model = Model("first", "1", "0" * 64)
    second = None

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """A verdict a post."""
        return [Verdict(REACTIVE, sure, (sure, 1 - sure, 0.0)) for sure in (float(post.text) for post in posts)]

    def explain(self, post: Post) -> list[tuple[str, float]]:
        """The text itself."""
        return [(post.text, 1.0)]


class Second:
    """Is sure of proactive, and takes its time."""

    model = Model("second", "1", "1" * 64)
    weight = 0.75

    def __init__(self, clock: Clock, seconds: float = 0.0) -> None:
        self.asked: list[str] = []
        self._clock = clock
        self._seconds = seconds

    def shares(self, texts: Sequence[str]) -> list[Shares]:
        """The same for each."""
        self.asked += texts
        self._clock.now += self._seconds * len(texts)
        return [(0.0, 1.0, 0.0) for _ in texts]


class Notes:
    """What was told."""

    def __init__(self) -> None:
        self.counted: Counter[object] = Counter()

    def opinions(self, outcome: str, count: int) -> None:
        """Counts."""
        self.counted[outcome] += count

    def shadow(self, champion: Stage, challenger: Stage) -> None:
        """Counts."""
        self.counted[champion, challenger] += 1


def _posts(*texts: str) -> list[Post]:
    return [Post(str(place), str(place), text, Author("7"), 0, "1") for place, text in enumerate(texts)]


def _panel(clock: Clock, second: Second, notes: Notes, *, posts_per_s: float = 100, batch_s: float = 1.0) -> Panel:
    return Panel(First(), second, under=0.8, budget=Budget(posts_per_s, batch_s, clock), observer=notes)


def test_only_the_unsure_are_asked_again() -> None:
    """What the first model is sure of keeps its verdict; the others get the weighted mean of both."""
    clock, notes = Clock(), Notes()
    second = Second(clock)

    verdicts = _panel(clock, second, notes).classify(_posts("0.9", "0.6", "0.8"))

    assert ["0.6"] == second.asked
    assert [Opinion.FIRST, Opinion.SECOND, Opinion.FIRST] == [verdict.decided_by for verdict in verdicts]
    assert Verdict(PROACTIVE, 0.85, (0.15, 0.85, 0.0), Opinion.SECOND) == verdicts[1]
    assert {"changed": 1, "confirmed": 0} == dict(notes.counted)


def test_over_the_budget_the_first_opinion_stands() -> None:
    """The least sure are asked first; the rest is counted, and the next second brings new tokens."""
    clock, notes = Clock(), Notes()
    second = Second(clock)
    panel = _panel(clock, second, notes, posts_per_s=2)

    verdicts = panel.classify(_posts("0.7", "0.5", "0.6"))
    clock.now += 0.5
    panel.classify(_posts("0.55", "0.75"))

    assert ["0.5", "0.6", "0.55"] == second.asked
    assert Opinion.FIRST is verdicts[0].decided_by
    assert 2 == notes.counted["over_budget"]


def test_a_slow_second_model_is_asked_less() -> None:
    """A batch is granted what fits into its time at the cost that was measured; one post at least, to learn anew."""
    clock, notes = Clock(), Notes()
    second = Second(clock, seconds=0.1)
    panel = _panel(clock, second, notes, posts_per_s=1000, batch_s=0.2)
    asked = []
    for _ in range(20):
        before = len(second.asked)
        panel.classify(_posts(*["0.5"] * 50))
        clock.now += 1
        asked.append(len(second.asked) - before)

    assert asked[-1] in (1, 2)
    assert min(asked) >= 1


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 500)), max_size=30), st.floats(1, 200))
def test_the_budget_holds(steps: list[tuple[float, int]], rate: float) -> None:
    """However the batches come, no more is granted than the rate allows since the start, a second's burst included."""
    clock = Clock()
    budget = Budget(rate, 10.0, clock)
    granted = 0
    for wait, wanted in steps:
        clock.now += wait
        got = budget.grant(wanted)
        assert 0 <= got <= wanted
        granted += got

    assert granted <= rate * (clock.now + 1) + 1e-6


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda one: sum(one) > 0), st.floats(0, 1))
def test_both_together_are_a_verdict(raw: list[float], weight: float) -> None:
    """Four decimals that sum to 1, none under 0, the best of which names the stage."""
    second = (raw[0] / sum(raw), raw[1] / sum(raw), raw[2] / sum(raw))

    verdict = both(Verdict(REACTIVE, 0.5, (0.5, 0.25, 0.25)), second, weight)

    assert pytest.approx(1, abs=1e-9) == sum(verdict.scores)
    assert min(verdict.scores) >= 0
    assert verdict.confidence == max(verdict.scores) == verdict.scores[STAGES.index(verdict.stage)]


def test_a_challenger_watches() -> None:
    """It decides nothing; what it would have moved is told."""

    class Challenger(First):
        def classify(self, posts: Sequence[Post]) -> list[Verdict]:
            return [Verdict(ENGAGEMENT if post.text < "0.7" else REACTIVE, 0.5, (0.5, 0.0, 0.5)) for post in posts]

    notes = Notes()
    shadowed = Shadowed(First(), Challenger(), notes)

    verdicts = shadowed.classify(_posts("0.9", "0.6"))

    assert [REACTIVE, REACTIVE] == [verdict.stage for verdict in verdicts]
    assert {(REACTIVE, REACTIVE): 1, (REACTIVE, ENGAGEMENT): 1} == dict(notes.counted)
    assert "first" == shadowed.model.name


def test_a_challenger_that_fails_is_left_out() -> None:
    """The stream goes on with the champion's verdicts."""

    class Broken(First):
        def classify(self, posts: Sequence[Post]) -> list[Verdict]:
            raise ValueError(len(posts))

    notes = Notes()

    verdicts = Shadowed(First(), Broken(), notes).classify(_posts("0.9"))

    assert [REACTIVE] == [verdict.stage for verdict in verdicts]
    assert not notes.counted
