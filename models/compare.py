"""Why this model: others beside it on the same held-out brand families, as a Markdown table for the model card.

Every row is trained on the same folds and judged on families that it has not seen. Stock means scikit-learn's own
features (words 1-2 and characters 2-5 within words, TF-IDF).
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from models.corpora import FOLDS, SEED, Corpus, folds, read_corpus
from models.evaluate import macro_f1
from models.train import HERE, fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Judge = Callable[["Sequence[str]"], "NDArray[np.intp]"]
Learner = Callable[["list[str]", "NDArray[np.intp]"], Judge]

_BROAD = re.compile(
    r"\b(is|are|be|been) (down|offline)\b|outage|everyone|anyone else|servers?\b|whole|all of us|nobody|recall|notice",
    re.IGNORECASE,
)
_OWN = re.compile(r"\b(my|i'?m|i'?ve|me|order|account|refund|help|how (do|can)|when will|still)\b", re.IGNORECASE)

HEADING = """## Beside other models
Each judges the held-out families of the corpus (`make compare`; seconds for the training and judging of all folds)."""


class Row(NamedTuple):
    """One model's line of the table."""

    name: str
    macro_f1: float
    by_stage: tuple[float, ...]
    seconds: float


class Shape(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Eleven numbers of a text's surface: mentions, questions, links, hashtags, capitals, digits, emoji, length."""

    def fit(self, texts: Sequence[str], stages: object = None) -> Shape:  # noqa: ARG002
        """Learn nothing."""
        return self

    def transform(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(texts, 11)."""
        return np.array([_shape(text) for text in texts])


def compare(corpus: Corpus, say: Callable[[str], None]) -> list[Row]:
    """Judge each fold of families by models that have not seen it."""
    parts = list(folds(corpus, FOLDS))
    rows = []
    for name, learn in _learners().items():
        started, judged = time.monotonic(), np.empty(len(corpus.texts), np.intp)
        for learnt, unseen in parts:
            judge = learn([corpus.texts[row] for row in learnt], corpus.stages[learnt])
            judged[unseen] = judge([corpus.texts[row] for row in unseen])
        by_stage = tuple(_f1(corpus.stages, judged, stage) for stage in range(3))
        rows.append(Row(name, macro_f1(corpus.stages, judged), by_stage, time.monotonic() - started))
        say(f"{name}: {rows[-1].macro_f1:.3f}")
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown, the best first."""
    lines = ["| model | macro-F1 | reactive | proactive | engagement | seconds |", "|---|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda one: -one.macro_f1):
        stages = " | ".join(f"{f1:.3f}" for f1 in row.by_stage)
        lines.append(f"| {row.name} | {row.macro_f1:.3f} | {stages} | {row.seconds:.0f} |")
    return "\n".join(lines) + "\n"


def by_rules(text: str) -> int:
    """The keyword rules that a team would begin with: words of breadth, then words of one's own."""
    if _BROAD.search(text):
        return 1
    return 0 if "?" in text or _OWN.search(text) else 2


def _learners() -> dict[str, Learner]:
    return {
        "majority": _stock(lambda: DummyClassifier(strategy="prior")),
        "keyword rules": lambda _texts, _stages: lambda texts: np.array([by_rules(text) for text in texts]),
        "stock TF-IDF, logistic regression": _stock(
            lambda: make_pipeline(_tfidf(), LogisticRegression(C=4, class_weight="balanced", max_iter=2_000))
        ),
        "stock TF-IDF, linear SVM": _stock(lambda: make_pipeline(_tfidf(), LinearSVC(C=0.3, class_weight="balanced"))),
        "stock TF-IDF, complement naive Bayes": _stock(lambda: make_pipeline(_tfidf(), ComplementNB(alpha=0.3))),
        "shape of the post, gradient boosting": _stock(
            lambda: make_pipeline(Shape(), HistGradientBoostingClassifier(random_state=SEED))
        ),
        "stack of the SVM, naive Bayes and the shape": _stock(_stack),
        "**ours**: hashed n-grams, rarity, logistic regression": _ours,
    }


def _ours(texts: list[str], stages: NDArray[np.intp]) -> Judge:
    model = fitted(texts, stages)
    return lambda unseen: np.asarray(model.predict(unseen))


def _stock(make: Callable[[], Any]) -> Learner:
    def learn(texts: list[str], stages: NDArray[np.intp]) -> Judge:
        model = make().fit(np.array(texts, object), stages)
        return lambda unseen: np.asarray(model.predict(np.array(unseen, object)))

    return learn


def _tfidf() -> Any:
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=1)
    return make_union(words, TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2))


def _stack() -> Any:
    parts = [
        ("svm", make_pipeline(_tfidf(), LinearSVC(C=0.3, class_weight="balanced"))),
        ("bayes", make_pipeline(_tfidf(), ComplementNB(alpha=0.3))),
        ("shape", make_pipeline(Shape(), HistGradientBoostingClassifier(random_state=SEED))),
    ]
    return StackingClassifier(parts, LogisticRegression(class_weight="balanced"), cv=3)


def _shape(text: str) -> list[float]:
    letters = sum(character.isalpha() for character in text) or 1
    return [
        text.startswith("@"), text.count("@"), text.count("?"), text.count("!"), "http" in text, text.count("#"),
        sum(character.isupper() for character in text) / letters, sum(character.isdigit() for character in text),
        sum(ord(character) > 0x2600 for character in text), len(text), text.count(" "),
    ]  # fmt: skip


def _f1(true: NDArray[np.intp], judged: NDArray[np.intp], stage: int) -> float:
    hits = ((true == stage) & (judged == stage)).sum()
    return float(2 * hits / max(1, (true == stage).sum() + (judged == stage).sum()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and keep it for the model card."""
    parser = argparse.ArgumentParser(prog="python -m models.compare", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=HERE / "corpus" / "posts.csv")
    parser.add_argument("--out", type=Path, default=HERE / "corpus" / "COMPARED.md")
    chosen = parser.parse_args(arguments)
    found = table(compare(read_corpus(chosen.corpus), print))
    chosen.out.write_text(f"{HEADING}\n\n{found}", encoding="utf-8")
    print(found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
