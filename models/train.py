"""Train the first model: `python -m models.train` reads the corpus and writes the artifacts and the model card.

The brand families are dealt into folds, each judged by a model that has not seen it; from these judgements come the
figures of the card and the temperature, which makes a confidence of 0.8 right in about 8 cases of 10. The final model
then learns from everything.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from models import ngrams
from models.artifact import STEP, save_weights
from models.augment import altered
from models.card import Data, Figures, card, figures
from models.classifier import StageClassifier, probabilities
from models.corpora import FOLDS, SEED, Corpus, folds, read_corpus
from models.evaluate import read_labelled
from models.features import HashedNgrams, Rarity
from models.gate import refuse_worse
from models.pipeline_artifact import save_pipeline
from models.reference import Reference, band_counts, bands_of, confidence_counts, save_reference, share
from pipeline.drift import Shares
from pipeline.errors import TriageError
from pipeline.posts import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


HERE = Path(__file__).parent
NOTES = tuple(HERE / "corpus" / name for name in ("ROUNDS.md", "COMPARED.md"))
"""What was found on real posts, round by round (kept by hand, for no real post is part of the project); and what
`make compare` found."""
NAME, VERSION = "stages", "1.0.0"
STRENGTH = 0.005
"""The inverse of the regularisation."""
LEAN = np.array([0.9, 0.0, 0.0])
"""Added to the scores of the stages: among real posts reactive is more frequent, and harder to see, than among made-up
ones."""
CAUTION = 1.5
"""Confidences learnt from made-up posts are too high by this divisor of the scores: two readers agree on all but one in
2,390 of those, and on 94% of real ones. This and the lean were chosen with real posts in view, and count as far as the
corpus is made up."""


class Trained(NamedTuple):
    """What a training gives: the model, how it did on families unseen, and a name for exactly these weights."""

    pipeline: Pipeline
    figures: Figures
    digest: str
    data: Data
    judged: NDArray[np.intp]
    """The stage of each post by the model that had not seen its family."""
    reference: Reference
    """What is usual: those judgements' confidences, and how frequent words are."""


def train(corpus: Corpus, count: int, say: Callable[[str], None]) -> Trained:
    """Judge each fold of industries by a model that has not seen it, calibrate, then learn from everything."""
    scores = np.empty((len(corpus.texts), len(STAGES)))
    parts = list(folds(corpus, count))
    for number, (learnt, unseen) in enumerate(parts, start=1):
        say(f"fold {number} of {count}: learning from {len(learnt)} posts, judging {len(unseen)} of other families")
        model = fitted(_pick(corpus.texts, learnt), corpus.stages[learnt])
        scores[unseen] = model.decision_function(_pick(corpus.texts, unseen))
    lean, caution = LEAN * corpus.made_up, CAUTION**corpus.made_up
    honest = np.empty_like(scores)
    for learnt, unseen in parts:
        divisor = caution * temperature(scores[learnt], corpus.stages[learnt], lean)
        honest[unseen] = scores[unseen] / divisor + lean
    found = figures(honest, corpus.stages, corpus.industries, corpus.languages)
    say(f"macro-F1 {found.macro_f1:.3f} on unseen families; now learning from all {len(corpus.texts)} posts")
    pipeline = fitted(corpus.texts, corpus.stages)
    steps, bias = rounded(pipeline, caution * temperature(scores, corpus.stages, lean), lean)
    data = Data(len(set(corpus.families)), dict(Counter(corpus.languages)), corpus.origin)
    return Trained(pipeline, found, digest(steps, bias), data, honest.argmax(1), reference(corpus, parts, honest))


def reference(
    corpus: Corpus, parts: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]], honest: NDArray[np.float64]
) -> Reference:
    """What the worker will find if nothing changes: verdicts and words of families that were not learnt from."""
    shares = probabilities(honest)
    words = sum(
        band_counts(ngrams.words(_pick(corpus.texts, unseen)), bands_of(_pick(corpus.texts, learnt)))
        for learnt, unseen in parts
    )
    confidence = confidence_counts(shares.argmax(axis=1), shares.max(axis=1))
    return Reference(Shares(share(confidence), share(np.asarray(words))), bands_of(corpus.texts))


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


