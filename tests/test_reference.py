"""What was learnt from: which words, how sure; written beside the weights, counted beside the verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models import ngrams
from models.artifact import SHIPPED, load_weights, save_weights, write_hash
from models.classifier import StageClassifier
from models.reference import Reference, Watch, band_counts, bands_of, load_reference, path_of, save_reference, share
from pipeline.classify import Model
from pipeline.decode import decode
from pipeline.drift import BANDS, CONFIDENCE_LABELS, Shares, psi
from pipeline.errors import ModelError
from pipeline.posts import Author, Post

SAMPLE = Path(__file__).parents[1] / "agents" / "sample" / "posts.jsonl"
SHARES = Shares(tuple([0.0] * 29 + [1.0]), tuple([1.0] + [0.0] * 9))


class Heard:
    """Keeps what it is told; implements pipeline.drift.Watcher."""

    def __init__(self) -> None:
        self.shares: list[Shares] = []
        self.verdicts = np.zeros(len(CONFIDENCE_LABELS), int)
        self.words = np.zeros(len(BANDS), int)

    def learnt_from(self, shares: Shares) -> None:
        """Keep."""
        self.shares.append(shares)

    def judged(self, counts: Sequence[int]) -> None:
        """Add."""
        self.verdicts += counts

    def read(self, counts: Sequence[int]) -> None:
        """Add."""
        self.words += counts


def posts(texts: Sequence[str]) -> list[Post]:
    """Posts of which only the text counts."""
    return [Post(str(number), str(number), text, Author("7"), 0, "1") for number, text in enumerate(texts)]


@pytest.fixture
def weights(tmp_path: Path) -> tuple[Path, Model]:
    """A small file of weights."""
    path = tmp_path / "small.npz"
    return path, save_weights(path, "small", "1", np.zeros((ngrams.COLUMNS, 2), np.int16), np.zeros(3))


def test_frequent_words_are_in_the_first_band() -> None:
    """A word that alone is half of all is in band 1, the rare ones come last, and what was never seen is unseen."""
    bands = bands_of(["help help help help help", "my parcel", "is late", "today"])

    def band(text: str) -> list[int]:
        return list(band_counts(ngrams.words([text]), bands))

    assert [0, 1, 0, 0, 0, 0, 0, 0, 0, 0] == band("help")
    assert [2, 0, 0, 0, 0, 0, 0, 0, 0, 0] == band("strange words")
    assert 1 == sum(band("today")[5:])


def test_it_comes_back_as_it_was(weights: tuple[Path, Model]) -> None:
    """Shares and bands, from a file with a hash of its own."""
    written = Reference(SHARES, bands_of(["where is my parcel"]))

    save_reference(*weights, written)
    found = load_reference(*weights)

    assert found is not None
    assert SHARES == found.shares
    assert np.array_equal(written.bands, found.bands)


def test_weights_alone_are_fine(weights: tuple[Path, Model]) -> None:
    """A model without it is used all the same: verdicts are counted, words cannot be."""
    heard = Heard()

    StageClassifier.load(weights[0], heard).classify(posts(["where is my parcel"]))

    assert [] == heard.shares
    assert 1 == heard.verdicts.sum()
    assert 0 == heard.words.sum()


def test_that_of_other_weights_is_refused(weights: tuple[Path, Model]) -> None:
    """It would compare with what the model has never seen; the message says what to do."""
    path, model = weights
    save_reference(path, Model("other", "1", "0"), Reference(SHARES, bands_of(["a"])))

    with pytest.raises(ModelError, match=r"another model than small\.npz.*or delete it"):
        load_reference(path, model)


def test_a_changed_one_is_refused(weights: tuple[Path, Model]) -> None:
    """Its hash says so, and what is no such file is not taken for one."""
    path = save_reference(*weights, Reference(SHARES, bands_of(["a"])))
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(ModelError, match="SHA-256"):
        load_reference(*weights)
    np.savez(path, about=np.frombuffer(json.dumps({}).encode(), np.uint8))
    write_hash(path)
    with pytest.raises(ModelError, match="does not say what was learnt from"):
        load_reference(*weights)


def test_what_is_counted_is_what_was_judged() -> None:
    """Each verdict in the bin of its stage and confidence, each word in one band; empty batches count nothing."""
    heard = Heard()
    classifier = StageClassifier(load_weights(), Watch(heard, Reference(SHARES, bands_of(["where is my parcel"]))))

    verdicts = classifier.classify(posts(["where is my parcel", "love it!!", ""]))
    classifier.classify([])

    expected = [
        next(label for label in CONFIDENCE_LABELS if label[0] == one.stage and one.confidence <= float(label[1]))
        for one in verdicts
    ]
    found = [label for label, count in zip(CONFIDENCE_LABELS, heard.verdicts, strict=True) for _ in range(count)]
    assert sorted(expected) == sorted(found)
    assert [3, 4] == [heard.words[0], heard.words[1:].sum()]
    assert [SHARES] == heard.shares


def test_the_shipped_one_knows_what_is_alike_and_what_is_not() -> None:
    """The posts of the demo, which it has not learnt from, have the words of training; spelt backwards, none."""
    reference = load_reference(SHIPPED, load_weights().model)
    assert reference is not None
    lines = [line for line in SAMPLE.read_bytes().splitlines() if line]
    found = decode(lines, [0] * len(lines))
    sample = [post for post in found if isinstance(post, Post)]

    def index(texts: list[str]) -> float:
        return psi(share(band_counts(ngrams.words(texts), reference.bands)), reference.shares.words)

    assert index([post.text for post in sample]) < 0.1
    assert index([post.text[::-1] for post in sample]) > 0.25
    assert path_of(SHIPPED).name == "stages.reference.npz"
    assert sum(reference.shares.confidence) == pytest.approx(1, abs=1e-4)
    assert sum(reference.shares.words) == pytest.approx(1, abs=1e-4)
