"""Train the first model: `python -m models.train` reads the corpus and writes the artifacts and the model card.

The brand families are dealt into folds, each judged by a model that has not seen it; from these judgements come the
figures of the card and the temperature, which makes a confidence of 0.8 right in about 8 cases of 10. The final model
then learns from everything.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline

from models import ngrams
from models.artifact import STEP, save_weights
from models.augment import altered
from models.card import Data, Figures, card, figures
from models.features import HashedNgrams, Rarity
from models.pipeline_artifact import save_pipeline
from pipeline.errors import ModelError
from pipeline.posts import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from models.evaluate import Labelled

HERE = Path(__file__).parent
ROUNDS = HERE / "corpus" / "ROUNDS.md"
"""What was found on real posts, round by round: kept by hand, for no real post is part of the project."""
NAME, VERSION = "stages", "0.1.0"
SEED, FOLDS, STRENGTH = 20_11, 5, 0.005
"""STRENGTH is the inverse of the regularisation."""
LEAN = np.array([0.3, -0.2, 0.0])
"""Added to the scores of the stages: a missed reactive post costs most, and a broad alarm goes out to everyone; the mix
of real streams leans the same way against the corpus's."""


class Corpus(NamedTuple):
    """Texts with their stage (its place in STAGES) and brand family."""

    texts: list[str]
    stages: NDArray[np.intp]
    families: list[str]
    industries: list[str]
    languages: list[str]


class Trained(NamedTuple):
    """What a training gives: the model, how it did on families unseen, and a name for exactly these weights."""

    pipeline: Pipeline
    figures: Figures
    digest: str
    data: Data
    judged: NDArray[np.intp]
    """The stage of each post by the model that had not seen its family."""


def read_corpus(path: Path) -> Corpus:
    """The labelled posts of a CSV file with at least the columns text, stage, family, industry, language."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        names = [stage.value for stage in STAGES]
        stages = np.array([names.index(row["stage"]) for row in rows], np.intp)
        columns = ([row[name] for row in rows] for name in ("family", "industry", "language"))
        return Corpus([row["text"] for row in rows], stages, *columns)
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
    return Corpus([row.text for row in rows], stages, families, ["own labels"] * count, ["not said"] * count)


def joined(one: Corpus, other: Corpus) -> Corpus:
    """Both, one after the other."""
    stages = np.concatenate([one.stages, other.stages])
    rest = (one.families + other.families, one.industries + other.industries, one.languages + other.languages)
    return Corpus(one.texts + other.texts, stages, *rest)


def train(corpus: Corpus, count: int, say: Callable[[str], None]) -> Trained:
    """Judge each fold of industries by a model that has not seen it, calibrate, then learn from everything."""
    scores = np.empty((len(corpus.texts), len(STAGES)))
    parts = list(folds(corpus, count))
    for number, (learnt, unseen) in enumerate(parts, start=1):
        say(f"fold {number} of {count}: learning from {len(learnt)} posts, judging {len(unseen)} of other families")
        model = fitted(_pick(corpus.texts, learnt), corpus.stages[learnt])
        scores[unseen] = model.decision_function(_pick(corpus.texts, unseen))
    honest = np.empty_like(scores)
    for learnt, unseen in parts:
        honest[unseen] = scores[unseen] / temperature(scores[learnt], corpus.stages[learnt]) + LEAN
    found = figures(honest, corpus.stages, corpus.industries)
    say(f"macro-F1 {found.macro_f1:.3f} on unseen families; now learning from all {len(corpus.texts)} posts")
    pipeline = fitted(corpus.texts, corpus.stages)
    steps, bias = rounded(pipeline, temperature(scores, corpus.stages))
    data = Data(len(set(corpus.families)), dict(Counter(corpus.languages)))
    return Trained(pipeline, found, digest(steps, bias), data, honest.argmax(1))


def fitted(texts: Sequence[str], stages: NDArray[np.intp]) -> Pipeline:
    """The Pipeline, trained on the texts and as many altered ones.

    How rare the features are is put into the weights, so that judging needs no third step.
    """
    features, rarity = HashedNgrams(), Rarity()
    model = LogisticRegression(C=STRENGTH, max_iter=2_000, random_state=SEED)
    both = [*texts, *altered(texts, np.random.default_rng(SEED))]
    model.fit(rarity.fit_transform(features.transform(both)), np.tile(stages, 2))
    model.coef_ *= rarity.scale_
    model.coef_[:, ngrams.BUCKETS] = 0  # the bucket that stands for no run
    return Pipeline([("features", features), ("model", model)])


def temperature(scores: NDArray[np.floating], stages: NDArray[np.intp]) -> float:
    """The divisor of the scores under which the true stages are the most probable, the lean added."""
    rows = np.arange(len(stages))

    def surprise(log_divisor: float) -> float:
        return -float(log_softmax(scores / np.exp(log_divisor) + LEAN, axis=1)[rows, stages].mean())

    return float(np.exp(minimize_scalar(surprise, bounds=(-3.0, 3.0), method="bounded").x))


def rounded(pipeline: Pipeline, divisor: float) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Put temperature and lean into the Pipeline's weights; rounded to STEPs, their sum over the stages is 0."""
    model = pipeline.named_steps["model"]
    centred = (model.coef_ - model.coef_.mean(axis=0)) / divisor
    limits = np.iinfo(np.int16)
    steps = np.rint(centred[:2] / STEP).clip(limits.min, limits.max).astype(np.int16).T
    bias = np.round((model.intercept_ - model.intercept_.mean()) / divisor + LEAN - LEAN.mean(), 6)
    first, second = (steps * STEP).T
    model.coef_, model.intercept_ = np.stack([first, second, -first - second]), bias
    return steps, bias