def temperature(scores: NDArray[np.floating], stages: NDArray[np.intp], lean: NDArray[np.float64]) -> float:
    """The divisor of the scores under which the true stages are the most probable, the lean added."""
    rows = np.arange(len(stages))

    def surprise(log_divisor: float) -> float:
        return -float(log_softmax(scores / np.exp(log_divisor) + lean, axis=1)[rows, stages].mean())

    return float(np.exp(minimize_scalar(surprise, bounds=(-3.0, 3.0), method="bounded").x))


def rounded(
    pipeline: Pipeline, divisor: float, lean: NDArray[np.float64]
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Put temperature and lean into the Pipeline's weights; rounded to STEPs, their sum over the stages is 0."""
    model = pipeline.named_steps["model"]
    centred = (model.coef_ - model.coef_.mean(axis=0)) / divisor
    limits = np.iinfo(np.int16)
    steps = np.rint(centred[:2] / STEP).clip(limits.min, limits.max).astype(np.int16).T
    bias = np.round((model.intercept_ - model.intercept_.mean()) / divisor + lean - lean.mean(), 6)
    first, second = (steps * STEP).T
    model.coef_, model.intercept_ = np.stack([first, second, -first - second]), bias
    return steps, bias


def weights_of(pipeline: Pipeline) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """The weights of a rounded Pipeline, as the artifact keeps them."""
    model = pipeline.named_steps["model"]
    return np.rint(model.coef_[:2] / STEP).astype(np.int16).T, model.intercept_


def digest(steps: NDArray[np.int16], bias: NDArray[np.float64]) -> str:
    """A name for exactly these weights and settings, the same on every run."""
    settings = f"{ngrams.FEATURES} {STRENGTH} {SEED} {STEP} {LEAN.tolist()} {CAUTION}".encode()
    return hashlib.sha256(settings + steps.astype("<i2").tobytes() + bias.astype("<f8").tobytes()).hexdigest()


def write(trained: Trained, folder: Path, card_path: Path, notes: str) -> list[Path]:
    """Write both artifacts and the reference with their hashes, and the card, which is in the Pipeline's file too."""
    folder.mkdir(parents=True, exist_ok=True)
    weights, whole = folder / "stages.npz", folder / "stages.skops"
    model = save_weights(weights, NAME, VERSION, *weights_of(trained.pipeline))
    text = card(model, trained.figures, trained.digest, trained.data, notes)
    save_pipeline(whole, trained.pipeline, text)
    card_path.write_text(text, encoding="utf-8")
    return [weights, whole, save_reference(weights, model, trained.reference), card_path]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and write; 0 if all went well, 1 with a message if the corpus cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m models.train", description="Train the first model.")
    parser.add_argument("--corpus", type=Path, default=HERE / "corpus" / "posts.csv", help="labelled posts (CSV)")
    parser.add_argument("--folder", type=Path, default=HERE / "artifacts", help="where the artifacts go")
    parser.add_argument("--card", type=Path, default=HERE / "MODEL_CARD.md", help="where the model card goes")
    parser.add_argument("--gate", type=Path, help="labelled posts on which the new model may not be worse than the old")
    parser.add_argument("--folds", type=int, default=FOLDS, help="into how many parts the families are dealt")
    chosen = parser.parse_args(arguments)
    try:
        trained = train(read_corpus(chosen.corpus), chosen.folds, print)
        if chosen.gate is not None:
            print(_through_gate(trained.pipeline, chosen.gate, chosen.folder / "stages.npz"))
    except TriageError as error:
        print(error)
        return 1
    notes = "\n".join(path.read_text(encoding="utf-8") for path in NOTES)
    for path in write(trained, chosen.folder, chosen.card, notes):
        print(f"wrote {path} ({path.stat().st_size:,} bytes)")
    print(f"digest {trained.digest}")
    return 0


def _through_gate(pipeline: Pipeline, gate: Path, in_use: Path) -> str:
    rows = read_labelled(gate)
    true, texts = np.array([STAGES.index(row.stage) for row in rows]), [row.text for row in rows]
    before = StageClassifier.load(in_use).scores(texts).argmax(axis=1)
    return refuse_worse(true, pipeline.decision_function(texts).argmax(axis=1), before)


def _pick(texts: Sequence[str], rows: NDArray[np.intp]) -> list[str]:
    return [texts[row] for row in rows]


if __name__ == "__main__":
    raise SystemExit(main())
