"""`triage train`: a model from a team's own labels, on top of the project's posts or alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from agents.classifiers import load_first
from models.corpora import FOLDS, joined, own_corpus, read_corpus
from models.evaluate import Labelled, read_labelled
from models.gate import refuse_worse
from models.train import HERE, train, write
from pipeline.errors import ModelError
from pipeline.posts import STAGES, Author, Post
from pipeline.settings import Settings

LEAST = 50
"""Labelled posts: fewer change nothing and prove nothing."""


def train_on(
    settings: Settings, data: Path, *, base: bool, out: Path, force: bool, say: Callable[[str], None]
) -> list[Path]:
    """Train, hold the result against the model in use, and write it.

    Raises:
        EvaluationError: the file has no labelled posts.
        ModelError: too few of them, a stage is missing, or the result is worse than the model in use.
    """
    rows = read_labelled(data)
    _enough(data, rows)
    corpus = own_corpus(rows)
    if base:
        corpus = joined(corpus, read_corpus(HERE / "corpus" / "posts.csv"))
    trained = train(corpus, FOLDS, say)
    judged, in_use = trained.judged[: len(rows)], _judged_now(settings, rows)
    try:
        compared = refuse_worse(corpus.stages[: len(rows)], judged, in_use)
    except ModelError as worse:
        if not force:
            raise
        compared = str(worse)
    say(compared)
    return write(trained, out, out / "MODEL_CARD.md", f"On the team's own posts: {compared}.\n")


def _enough(data: Path, rows: list[Labelled]) -> None:
    missing = [stage.value for stage in STAGES if all(row.stage is not stage for row in rows)]
    if missing:
        raise ModelError(f"{data} has no post labelled {', '.join(missing)}: a model learns only what it is shown")
    if len(rows) < LEAST:
        raise ModelError(f"{data} has {len(rows)} labelled posts: label at least {LEAST}")


def _judged_now(settings: Settings, rows: list[Labelled]) -> np.ndarray:
    """What the model of the settings says of them."""
    verdicts = load_first(settings.model).classify([Post("0", "0", row.text, Author(""), 0, "0") for row in rows])
    return np.array([STAGES.index(verdict.stage) for verdict in verdicts])
