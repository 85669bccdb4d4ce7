"""Labelled posts to train on: the project's, a team's own, and both; dealt into folds by brand family."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.model_selection import GroupKFold

from pipeline.errors import ModelError
from pipeline.posts import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.evaluate import Labelled

SEED, FOLDS = 20_11, 5
ORIGIN = """The project's posts are made up for it and labelled by corpus/GUIDE.md: none is real. The handles of
well-known brands appear as people use them; claims that could harm a firm carry invented brands."""


class Corpus(NamedTuple):
    """Texts with their stage (its place in STAGES) and brand family."""

    texts: list[str]
    stages: NDArray[np.intp]
    families: list[str]
    industries: list[str]
    languages: list[str]
    origin: str = ""
    """Whose posts they are, in a sentence."""
    made_up: float = 0.0
    """The share of posts that nobody really wrote; what is learnt from them is corrected by as much."""


def read_corpus(path: Path) -> Corpus:
    """The labelled posts of a CSV file with at least the columns text, stage, family, industry, language."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        names = [stage.value for stage in STAGES]
        stages = np.array([names.index(row["stage"]) for row in rows], np.intp)
        families, industries, languages = ([row[name] for row in rows] for name in ("family", "industry", "language"))
        return Corpus([row["text"] for row in rows], stages, families, industries, languages, ORIGIN, made_up=1.0)
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(
            f"{path} is not a corpus ({error}); it needs the columns text, stage, family, industry and language"
        ) from error


def own_corpus(rows: Sequence[Labelled]) -> Corpus:
    """A team's own labelled posts.

    Where they name fewer than FOLDS brands, consecutive fifths of the file stand for families: in a file in order of
    time, what is judged lies before or after what was learnt.
    """
    families = [row.brand for row in rows]
    if len(set(families)) < FOLDS:
        families = [f"part {FOLDS * place // len(rows) + 1}" for place in range(len(rows))]
    stages = np.array([STAGES.index(row.stage) for row in rows], np.intp)
    count = len(rows)
    origin = f"{count:,} of them are a team's own."
    return Corpus([row.text for row in rows], stages, families, ["own labels"] * count, ["not said"] * count, origin)


def joined(one: Corpus, other: Corpus) -> Corpus:
    """Both, one after the other."""
    stages = np.concatenate([one.stages, other.stages])
    made_up = (one.made_up * len(one.texts) + other.made_up * len(other.texts)) / len(stages)
    return Corpus(
        one.texts + other.texts,
        stages,
        one.families + other.families,
        one.industries + other.industries,
        one.languages + other.languages,
        f"{one.origin} {other.origin}",
        made_up,
    )


def folds(corpus: Corpus, count: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Whole brand families dealt into folds: the rows to learn from, and those to judge."""
    splitter = GroupKFold(count, shuffle=True, random_state=SEED)
    return iter(splitter.split(corpus.texts, groups=corpus.families))
