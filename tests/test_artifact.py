"""The artifacts: what is written is read again, and what is not ours is refused with a message that helps."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from models import ngrams
from models.artifact import SHIPPED, load_weights, save_weights, write_hash
from models.features import HashedNgrams
from models.pipeline_artifact import load_pipeline, save_pipeline
from pipeline.errors import ModelError

BIAS = np.array([0.5, -0.25, -0.25])


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A small file of weights."""
    steps = np.zeros((ngrams.COLUMNS, 2), np.int16)
    steps[7] = 4096, -8192
    path = tmp_path / "small.npz"
    save_weights(path, "small", "1.2.3", steps, BIAS)
    return path


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """A Pipeline trained on three words."""
    model = LogisticRegression(max_iter=50)
    return Pipeline([("features", HashedNgrams()), ("model", model)]).fit(["late", "down", "love"], [0, 1, 2])


def write_parts(path: Path, **changed: np.ndarray) -> None:
    """A file of weights that is right but for what is changed, with its hash."""
    about = json.dumps({"name": "n", "version": "1", "features": ngrams.FEATURES}).encode()
    right = {"about": np.frombuffer(about, np.uint8), "buckets": np.zeros(1, "<u4"), "steps": np.zeros((1, 2), "<i2")}
    buffer = io.BytesIO()
    np.savez(buffer, **{**right, "bias": BIAS, **changed})  # type: ignore[arg-type]
    path.write_bytes(buffer.getvalue())
    write_hash(path)


def test_weights_come_back(weights: Path) -> None:
    """Name, version, bias and each weight are those that were saved; the hash is the file's."""
    loaded = load_weights(weights)

    assert (loaded.model.name, loaded.model.version) == ("small", "1.2.3")
    assert weights.with_name("small.npz.sha256").read_text().startswith(loaded.model.sha256)
    assert [(int(place), loaded.pairs[place]) for place in np.flatnonzero(loaded.pairs)] == [(7, 1 - 2j)]
    assert BIAS.tolist() == loaded.bias.tolist()


def test_the_shipped_weights_are_those_of_the_shipped_pipeline() -> None:
    """The file that the worker loads and the Pipeline beside it hold the same numbers."""
    loaded, model = load_weights(), load_pipeline(SHIPPED.with_suffix(".skops")).named_steps["model"]

    np.testing.assert_array_equal(
        model.coef_, [loaded.pairs.real, loaded.pairs.imag, -loaded.pairs.real - loaded.pairs.imag]
    )
    assert model.intercept_.tolist() == loaded.bias.tolist()
    assert model.classes_.tolist() == [0, 1, 2]


def test_the_shipped_artifacts_are_small() -> None:
    """Both files together stay under 4 MB."""
    assert sum(SHIPPED.with_suffix(suffix).stat().st_size for suffix in (".npz", ".skops")) < 4_000_000


def test_a_changed_file_is_refused(weights: Path) -> None:
    """One bit flipped anywhere: the hash is wrong, and nothing of the file is read."""
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)

    with pytest.raises(ModelError, match=r"SHA-256 .* not the one in small.npz.sha256.*make train"):
        load_weights(weights)


@pytest.mark.parametrize("name", ["small.npz", "small.npz.sha256"])
def test_a_missing_file_is_named(weights: Path, name: str) -> None:
    """Weights or hash not there: the message says which, and what to do."""
    weights.with_name(name).unlink()

    with pytest.raises(ModelError, match=rf"{name} cannot be read .*make train"):
        load_weights(weights)


def test_weights_for_other_features_are_refused(tmp_path: Path) -> None:
    """Weights learnt with another hashing would be silently wrong."""
    about = np.frombuffer(b'{"name": "n", "version": "1", "features": "words-0"}', np.uint8)
    write_parts(tmp_path / "w.npz", about=about)

    with pytest.raises(ModelError, match="for the features 'words-0'"):
        load_weights(tmp_path / "w.npz")


