"""Several models in one seat: a first that judges every post, a second for the unsure ones, a challenger that watches.

The stream never waits for the second opinion: what it may take is granted beforehand, in posts a second and in
seconds a batch; over the budget the first opinion stands. The challenger decides nothing: it is only compared.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from pipeline.classify import Classifier, Model
from pipeline.posts import STAGES, Opinion, Post, Stage, Verdict

log = logging.getLogger(__name__)
Shares = tuple[float, float, float]


class Adviser(Protocol):
    """A slow and good model."""

    @property
    def model(self) -> Model:
        """Name, version and hash of the artifact."""

    @property
    def weight(self) -> float:
        """How much its word counts beside the first model's, from 0 to 1."""

    def shares(self, texts: Sequence[str]) -> list[Shares]:
        """Probabilities in the order of STAGES, a row a text."""


class Observer(Protocol):
    """Who is told what the panel did; see pipeline.metrics."""

    def opinions(self, outcome: str, count: int) -> None:
        """So many posts were confirmed, changed, or left over_budget."""

    def shadow(self, champion: Stage, challenger: Stage) -> None:
        """One post was judged so by each."""


class Budget:
    """How many posts the second model may see: a bucket of tokens, and a bound on the time of one batch.

    A batch is granted no more posts than fit into `batch_s` seconds at the cost a post that was measured so far.
    """

    def __init__(self, posts_per_s: float, batch_s: float, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._rate = posts_per_s
        self._batch_s = batch_s
        self._tokens = posts_per_s
        self._filled_at = clock()
        self._cost_s = batch_s / 4

    def grant(self, wanted: int) -> int:
        """How many of so many posts may be looked at now; they count as taken."""
        now = self.clock()
        self._tokens = min(self._rate, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        granted = min(wanted, int(self._tokens), max(1, int(self._batch_s / self._cost_s)))
        self._tokens -= granted
        return granted

    def spent(self, posts: int, seconds: float) -> None:
        """Learn what a post costs; one slow moment weighs a fifth, and never keeps the door shut for good."""
        self._cost_s = min(self._batch_s, max(1e-6, 0.8 * self._cost_s + 0.2 * seconds / posts))


class Unbounded(Budget):
    """Grants everything: for evaluations, where no stream waits."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(1.0, 1.0, clock)

    def grant(self, wanted: int) -> int:
        """All."""
        return wanted


class Panel:
    """A first and a second opinion; implements pipeline.classify.Classifier."""

    def __init__(self, first: Classifier, second: Adviser, *, under: float, budget: Budget, observer: Observer) -> None:
        self._first = first
        self._second = second
        self._under = under
        self._budget = budget
        self._observer = observer

    @property
    def model(self) -> Model:
        """The first model, which judges every post."""
        return self._first.model

    @property
    def second(self) -> Model | None:
        """The second."""
        return self._second.model

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """Judge a batch: the first model all posts, the second the unsure ones, as many as the budget grants."""
        verdicts = list(self._first.classify(posts))
        unsure = [place for place, verdict in enumerate(verdicts) if verdict.confidence < self._under]
        unsure.sort(key=lambda place: verdicts[place].confidence)
        granted = self._budget.grant(len(unsure))
        if granted:
            self._consult(posts, verdicts, unsure[:granted])
        if len(unsure) > granted:
            self._observer.opinions("over_budget", len(unsure) - granted)
        return verdicts

    def explain(self, post: Post) -> list[tuple[str, float]]:
        """The words that spoke for the first model's stage: the second cannot say."""
        return self._first.explain(post)

    def _consult(self, posts: Sequence[Post], verdicts: list[Verdict], places: Sequence[int]) -> None:
        started = self._budget.clock()
        rows = self._second.shares([posts[place].text for place in places])
        self._budget.spent(len(places), self._budget.clock() - started)
        changed = 0
        for place, row in zip(places, rows, strict=True):
            verdict = both(verdicts[place], row, self._second.weight)
            changed += verdict.stage is not verdicts[place].stage
            verdicts[place] = verdict
        self._observer.opinions("changed", changed)
        self._observer.opinions("confirmed", len(places) - changed)


class Shadowed:
    """A champion that decides and a challenger that is compared with it; implements pipeline.classify.Classifier."""

    def __init__(self, champion: Classifier, challenger: Classifier, observer: Observer) -> None:
        self._champion = champion
        self._challenger = challenger
        self._observer = observer

    @property
    def model(self) -> Model:
        """The champion's."""
        return self._champion.model

    @property
    def second(self) -> Model | None:
        """The champion's."""
        return self._champion.second

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """The champion's verdicts; where the challenger fails, the stream goes on without it."""
        verdicts = self._champion.classify(posts)
        try:
            others = self._challenger.classify(posts)
        except Exception as error:  # noqa: BLE001 - whatever it raises, it only watches; its words may hold text
            log.warning("the challenger failed on a batch of %d posts: %s", len(posts), type(error).__name__)
            return verdicts
        for verdict, other in zip(verdicts, others, strict=True):
            self._observer.shadow(verdict.stage, other.stage)
        return verdicts

    def explain(self, post: Post) -> list[tuple[str, float]]:
        """The champion's words."""
        return self._champion.explain(post)


def both(first: Verdict, second: Shares, weight: float) -> Verdict:
    """The verdict of the two probabilities' weighted mean; the second model's word counts `weight`."""
    mixed = [(1 - weight) * one + weight * other for one, other in zip(first.scores, second, strict=True)]
    reactive, proactive = round(mixed[0], 4), round(mixed[1], 4)
    shares = (reactive, proactive, round(1 - reactive - proactive, 4))
    best = max(range(3), key=shares.__getitem__)
    return Verdict(STAGES[best], shares[best], shares, Opinion.SECOND)
