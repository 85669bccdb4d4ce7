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

A linear model over hashed words, word pairs and runs of letters that puts a post into one of three stages: reactive,
proactive, engagement. `make train` writes this page.

| | |
|---|---|
| weights (what the worker loads) | artifacts/stages.npz, SHA-256 `{sha256}` |
| the scikit-learn Pipeline | artifacts/stages.skops |
| digest of weights and settings | `{digest}` |

## Data
{count} posts in {groups} industries and {families} brand families: {shares}; {foreign} in other languages than English
({languages}). {origin}

## How good
All figures are on held-out brand families: the families are dealt into folds, and each is judged by a model that has
seen no post of it.

- macro-F1 **{macro_f1:.3f}**
- expected calibration error {ece:.3f} (confidence against the share that is right, in ten equal ranges)

| stage | posts | precision | recall | F1 |
|---|---|---|---|---|
{stages}

| industry (the twenty with most posts) | posts | macro-F1 |
|---|---|---|
{industries}

| language | posts | macro-F1 |
|---|---|---|
{by_language}

{notes}
## Limits
- Made-up posts are tidier than real ones: expect a clearly lower figure on real posts, above all on turns in the middle
  of a conversation.
- The calibration holds for posts like those of the corpus; on real ones the model is too sure of itself.
- Most of the corpus is English: in other languages the model is weaker, in those that it lacks it guesses.
- The corpus has a larger share of proactive posts than most streams, so expect false alarms among the posts called so.
- It reads the text alone: no thread, picture, author or history. Sarcasm is missed, and so is
  breadth said between the lines.
- Numbers are read by their shape, handles and links as one word each: which account is named decides nothing.
- Words that the corpus lacks weigh nothing, or what another word in the same of 262,144 buckets weighs.

## Make it again
`make train` reads corpus/posts.csv, takes about a minute, and gives the same digest from the same corpus with the
pinned libraries. Both artifacts are checked against the `.sha256` beside them before they are read; neither
is a pickle.
"""


class Figures(NamedTuple):
    """How well held-out posts were judged."""

    macro_f1: float
    ece: float
    by_stage: dict[str, tuple[int, float, float, float]]
    """How many posts, precision, recall and F1."""
    by_industry: dict[str, tuple[int, float]]
    """How many posts, and the macro-F1 over the stages."""
    by_language: dict[str, tuple[int, float]]
    """The same."""


class Data(NamedTuple):
    """What the card says of the corpus beside the figures."""

    families: int
    languages: dict[str, int]
    origin: str
    """Whose posts they are, in a sentence."""


def figures(
    scores: NDArray[np.float64], stages: NDArray[np.intp], industries: Sequence[str], languages: Sequence[str]
) -> Figures:
    """Compare held-out scores with the true stages."""
    judged = scores.argmax(axis=1)
    rates = precision_recall_fscore_support(stages, judged, labels=range(len(STAGES)), zero_division=0)
    by_stage = {
        stage.value: (int(count), float(precision), float(recall), float(f1))
        for stage, precision, recall, f1, count in zip(STAGES, *rates, strict=True)
    }
    groups = (_by(np.array(names), stages, judged) for names in (industries, languages))
    return Figures(_macro_f1(stages, judged), calibration_error(scores, stages), by_stage, *groups)


def _by(groups: NDArray[np.str_], stages: NDArray[np.intp], judged: NDArray[np.intp]) -> dict[str, tuple[int, float]]:
    """For each group how many posts, and the macro-F1."""
    return {
        str(group): (int((groups == group).sum()), _macro_f1(stages[groups == group], judged[groups == group]))
        for group in np.unique(groups)
    }


def calibration_error(scores: NDArray[np.float64], stages: NDArray[np.intp]) -> float:
    """How far confidence is from the share that is right, averaged over the posts in ten equal ranges."""
    shares = softmax(scores, axis=1)
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == stages
    bins = np.minimum((confidence * 10).astype(int), 9)
    gaps = np.bincount(bins, weights=right - confidence, minlength=10)
    return float(np.abs(gaps).sum() / len(stages))


def card(model: Model, found: Figures, digest: str, data: Data, notes: str) -> str:
    """The model card as Markdown; `notes` is what else was found, with headings of its own."""
    largest = sorted(found.by_industry.items(), key=lambda item: (-item[1][0], item[0]))[:20]
    foreign = {language: count for language, count in data.languages.items() if language != "en"}
    return _CARD.format(
        families=f"{data.families:,}",
        foreign=f"{sum(foreign.values()):,}",
        languages=", ".join(f"{language} {count}" for language, count in sorted(foreign.items())),
        notes=notes,
        origin=data.origin,
        name=model.name,
        version=model.version,
        sha256=model.sha256,
        digest=digest,
        count=f"{sum(count for count, _ in found.by_industry.values()):,}",
        groups=len(found.by_industry),
        shares=", ".join(f"{count:,} {name}" for name, (count, *_) in found.by_stage.items()),
        macro_f1=found.macro_f1,
        ece=found.ece,
        stages="\n".join(
            f"| {name} | {count:,} | {precision:.2f} | {recall:.2f} | {f1:.2f} |"
            for name, (count, precision, recall, f1) in found.by_stage.items()
        ),
        industries=_lines(largest),
        by_language=_lines(sorted(found.by_language.items())),
    )


def _lines(groups: Sequence[tuple[str, tuple[int, float]]]) -> str:
    return "\n".join(f"| {name} | {count:,} | {f1:.2f} |" for name, (count, f1) in groups)


def _macro_f1(true: NDArray[np.intp], judged: NDArray[np.intp]) -> float:
    """The mean over the stages that occur."""
    return float(f1_score(true, judged, average="macro", labels=np.unique(true), zero_division=0))
