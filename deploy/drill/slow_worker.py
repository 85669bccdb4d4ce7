"""The real triage worker, whose classifier is slow while a file says so: `... slow_worker SETTINGS FILE`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, disable_created_metrics

from agents import worker
from agents.app import create_app
from models.classifier import StageClassifier
from pipeline import settings as settings_module
from pipeline.classify import Model
from pipeline.metrics import Metrics
from pipeline.posts import Post, Verdict


class Slowed:
    """Judges as the shipped model does, so many seconds later as the file says; at once where there is none."""

    def __init__(self, file: Path) -> None:
        self._inner = StageClassifier.load(None)
        self._file = file

    @property
    def model(self) -> Model:
        """The shipped model's."""
        return self._inner.model

    @property
    def second(self) -> None:
        """None."""

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """Sleep, then judge."""
        if self._file.exists():
            time.sleep(float(self._file.read_text(encoding="utf-8")))
        return self._inner.classify(posts)

    def explain(self, post: Post) -> list[tuple[str, float]]:
        """As the shipped model."""
        return self._inner.explain(post)


def main(settings_file: str, slow_file: str) -> None:
    """Triage until SIGTERM."""
    disable_created_metrics()  # type: ignore[no-untyped-call] # as the worker itself does
    settings = settings_module.load(Path(settings_file))
    classifier, metrics = Slowed(Path(slow_file)), Metrics(CollectorRegistry())
    worker.run(lambda: create_app(settings, classifier, metrics), lambda line: print(line, file=sys.stderr, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
