"""The hashed n-grams: the fast version against the slow one, the sparse matrix against both."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import reference_ngrams
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from models import ngrams
from models.features import HashedNgrams, Rarity

ALPHABET = st.one_of(st.characters(codec="utf-8"), st.sampled_from(" @/?!'’…\n\0\x1e\x1dAß0İΣσς😭"))
STEADY = settings(derandomize=True)
TEXTS = st.lists(st.one_of(st.text(ALPHABET, max_size=60), st.sampled_from(["", " ", "?!", "@"])), max_size=6)


def rows(texts: list[str]) -> list[list[int]]:
    """The fast version's buckets of words and pairs, a list a text."""
    found = ngrams.words(texts)
    return [part.tolist() for part in np.split(ngrams.buckets(found), 2 * found.marks[1:-1])]


def runs(texts: list[str]) -> list[list[int]]:
    """The fast version's buckets of runs, in order, a list a text."""
    found = ngrams.words(texts)
    begins = found.starts.take(found.marks)
    return [
        sorted(bucket for run in ngrams.run_buckets(found) for bucket in run[start:end].tolist() if bucket)
        for start, end in pairwise(begins.tolist())
    ]


@STEADY
@given(TEXTS.filter(bool))
def test_fast_and_slow_buckets_are_the_same(texts: list[str]) -> None:
    """Any Unicode, empty texts and the mark itself fall into the buckets that plain Python computes, text by text."""
    expected = [reference_ngrams.buckets(text) for text in texts]
    expected_runs = [sorted(filter(None, reference_ngrams.run_buckets(text))) for text in texts]

    assert expected == rows(texts)
    assert expected_runs == runs(texts)


@STEADY
@given(TEXTS)
def test_the_matrix_counts_the_buckets(texts: list[str]) -> None:
    """A row of the matrix holds each bucket's count over the root of how many words and pairs the text has."""
    expected = []
    for text in texts:
        found = reference_ngrams.buckets(text)
        counted = Counter([*found, *(ngrams.BUCKETS + run for run in reference_ngrams.run_buckets(text) if run)])
        expected.append({bucket: pytest.approx(n / len(found) ** 0.5) for bucket, n in counted.items()})

    matrix = HashedNgrams().transform(texts)
    matrix.sum_duplicates()

    assert (len(texts), ngrams.COLUMNS) == matrix.shape
    assert expected == [dict(zip(row.indices.tolist(), row.data.tolist(), strict=True)) for row in matrix]


@STEADY
@given(TEXTS, st.integers(0, 2**32 - 1))
def test_scores_are_the_matrix_times_the_weights(texts: list[str], seed: int) -> None:
    """The fused scorer gives what the matrix product gives, within a millionth."""
    random = np.random.default_rng(seed)
    steps = random.integers(-900, 900, (ngrams.COLUMNS, 2)).astype(np.float32) / 256
    steps[ngrams.BUCKETS] = 0  # the bucket that stands for no run
    bias = random.normal(size=3)
    columns = np.stack([*steps.T, -steps.sum(axis=1)], axis=1).astype(np.float64)
    expected = HashedNgrams().transform(texts) @ columns + bias

    found = ngrams.scores(texts, steps.view(np.complex64).ravel(), bias)

    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_a_text_is_judged_alike_in_any_batch() -> None:
    """A text's buckets do not depend on its neighbours, nor on a batch longer than the tables that are kept ready."""
    text = "Is @acme down? https://t.co/a1B2 İstanbul’da"
    filler = "all quiet here " * 10_000
    [expected] = rows([text])

    assert [expected, expected] == rows([text, filler, filler, text])[::3]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hey @acme", "HEY @115858"),
        ("order 4711 late", "order 9023 late"),
        ("see https://t.co/abC1", "see https://t.co/Zz99"),
        ("don’t wait…", "don't wait"),
        ("a\x1eb\nc", "a b c"),
    ],
)
def test_what_is_folded(one: str, other: str) -> None:
    """Handles, digits, links, case, typographic apostrophes and dots, and separators make no difference."""
    assert rows([one]) == rows([other])
    assert runs([one]) == runs([other])


@pytest.mark.parametrize(
    ("one", "other"), [("down", "down?"), ("@acme hello", "hello @acme"), ("is it", "it is"), ("late", "later")]
)
def test_what_is_told_apart(one: str, other: str) -> None:
    """Question marks, order, and where a handle stands make a difference."""
    assert rows([one]) != rows([other])


def test_buckets_stay_where_they_are() -> None:
    """Weights on disk rely on these numbers: whoever changes them changes FEATURES too."""
    expected = (
        "words-runs-2",
        [238843, 104866, 131933, 260859, 125804, 22159, 62096, 180296, 118748, 87428, 167580, 28554],
    )

    assert expected == (ngrams.FEATURES, rows(["Is it down? @acme"])[0])
    assert [24130, 38185, 78469, 81168, 84307, 202446, 237287, 248717, 256710] == runs(["help"])[0]


def test_names_stand_beside_their_buckets() -> None:
    """Each bucket has the word or the pair that it stands for, the ends of the text said."""
    found = ngrams.words(["Hi @Acme!"])
    expected = ["(every post)", "(start) hi", "hi", "hi @acme", "@acme", "@acme !", "!", "! (end)"]

    names = ngrams.names(found)

    assert expected == names
    assert len(names) == len(ngrams.buckets(found))


def test_runs_lie_within_a_word() -> None:
    """A word of four letters, its edges blank, has nine runs: four of 3, three of 4, two of 5; an account has none."""
    assert 9 == len(runs(["help"])[0])
    assert runs(["help"]) == runs(["@acme help https://t.co/abc"[6:10]])
    assert [] == runs(["@acme"])[0]
    assert runs(["see https://t.co/abc"]) == runs(["see https://t.co/"])
    assert sorted(runs(["help me"])[0]) == sorted(runs(["help"])[0] + runs(["me"])[0])


def test_each_run_belongs_to_its_word() -> None:
    """The word that a run is shown under is the one that its letters stand in."""
    found = ngrams.words(["help me"])
    names, owners = ngrams.names(found)[::2], ngrams.run_owners(found)

    shown = Counter(names[owners[place]] for run in ngrams.run_buckets(found) for place in np.flatnonzero(run))

    assert {"help": 9, "me": 3} == dict(shown)


def test_no_texts_no_rows() -> None:
    """An empty batch has no scores."""
    weights = np.zeros(ngrams.COLUMNS, np.complex64)

    assert ngrams.scores([], weights, np.zeros(3)).shape == (0, 3)


def test_the_transformer_keeps_to_the_rules_of_scikit_learn() -> None:
    """It can be cloned, has no settings, and is ready without having been fitted."""
    transformer = clone(HashedNgrams()).set_params()

    assert transformer.get_params() == {}
    assert transformer.fit(["x"]).transform(["x"]).shape == (1, ngrams.COLUMNS)
    assert not transformer.__sklearn_tags__().requires_fit


def test_the_checks_of_scikit_learn_hold() -> None:
    """What it asks of its own transformers of numbers; for those of text, as HashedNgrams is, it has no checks."""
    results = check_estimator(Rarity(), on_fail=None, on_skip=None)

    assert len(results) > 40
    assert {"check_array_api_input"} >= {result["check_name"] for result in results if result["status"] != "passed"}


def test_the_worker_needs_no_scikit_learn() -> None:
    """Loading the model that the worker uses imports neither scikit-learn nor scipy: that would take seconds."""
    program = (
        "import sys; from models.classifier import StageClassifier; StageClassifier.load();"
        "print(sorted({'sklearn', 'scipy', 'skops'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
