"""A team's own Pipeline in the first model's seat: judged as scikit-learn judges, or refused with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC

from agents.classifiers import Silent, load_classifier
from models.any_pipeline import PipelineClassifier
from models.pipeline_artifact import save_pipeline
from pipeline.errors import ModelError
from pipeline.posts import STAGES, Author, Post
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [
    "my parcel is lost",
    "where is my refund",
    "servers down for everyone",
    "outage in leeds",
    "love it",
    "great ad",
]
NAMES = ["reactive", "reactive", "proactive", "proactive", "engagement", "engagement"]
UNSEEN = ["my refund is lost", "everyone is down", "great love"]


def post(text: str) -> Post:
    """A post of which only the text counts."""
    return Post(id="1", first_id="1", text=text, author=Author("7"), created_at=0, conversation_id="1")


def trained(model: Any, labels: list[Any]) -> Pipeline:
    """A Pipeline of stock parts."""
    return make_pipeline(CountVectorizer(), model).fit(TEXTS, labels)


@pytest.mark.parametrize("labels", [NAMES, [0, 0, 1, 1, 2, 2]], ids=["by name", "by place"])
@pytest.mark.parametrize("model", [LogisticRegression(), ComplementNB()], ids=["logistic", "bayes"])
def test_a_pipeline_of_stock_parts_judges(tmp_path: Path, model: Any, labels: list[Any]) -> None:
    """Through the file, the settings and the seat it says what scikit-learn says, stages in their order."""
    pipeline = trained(model, labels)
    save_pipeline(tmp_path / "ours.skops", pipeline)

    classifier = load_classifier(Settings(model=tmp_path / "ours.skops"), Silent())
    verdicts = classifier.classify([post(text) for text in UNSEEN])

    expected = pipeline.predict(UNSEEN).tolist()
    assert [verdict.stage.value if labels is NAMES else STAGES.index(verdict.stage) for verdict in verdicts] == expected
    for verdict, row in zip(verdicts, pipeline.predict_proba(UNSEEN), strict=True):
        assert np.sort(verdict.scores) == pytest.approx(np.sort(row), abs=1e-4)
        assert verdict.confidence == max(verdict.scores)
    assert classifier.model.name == "ours"
    assert len(classifier.model.sha256) == 64
    assert classifier.classify([]) == []


def test_a_model_without_probabilities_is_refused(tmp_path: Path) -> None:
    """A bare SVM has no probabilities: the message says what to end the Pipeline with."""
    save_pipeline(tmp_path / "svm.skops", trained(LinearSVC(), NAMES))

    with pytest.raises(ModelError, match="predict_proba"):
        PipelineClassifier.load(tmp_path / "svm.skops")


def test_other_classes_are_refused(tmp_path: Path) -> None:
    """A model of something else is refused, with the classes that it has."""
    save_pipeline(tmp_path / "mood.skops", trained(LogisticRegression(), ["good", "bad"] * 3))

    with pytest.raises(ModelError, match=r"\['bad', 'good'\]"):
        PipelineClassifier.load(tmp_path / "mood.skops")
