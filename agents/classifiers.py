"""The classifier that settings ask for: the first model, a second opinion beside it, a challenger behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Protocol

from models.classifier import StageClassifier
from models.second import SecondOpinion
from pipeline.classify import Classifier
from pipeline.drift import Shares, Watcher
from pipeline.metrics import Metrics
from pipeline.panel import Budget, Observer, Panel, Shadowed, Unbounded
from pipeline.posts import Stage
from pipeline.settings import SecondOpinion as SecondSettings
from pipeline.settings import Settings


class Observing(Observer, Watcher, Protocol):
    """Who is told what a panel did and what its first model saw."""


class Counted:
    """Tells the metrics what the panel did and what the first model saw; implements Observing."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def opinions(self, outcome: str, count: int) -> None:
        """So many posts were confirmed, changed, or left over_budget."""
        self._metrics.opinions.labels(outcome).inc(count)

    def shadow(self, champion: Stage, challenger: Stage) -> None:
        """One post was judged so by each."""
        self._metrics.shadow.labels(champion.value, challenger.value).inc()

    def learnt_from(self, shares: Shares) -> None:
        """The shares of the training set, beside which the counters are held."""
        self._metrics.learnt_from(shares)

    def judged(self, counts: Sequence[int]) -> None:
        """So many verdicts fell into each bin of confidence."""
        self._metrics.confidence.add(counts)

    def read(self, counts: Sequence[int]) -> None:
        """So many words fell into each band."""
        self._metrics.words.add(counts)


class Silent:
    """For where nothing is counted; implements Observing."""

    def opinions(self, outcome: str, count: int) -> None:
        """Nothing."""

    def shadow(self, champion: Stage, challenger: Stage) -> None:
        """Nothing."""

    def learnt_from(self, shares: Shares) -> None:
        """Nothing."""

    def judged(self, counts: Sequence[int]) -> None:
        """Nothing."""

    def read(self, counts: Sequence[int]) -> None:
        """Nothing."""


def load_classifier(settings: Settings, observer: Observing) -> Classifier:
    """Load what settings name, and check it.

    Raises:
        ModelError: an artifact cannot be used, or the second opinion is wanted and not installed.
    """
    classifier = load_first(settings.model, observer)
    second = settings.second_opinion
    if second.enabled:
        classifier = with_second(classifier, second, observer)
    if settings.challenger is not None:
        classifier = Shadowed(classifier, load_first(settings.challenger), observer)
    return classifier


def load_first(path: Path | None, watcher: Watcher | None = None) -> Classifier:
    """The shipped model, another's weights, or (a name that ends in .skops) any scikit-learn Pipeline."""
    if path is None or path.suffix != ".skops":
        return StageClassifier.load(path, watcher)
    from models.any_pipeline import PipelineClassifier  # scikit-learn costs a second and 60 MB: only where it is used

    return PipelineClassifier.load(path, watcher)


def with_second(first: Classifier, settings: SecondSettings, observer: Observer, *, unlimited: bool = False) -> Panel:
    """The first model with the second opinion beside it; `unlimited` where no stream waits, as in an evaluation."""
    budget = Unbounded(monotonic) if unlimited else Budget(settings.posts_per_s, settings.batch_ms / 1000, monotonic)
    return Panel(first, SecondOpinion.load(settings.model), under=settings.under, budget=budget, observer=observer)
