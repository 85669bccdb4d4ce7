"""The first model as the worker uses it: verdicts of a batch, and the words that decided."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import ngrams
from models.artifact import SHIPPED, Weights
from models.classifier import StageClassifier, probabilities
from models.pipeline_artifact import load_pipeline
from pipeline.classify import Classifier, Model
from pipeline.posts import STAGES, Author, Post, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

STEADY = settings(derandomize=True)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=80)


def post(text: str) -> Post:
    """A post of which only the text counts."""
    return Post(id="1", first_id="1", text=text, author=Author("7"), created_at=0, conversation_id="1")


@pytest.fixture(scope="module")
def shipped() -> StageClassifier:
    """The model that the project ships."""
    return StageClassifier.load()


@pytest.fixture(scope="module")
def pipeline_scores() -> Callable[[list[str]], NDArray[np.float64]]:
    """The decision function of the Pipeline that the project ships."""
    decide: Callable[[list[str]], NDArray[np.float64]] = load_pipeline(SHIPPED.with_suffix(".skops")).decision_function
    return decide


def toy(words: dict[str, complex]) -> StageClassifier:
    """A model that knows a few words: the real part speaks for reactive, the imaginary one for proactive."""
    pairs = np.zeros(ngrams.COLUMNS, np.complex64)
    for word, weight in words.items():
        pairs[ngrams.buckets(ngrams.words([word]))[2]] = weight
    return StageClassifier(Weights(Model("toy", "1", "0"), pairs, np.array([0.25, 0.25, -0.5])))


def test_it_is_a_classifier_of_the_pipeline(shipped: StageClassifier) -> None:
    """The worker's protocol is implemented, and the model says which it is."""
    classifier: Classifier = shipped

    assert classifier.model.name == "stages"
    assert len(classifier.model.sha256) == 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@acme where is my parcel? order 4711 has not moved since monday", Stage.REACTIVE),
        ("is the @acme app down for everyone else? servers down again", Stage.PROACTIVE),
        ("@acme love the new album, best day ever ❤️", Stage.ENGAGEMENT),
    ],
)
def test_plain_cases(shipped: StageClassifier, text: str, expected: Stage) -> None:
    """Posts that nobody would argue about get their stage."""
    [verdict] = shipped.classify([post(text)])

    assert expected == verdict.stage


@STEADY
@given(texts=st.lists(TEXTS, max_size=5))
def test_verdicts_are_sound(shipped: StageClassifier, texts: list[str]) -> None:
    """One verdict a post, in order; scores of four decimals that sum to 1, the best of which names the stage."""
    verdicts = shipped.classify([post(text) for text in texts])

    assert [shipped.classify([post(text)])[0] for text in texts] == verdicts
    for verdict in verdicts:
        assert pytest.approx(1, abs=1e-12) == sum(verdict.scores)
        assert [round(score, 4) for score in verdict.scores] == list(verdict.scores)
        assert verdict.confidence == max(verdict.scores) == verdict.scores[STAGES.index(verdict.stage)]


def test_an_empty_batch_has_no_verdicts(shipped: StageClassifier) -> None:
    """Nothing in, nothing out."""
    assert shipped.classify([]) == []


@STEADY
@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
def test_scores_are_those_of_the_pipeline(
    shipped: StageClassifier, pipeline_scores: Callable[[list[str]], NDArray[np.float64]], texts: list[str]
) -> None:
    """What the worker computes is the shipped Pipeline's decision function, within a millionth."""
    np.testing.assert_allclose(shipped.scores(texts), pipeline_scores(texts), rtol=1e-6, atol=1e-9)


@STEADY
@given(text=TEXTS)
def test_contributions_are_exact(shipped: StageClassifier, text: str) -> None:
    """The contributions of the words add up to the winning stage's score, and the most telling stands first."""
    [verdict] = shipped.classify([post(text)])
    expected = shipped.scores([text])[0][STAGES.index(verdict.stage)]

    told = shipped.explain(post(text))

    assert pytest.approx(expected, rel=1e-6, abs=1e-9) == sum(added for _, added in told)
    assert sorted((abs(added) for _, added in told), reverse=True) == [abs(added) for _, added in told]


def test_the_words_that_decide_are_named() -> None:
    """A word that stands twice counts twice, over the root of how many n-grams there are."""
    classifier = toy({"refund": 3 - 1j, "outage": -2 + 4j})
    root = 10**0.5
    expected = {"refund": 2 * 3 / root, "outage": -2 / root, "(every post)": 0.25}

    told = classifier.explain(post("refund now, REFUND outage"))

    assert list(expected) == [name for name, _ in told]
    assert pytest.approx(expected) == dict(told)


def test_probabilities_are_rounded_without_loss() -> None:
    """Whole parts of 10,000 that sum to it, also where each of three equal shares would be rounded down."""
    found = probabilities(np.array([[0.0, 0.0, 0.0], [900.0, -900.0, 0.0], [1.0, 2.0, 3.0]]))

    expected = [[0.3334, 0.3333, 0.3333], [1.0, 0.0, 0.0], [0.09, 0.2447, 0.6653]]
    assert expected == found.tolist()


def test_loading_is_quick_and_small() -> None:
    """Under a second after the imports, under 200 MB with them."""
    program = (
        "import psutil, time; from models.classifier import StageClassifier; begun = time.process_time();"
        "StageClassifier.load(); print(time.process_time() - begun, psutil.Process().memory_info().rss)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    seconds, resident = map(float, done.stdout.split())
    assert seconds < 1
    assert resident < 200_000_000
