"""The real worker with a classifier that is slow, throws, or dies: TRIAGE-less variable FAULT says how."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry

from agents import worker
from agents.app import create_app
from models.classifier import StageClassifier
from pipeline import settings as settings_module
from pipeline.classify import Model
from pipeline.metrics import Metrics
from pipeline.posts import Post, Verdict


class Faulty:
    """Judges as the shipped model does, after a fault."""

    def __init__(self, fault: str) -> None:
        self._inner = StageClassifier.load(None)
        self._fault = fault
        self._calls = 0

    @property
    def model(self) -> Model:
        """The shipped model's."""
        return self._inner.model

    @property
    def second(self) -> None:
        """None."""

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """Slow: two seconds a call. Throwing: every third call, and always where post 100 is in the batch."""
        self._calls += 1
        if self._fault == "slow":
            time.sleep(2.0)
        elif self._calls % 3 == 0 or any(post.id == "100" for post in posts):
            raise RuntimeError("a fault that the test wants")
        return self._inner.classify(posts)

    def explain(self, post: Post) -> list[tuple[str, float]]:
        """As the shipped model."""
        return self._inner.explain(post)


if __name__ == "__main__":
    settings = settings_module.load(Path(sys.argv[sys.argv.index("--settings") + 1]))
    classifier = Faulty(os.environ["FAULT"])
    metrics = Metrics(CollectorRegistry())
    worker.run(lambda: create_app(settings, classifier, metrics), lambda line: print(line, file=sys.stderr, flush=True))
