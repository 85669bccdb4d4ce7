"""The figures of a training, and the model card that states them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import softmax
from sklearn.metrics import f1_score, precision_recall_fscore_support

from pipeline.posts import STAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.classify import Model

_CARD = """# The first model: {name} {version}

A linear model over hashed words and word pairs that puts a post into one of three stages: reactive, proactive, engagement.
`make train` writes this page.

| | |
|---|---|
| weights (what the worker loads) | artifacts/stages.npz, SHA-256 `{sha256}` |
| the scikit-learn Pipeline | artifacts/stages.skops |
| digest of weights and settings | `{digest}` |

## Data
{count} posts in {groups} industries ({shares}), made up for this project and labelled by corpus/GUIDE.md. None of them is a
real post. The handles of well-known brands appear as people use them; claims that could harm a firm carry invented brands.

## How good
All figures are on held-out industries: the industries are dealt into folds, and each is judged by a model that has seen no post of it.

- macro-F1 **{macro_f1:.3f}**
- expected calibration error {ece:.3f} (of the confidence against the share that is right, in ten equal ranges)

| stage | precision | recall | F1 |
|---|---|---|---|
{stages}

| industry held out | posts | macro-F1 |
|---|---|---|
{industries}

## Limits
- Made-up posts are tidier than real ones: expect a lower figure on real posts, above all on turns in the middle of a conversation.
- Nearly all of the corpus is English. Other languages are guesses, and mostly end up in the review queue.
- The corpus has more proactive posts than real streams have, so the model says proactive too readily on a quiet day.
- It reads the text alone: no thread, picture, author or history. Sarcasm and breadth said between the lines are missed.
- Numbers are read by their shape, handles and links as one word each: which brand a post names does not decide its stage.
- The corpus is small; words that it lacks weigh nothing or, where two words share one of the 262,144 buckets, something arbitrary.

## Make it again
`make train` reads corpus/posts.csv, takes about a minute, and with the same corpus and pinned libraries gives the same digest. Both
artifacts are checked against the `.sha256` beside them before they are read; neither can hold code.
"""


class Figures(NamedTuple):
    """How well held-out posts were judged."""

    macro_f1: float
    ece: float
    by_stage: dict[str, tuple[float, float, float]]
    """Precision, recall and F1."""
    by_industry: dict[str, tuple[int, float]]
    """How many posts, and the macro-F1 over the stages."""


def figures(scores: NDArray[np.float64], stages: NDArray[np.intp], industries: Sequence[str]) -> Figures:
    """Compare held-out scores with the true stages."""
    judged, groups = scores.argmax(axis=1), np.array(industries)
    rows = np.array(precision_recall_fscore_support(stages, judged, labels=range(len(STAGES)), zero_division=0)[:3]).T
    by_industry = {
        str(group): (int((groups == group).sum()), _macro_f1(stages[groups == group], judged[groups == group]))
        for group in np.unique(groups)
    }
    by_stage = {stage.value: (row[0], row[1], row[2]) for stage, row in zip(STAGES, rows.tolist(), strict=True)}
    return Figures(_macro_f1(stages, judged), calibration_error(scores, stages), by_stage, by_industry)


def calibration_error(scores: NDArray[np.float64], stages: NDArray[np.intp]) -> float:
    """How far confidence is from the share that is right, on average over the posts, in ten equal ranges of confidence."""
    shares = softmax(scores, axis=1)
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == stages
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = np.bincount(bins, weights=right - confidence, minlength=10)
    return float(np.abs(gaps).sum() / len(stages))


def card(model: Model, found: Figures, digest: str) -> str:
    """The model card as Markdown."""
    counts = [count for count, _ in found.by_industry.values()]
    return _CARD.format(
        name=model.name,
        version=model.version,
        sha256=model.sha256,
        digest=digest,
        count=f"{sum(counts):,}",
        groups=len(counts),
        shares=", ".join(found.by_stage),
        macro_f1=found.macro_f1,
        ece=found.ece,
        stages="\n".join(f"| {name} | {p:.2f} | {r:.2f} | {f:.2f} |" for name, (p, r, f) in found.by_stage.items()),
        industries="\n".join(f"| {name} | {count} | {f1:.2f} |" for name, (count, f1) in found.by_industry.items()),
    )


def _macro_f1(true: NDArray[np.intp], judged: NDArray[np.intp]) -> float:
    """The mean over the stages that occur."""
    return float(f1_score(true, judged, average="macro", labels=np.unique(true), zero_division=0))
