"""Stock scikit-learn: n-grams, TF-IDF, logistic regression, trained on the project's posts; a batch at once."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from pipeline.classify import Model
from pipeline.posts import STAGES, Post, Verdict

CORPUS = Path(__file__).parents[2] / "models" / "corpus" / "posts.csv"


class StockClassifier:
    """What one writes in an afternoon: words and pairs, or with `letters` the n-grams that our model reads too."""

    model = Model("stock", "1", "0" * 64)
    second = None

    def __init__(self, *, letters: bool = False) -> None:
        with CORPUS.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self._pipeline = pipeline(letters=letters)
        self._pipeline.fit([row["text"] for row in rows], [row["stage"] for row in rows])
        self._columns = [list(self._pipeline.classes_).index(stage.value) for stage in STAGES]

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """A batch."""
        if not posts:
            return []
        scores = self._pipeline.predict_proba([post.text for post in posts])[:, self._columns].round(4)
        best = scores.argmax(axis=1).tolist()
        return [
            Verdict(STAGES[index], row[index], (row[0], row[1], row[2]))
            for index, row in zip(best, scores.tolist(), strict=True)
        ]

    def explain(self, post: Post) -> list[tuple[str, float]]:
        """Not asked for here."""
        return [(post.text, 0.0)]


def pipeline(*, letters: bool) -> Pipeline:
    """Stock parts, not trained; `letters`: runs of 3 to 5 letters within the words as well."""
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"[\w@#'$%&]+|\?+|!+")
    if letters:
        runs = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5))
        words = FeatureUnion([("words", words), ("letters", runs)])
    return make_pipeline(words, LogisticRegression(max_iter=500))
