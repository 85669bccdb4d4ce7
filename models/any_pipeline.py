"""A team's own scikit-learn Pipeline in the first model's seat: any that takes texts and gives probabilities.

It is slower than the weights that the worker scores itself, by a factor of ten and more; see `make bench`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Self

import numpy as np

from models.pipeline_artifact import load_pipeline
from models.reference import Watch
from pipeline.classify import Model
from pipeline.errors import ModelError
from pipeline.posts import STAGES, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sklearn.pipeline import Pipeline

    from pipeline.drift import Watcher
    from pipeline.posts import Post

_NAMES = [stage.value for stage in STAGES]


class PipelineClassifier:
    """A Pipeline whose classes are the stages, by name or by their place; implements pipeline.classify.Classifier."""

    def __init__(self, pipeline: Pipeline, model: Model, watch: Watch | None = None) -> None:
        self._pipeline = pipeline
        self._order = _order(pipeline)
        self._model = model
        self._watch = watch

    @classmethod
    def load(cls, path: Path, watcher: Watcher | None = None) -> Self:
        """The Pipeline in a skops file, checked as `load_pipeline` says.

        A watcher is told of its verdicts; what it was trained on is not known.

        Raises:
            ModelError: it cannot be used, gives no probabilities, or has other classes than the stages.
        """
        pipeline = load_pipeline(path)
        model = Model(path.stem, "pipeline", hashlib.sha256(path.read_bytes()).hexdigest())
        return cls(pipeline, model, None if watcher is None else Watch(watcher, None))

    @property
    def model(self) -> Model:
        """Named after its file."""
        return self._model

    @property
    def second(self) -> None:
        """There is none: this is one model alone."""

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """Judge a batch."""
        if not posts:
            return []
        shares = self._pipeline.predict_proba([post.text for post in posts])[:, self._order].round(4)
        best = shares.argmax(axis=1)
        if self._watch is not None:
            self._watch.judged(best, shares.max(axis=1))
        rows = [(row[0], row[1], row[2]) for row in shares.tolist()]
        return [Verdict(STAGES[place], row[place], row) for place, row in zip(best.tolist(), rows, strict=True)]

    def explain(self, post: Post) -> list[tuple[str, float]]:  # noqa: ARG002
        """Nothing: what counts in it is not known."""
        return []


def _order(pipeline: Pipeline) -> list[int]:
    """At which column of the probabilities each of STAGES stands."""
    if not hasattr(pipeline, "predict_proba"):
        raise ModelError("the Pipeline gives no probabilities: end it with a model that has predict_proba")
    classes = np.asarray(pipeline.classes_).tolist()
    for wanted in (_NAMES, [0, 1, 2]):
        if sorted(classes, key=str) == sorted(wanted, key=str):
            return [classes.index(one) for one in wanted]
    raise ModelError(f"the Pipeline's classes are {classes}; they must be {_NAMES}, or 0, 1, 2 in that order")
