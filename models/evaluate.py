"""How good a model is on labelled posts: macro-F1 with its interval, by stage, calibration, review, the worst errors.

Macro-F1 is the mean of the three stages' F1 (van Rijsbergen 1979). Its interval is the percentile bootstrap's (Efron
1979): the rows drawn again with replacement, 1,000 times, from a fixed seed. The calibration error is the expected one
of Naeini et al. 2015, in ten equal ranges of confidence.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from pipeline.errors import EvaluationError
from pipeline.posts import STAGES, Author, Opinion, Post

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.classify import Classifier
    from pipeline.posts import Stage, Verdict

DRAWS, SEED, RANGES = 1_000, 20_11, 10
WORST = 20


class Labelled(NamedTuple):
    """One row of a labelled file."""

    text: str
    stage: Stage
    sure: bool | None = None
    """Whether the reader was sure of the label; None where the file does not say."""
    brand: str = ""
    kind: str = ""


class StageFigures(msgspec.Struct, frozen=True):
    """How well one stage is found."""

    precision: float
    recall: float
    f1: float
    posts: int


class Group(msgspec.Struct, frozen=True):
    """A brand or a kind: how many posts, and the share that was judged as labelled."""

    posts: int
    right: float


class Range(msgspec.Struct, frozen=True):
    """Posts of like confidence: how sure the model was on average, and how often it was right."""

    posts: int
    confidence: float
    right: float


class Mistake(msgspec.Struct, frozen=True):
    """A post that was judged otherwise than labelled."""

    text: str
    label: str
    judged: str
    confidence: float


class Evaluation(msgspec.Struct, frozen=True):
    """All figures of one evaluation; shares and scores from 0 to 1."""

    macro_f1: float
    interval: tuple[float, float]
    n: int
    per_stage: dict[str, StageFigures]
    high_confidence_macro_f1: float | None
    ece: float
    review_share: float
    accepted_macro_f1: float
    first_model_macro_f1: float
    second_share: float
    confusion: dict[str, dict[str, int]]
    calibration: list[Range]
    by_brand: dict[str, Group]
    by_kind: dict[str, Group]
    worst: list[Mistake]


def read_labelled(path: Path) -> list[Labelled]:
    """The rows of a CSV with the columns text and label (or stage); also confidence, brand (or family) and kind.

    Raises:
        EvaluationError: the file cannot be read, or a row has no text or no known label; with the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [_row(path, row, number) for number, row in enumerate(csv.DictReader(file), start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EvaluationError(f"{path} cannot be read as CSV: {error}") from error
    if not rows:
        raise EvaluationError(f"{path} holds no rows: it needs a header with text and label, and a row a post")
    return rows


def evaluate(
    rows: Sequence[Labelled], classifier: Classifier, first: Classifier, thresholds: Mapping[Stage, float]
) -> Evaluation:
    """Judge the rows by `classifier`, and by the `first` model alone for comparison."""
    posts = [_post(row.text) for row in rows]
    verdicts = classifier.classify(posts)
    true = np.array([STAGES.index(row.stage) for row in rows])
    judged, alone = _stages(verdicts), _stages(first.classify(posts))
    accepted = np.array([verdict.confidence >= thresholds[verdict.stage] for verdict in verdicts])
    confidence = np.array([verdict.confidence for verdict in verdicts])
    sure = np.array([row.sure is True for row in rows])
    said = any(row.sure is not None for row in rows)
    ranges = calibration(confidence, judged == true)
    return Evaluation(
        macro_f1=macro_f1(true, judged),
        interval=interval(true, judged),
        n=len(rows),
        per_stage=_per_stage(true, judged),
        high_confidence_macro_f1=macro_f1(true[sure], judged[sure]) if said and sure.any() else None,
        ece=sum(part.posts * abs(part.right - part.confidence) for part in ranges) / len(rows),
        review_share=float(1 - accepted.mean()),
        accepted_macro_f1=macro_f1(true[accepted], judged[accepted]),
        first_model_macro_f1=macro_f1(true, alone),
        second_share=float(np.mean([verdict.decided_by is Opinion.SECOND for verdict in verdicts])),
        confusion=_confusion(true, judged),
        calibration=ranges,
        by_brand=_groups([row.brand for row in rows], judged == true),
        by_kind=_groups([row.kind for row in rows], judged == true),
        worst=_worst(rows, verdicts),
    )


def macro_f1(true: NDArray[np.intp], judged: NDArray[np.intp]) -> float:
    """The mean F1 of the stages; a stage that neither is nor is judged counts as 0, as scikit-learn has it."""
    f1 = f1_scores(np.bincount(3 * true + judged, minlength=9).reshape(1, 3, 3))
    return float(f1.mean())


def f1_scores(tables: NDArray[np.intp]) -> NDArray[np.float64]:
    """F1 by stage of confusion tables (tables, true, judged): twice the hits over the true and the judged together."""
    hits = np.diagonal(tables, axis1=1, axis2=2)
    f1: NDArray[np.float64] = 2 * hits / np.maximum(1, tables.sum(1) + tables.sum(2))
    return f1


def interval(true: NDArray[np.intp], judged: NDArray[np.intp]) -> tuple[float, float]:
    """Between which values macro-F1 lies in 95 of 100 draws of the same rows with replacement."""
    pairs = np.bincount(3 * true + judged, minlength=9)
    drawn = np.random.default_rng(SEED).multinomial(len(true), pairs / len(true), size=DRAWS)
    low, high = np.quantile(f1_scores(drawn.reshape(-1, 3, 3)).mean(1), (0.025, 0.975))
    return float(low), float(high)


def calibration(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Range]:
    """The posts in ten equal ranges of confidence; ranges without posts are left out."""
    places = np.minimum((confidence * RANGES).astype(int), RANGES - 1)
    return [
        Range(int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for place in range(RANGES)
        if (inside := places == place).any()
    ]


def _row(path: Path, row: Mapping[str, str | None], number: int) -> Labelled:
    label = row.get("label") or row.get("stage") or ""
    text = row.get("text") or ""
    stages = {stage.value: stage for stage in STAGES}
    if not text or label not in stages:
        raise EvaluationError(
            f"{path}, line {number}: needs a text and a label of {', '.join(stages)}; found the label {label!r}"
        )
    sure = row.get("confidence")
    brand = row.get("brand") or row.get("family") or ""
    return Labelled(text, stages[label], None if not sure else sure == "high", brand, row.get("kind") or "")


def _post(text: str) -> Post:
    return Post("0", "0", text, Author(""), 0, "0")


def _stages(verdicts: Sequence[Verdict]) -> NDArray[np.intp]:
    return np.array([STAGES.index(verdict.stage) for verdict in verdicts])


def _per_stage(true: NDArray[np.intp], judged: NDArray[np.intp]) -> dict[str, StageFigures]:
    table = np.bincount(3 * true + judged, minlength=9).reshape(3, 3)
    f1 = f1_scores(table[None])[0]
    return {
        stage.value: StageFigures(
            precision=float(table[at, at] / max(1, table[:, at].sum())),
            recall=float(table[at, at] / max(1, table[at].sum())),
            f1=float(f1[at]),
            posts=int(table[at].sum()),
        )
        for at, stage in enumerate(STAGES)
    }


def _confusion(true: NDArray[np.intp], judged: NDArray[np.intp]) -> dict[str, dict[str, int]]:
    """Of each labelled stage, how many were judged as which."""
    table = np.bincount(3 * true + judged, minlength=9).reshape(3, 3).tolist()
    names = [stage.value for stage in STAGES]
    return {name: dict(zip(names, row, strict=True)) for name, row in zip(names, table, strict=True)}


def _groups(names: Sequence[str], right: NDArray[np.bool_]) -> dict[str, Group]:
    """By brand or kind, most posts first; what has no name is left out."""
    found: defaultdict[str, list[bool]] = defaultdict(list)
    for name, fits in zip(names, right.tolist(), strict=True):
        if name:
            found[name].append(fits)
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return {name: Group(len(fits), sum(fits) / len(fits)) for name, fits in ordered}


def _worst(rows: Sequence[Labelled], verdicts: Sequence[Verdict]) -> list[Mistake]:
    """The mistakes of which the model was surest."""
    wrong = [
        Mistake(row.text, row.stage.value, verdict.stage.value, verdict.confidence)
        for row, verdict in zip(rows, verdicts, strict=True)
        if row.stage is not verdict.stage
    ]
    return sorted(wrong, key=lambda mistake: -mistake.confidence)[:WORST]