def weights_of(pipeline: Pipeline) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """The weights of a rounded Pipeline, as the artifact keeps them."""
    model = pipeline.named_steps["model"]
    return np.rint(model.coef_[:2] / STEP).astype(np.int16).T, model.intercept_


def digest(steps: NDArray[np.int16], bias: NDArray[np.float64]) -> str:
    """A name for exactly these weights and settings, the same on every run."""
    settings = f"{ngrams.FEATURES} {STRENGTH} {SEED} {STEP} {LEAN.tolist()}".encode()
    return hashlib.sha256(settings + steps.astype("<i2").tobytes() + bias.astype("<f8").tobytes()).hexdigest()


def write(trained: Trained, folder: Path, card_path: Path) -> list[Path]:
    """Write both artifacts with their hashes, and the card."""
    folder.mkdir(parents=True, exist_ok=True)
    weights, whole = folder / "stages.npz", folder / "stages.skops"
    model = save_weights(weights, NAME, VERSION, *weights_of(trained.pipeline))
    save_pipeline(whole, trained.pipeline)
    card_path.write_text(
        card(model, trained.figures, trained.digest, trained.data, ROUNDS.read_text(encoding="utf-8")), encoding="utf-8"
    )
    return [weights, whole, card_path]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and write; 0 if all went well, 1 with a message if the corpus cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m models.train", description="Train the first model.")
    parser.add_argument("--corpus", type=Path, default=HERE / "corpus" / "posts.csv", help="labelled posts (CSV)")
    parser.add_argument("--folder", type=Path, default=HERE / "artifacts", help="where the artifacts go")
    parser.add_argument("--card", type=Path, default=HERE / "MODEL_CARD.md", help="where the model card goes")
    parser.add_argument("--folds", type=int, default=FOLDS, help="into how many parts the families are dealt")
    chosen = parser.parse_args(arguments)
    try:
        trained = train(read_corpus(chosen.corpus), chosen.folds, print)
    except ModelError as error:
        print(error)
        return 1
    for path in write(trained, chosen.folder, chosen.card):
        print(f"wrote {path} ({path.stat().st_size:,} bytes)")
    print(f"digest {trained.digest}")
    return 0


def folds(corpus: Corpus, count: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Whole brand families dealt into folds: the rows to learn from, and those to judge."""
    splitter = GroupKFold(count, shuffle=True, random_state=SEED)
    return iter(splitter.split(corpus.texts, groups=corpus.families))


def _pick(texts: Sequence[str], rows: NDArray[np.intp]) -> list[str]:
    return [texts[row] for row in rows]


if __name__ == "__main__":
    raise SystemExit(main())
