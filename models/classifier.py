"""The first model as the worker uses it: a batch of posts in, verdicts out, and the words that decided."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Self

import numpy as np

from models import ngrams
from models.artifact import SHIPPED, load_weights
from models.reference import Watch, load_reference
from pipeline.posts import STAGES, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.artifact import Weights
    from pipeline.classify import Model
    from pipeline.drift import Watcher
    from pipeline.posts import Post

_DIGITS = 10_000
"""Confidences are given in whole parts of this."""


class StageClassifier:
    """A linear model over hashed words and word pairs; implements pipeline.classify.Classifier."""

    def __init__(self, weights: Weights, watch: Watch | None = None) -> None:
        self._weights = weights
        self._watch = watch

    @classmethod
    def load(cls, path: Path | None = None, watcher: Watcher | None = None) -> Self:
        """The weights in a file, or the ones that are shipped; ModelError if they cannot be used.

        A watcher is told what the model sees, and what it was trained on if that stands beside the weights.
        """
        path = path or SHIPPED
        weights = load_weights(path)
        return cls(weights, None if watcher is None else Watch(watcher, load_reference(path, weights.model)))

    @property
    def model(self) -> Model:
        """Name, version and hash of the artifact."""
        return self._weights.model

    @property
    def second(self) -> None:
        """There is none: this is one model alone."""

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """Judge a batch."""
        if not posts:
            return []
        found = ngrams.words([post.text for post in posts])
        parts = probabilities(ngrams.scored(found, self._weights.pairs, self._weights.bias))
        best, confidences = parts.argmax(axis=1), parts.max(axis=1)
        if self._watch is not None:
            self._watch.judged(best, confidences)
            self._watch.read(found)
        stages = map(STAGES.__getitem__, best.tolist())
        rows = zip(*parts.T.tolist(), strict=True)
        return list(map(Verdict, stages, confidences.tolist(), rows))

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """A row a text, a column a stage in the order of STAGES."""
        return ngrams.scores(texts, self._weights.pairs, self._weights.bias)

    def explain(self, post: Post) -> list[tuple[str, float]]:
        """What each word (with its runs of letters) and pair added to the winning stage's score; together, all."""
        found = ngrams.words([post.text])
        winner = int(probabilities(self.scores([post.text]))[0].argmax())
        buckets, names = ngrams.buckets(found), ngrams.names(found)
        told: defaultdict[str, float] = defaultdict(float)
        told[ngrams.EVERY_POST] = float(self._weights.bias[winner])
        root = np.sqrt(len(buckets))
        for name, weight in zip(names, (self._stage_weights(buckets, winner) / root).tolist(), strict=True):
            told[name] += weight
        owners = ngrams.run_owners(found)
        for run in ngrams.run_buckets(found):
            places = np.flatnonzero(run)
            weights = self._stage_weights(run[places].astype(np.intp) + ngrams.BUCKETS, winner) / root
            for owner, weight in zip(owners[places].tolist(), weights.tolist(), strict=True):
                told[names[2 * owner]] += weight
        heard = [(name, added) for name, added in told.items() if added]
        return sorted(heard, key=lambda item: (-abs(item[1]), item[0]))

    def _stage_weights(self, buckets: NDArray[np.intp], stage: int) -> NDArray[np.float64]:
        """The weights of some buckets for one stage."""
        pairs = self._weights.pairs.take(buckets).astype(np.complex128)
        first, second = ((1, 0), (0, 1), (-1, -1))[stage]
        return first * pairs.real + second * pairs.imag


def probabilities(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The softmax of each row in whole parts of 10,000; what rounding takes or gives is the winner's."""
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    parts: NDArray[np.float64] = np.rint(shares * (_DIGITS / shares.sum(axis=1, keepdims=True)))
    parts[np.arange(len(parts)), parts.argmax(axis=1)] += _DIGITS - parts.sum(axis=1)
    parts /= _DIGITS
    return parts