@pytest.mark.parametrize(
    "changed",
    [
        {"about": np.frombuffer(b"[1]", np.uint8)},
        {"about": np.frombuffer(b"{}", np.uint8)},
        {"about": np.frombuffer(b"not JSON", np.uint8)},
        {"bias": np.array([None, None, None])},
        {"bias": np.array([0.0, np.nan, 0.0])},
        {"bias": np.zeros(2)},
        {"steps": np.zeros((1, 3), "<i2")},
        {"steps": np.zeros((1, 2))},
        {"buckets": np.array([ngrams.COLUMNS], "<u4")},
    ],
)
def test_other_contents_are_refused(tmp_path: Path, changed: dict[str, np.ndarray]) -> None:
    """Arrays of another form, objects (which would need pickle), or numbers that cannot be right."""
    write_parts(tmp_path / "w.npz", **changed)

    with pytest.raises(ModelError, match=r"w.npz does not hold weights \(.*make train"):
        load_weights(tmp_path / "w.npz")


@pytest.mark.parametrize("content", [b"", b"plain text", b"PK\x03\x04 no zip"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no weights at all, though its hash is right, is refused by either reader."""
    path = tmp_path / "other"
    path.write_bytes(content)
    write_hash(path)

    with pytest.raises(ModelError, match="does not hold weights"):
        load_weights(path)
    with pytest.raises(ModelError, match="is not a skops file"):
        load_pipeline(path)


def test_a_pipeline_comes_back(tmp_path: Path, pipeline: Pipeline) -> None:
    """The Pipeline that is read decides as the one that was written."""
    path = tmp_path / "p.skops"
    digest = save_pipeline(path, pipeline)
    texts = ["my bag is late", "site down?", ""]

    loaded = load_pipeline(path)

    assert f"{digest}  p.skops\n" == path.with_name("p.skops.sha256").read_text()
    assert pipeline.decision_function(texts).tolist() == loaded.decision_function(texts).tolist()


def test_an_untrusted_type_is_refused(tmp_path: Path) -> None:
    """A type that is not on the list is named, not built."""
    path = tmp_path / "p.skops"
    skops.io.dump(Pipeline([("features", Path)]), path)
    write_hash(path)

    with pytest.raises(ModelError, match=r"types that are not trusted .*Path"):
        load_pipeline(path)


def test_another_scikit_learn_is_refused(tmp_path: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Pipeline of another scikit-learn may decide otherwise without a word."""
    path = tmp_path / "p.skops"
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "1.0.0")
        save_pipeline(path, pipeline)

    with pytest.raises(ModelError, match=r"another scikit-learn .*1\.0\.0"):
        load_pipeline(path)


def test_something_else_than_a_pipeline_is_refused(tmp_path: Path) -> None:
    """A trusted type that is no Pipeline is of no use."""
    path = tmp_path / "p.skops"
    skops.io.dump({"a": 1}, path)
    write_hash(path)

    with pytest.raises(ModelError, match="holds a dict, not a Pipeline"):
        load_pipeline(path)


def test_the_same_pipeline_gives_the_same_file(tmp_path: Path, pipeline: Pipeline) -> None:
    """Skops dates its parts and names them by address; ours are the same bytes, from a copy as well."""
    save_pipeline(tmp_path / "one.skops", pipeline, "A card.")
    copied = load_pipeline(tmp_path / "one.skops")

    again = save_pipeline(tmp_path / "two.skops", copied, "A card.")

    assert (tmp_path / "one.skops").read_bytes() == (tmp_path / "two.skops").read_bytes()
    assert again in (tmp_path / "one.skops.sha256").read_text()


def test_the_card_is_in_the_file(tmp_path: Path, pipeline: Pipeline) -> None:
    """Whoever has the file alone can read what it is."""
    save_pipeline(tmp_path / "p.skops", pipeline, "A card with an ä.")

    with zipfile.ZipFile(tmp_path / "p.skops") as archive:
        assert archive.read("README.md").decode() == "A card with an ä."
