"""The second opinion's making, in its own environment: `make test` runs these there, for they need JAX and ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from models import finetune, transformer
from models.export_onnx import export
from models.second import SecondOpinion
from models.tokens import load_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

WORDS = ["parcel", "lost", "refund", "where", "everyone", "outage", "down", "servers", "love", "great", "song"]
WORDS += ["ad", "the", "my", "is"]
INNER = 4 * transformer.WIDTH


@pytest.fixture(scope="module")
def weights() -> Mapping[str, NDArray[np.float32]]:
    """Weights of the real form with a vocabulary of a few words, from a fixed seed."""
    chance, wide = np.random.default_rng(1), transformer.WIDTH
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS) + 2, wide),
        "embeddings.position_embeddings.weight": (512, wide),
        "embeddings.token_type_embeddings.weight": (2, wide),
    }
    for layer in range(transformer.LAYERS):
        at = f"encoder.layer.{layer}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{at}{name}.weight": (wide, wide), f"{at}{name}.bias": (wide,)}
        shapes |= {f"{at}intermediate.dense.weight": (INNER, wide), f"{at}intermediate.dense.bias": (INNER,)}
        shapes |= {f"{at}output.dense.weight": (wide, INNER), f"{at}output.dense.bias": (wide,)}
    made = {name: chance.normal(0, 0.05, shape).astype(np.float32) for name, shape in shapes.items()}
    norms = [f"encoder.layer.{layer}.{part}" for layer in range(6) for part in ("attention.output", "output")]
    for norm in ("embeddings", *norms):
        made |= {
            f"{norm}.LayerNorm.weight": np.ones(wide, np.float32),
            f"{norm}.LayerNorm.bias": np.zeros(wide, np.float32),
        }
    return made


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer of whole words."""
    tokenizer = Tokenizer(
        WordLevel({"[PAD]": 0, "[UNK]": 1} | {w: n for n, w in enumerate(WORDS, start=2)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = Whitespace()
    path = tmp_path_factory.mktemp("tokenizer") / "second.tokenizer.json"
    tokenizer.save(str(path))
    return path


ROWS = [
    {"text": text, "stage": stage}
    for text, stage in [
        ("where is my parcel", "reactive"),
        ("my refund is lost", "reactive"),
        ("servers down everyone", "proactive"),
        ("outage is everyone down", "proactive"),
        ("love the song", "engagement"),
        ("great ad", "engagement"),
    ]
    for _ in range(16)
]


def test_it_learns_and_is_the_same_for_a_seed(weights: Mapping[str, NDArray[np.float32]], tokenizer_file: Path) -> None:
    """A few steps over six plain posts tell their stages apart, and a second training gives the same weights."""
    tokenizer, start = load_tokenizer(tokenizer_file), transformer.start(weights, 1)

    once, again = (finetune.train(start, tokenizer, ROWS, 4, 7, lambda _: None) for _ in range(2))

    data = finetune.examples(tokenizer, ROWS)
    assert (finetune.scores(once, data).argmax(1) == data.stages).mean() > 0.9
    assert all(np.array_equal(once[name], again[name]) for name in once)


def test_padding_changes_nothing(weights: Mapping[str, NDArray[np.float32]]) -> None:
    """A post's scores do not depend on how much empty room stands behind it."""
    params = transformer.start(weights, 1)
    ids = np.array([[2, 5, 7, 3]])
    wide = np.pad(ids, ((0, 0), (0, 9)))

    short = transformer.forward(params, jnp.asarray(ids), jnp.ones_like(ids))
    long = transformer.forward(params, jnp.asarray(wide), jnp.asarray((np.arange(13) < 4)[None].astype(int)))

    assert np.allclose(short, long, atol=1e-5)


def test_dropout_needs_a_key(weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Without a key the scores are the same each time; with another key they differ."""
    params, ids = transformer.start(weights, 1), jnp.asarray([[2, 5, 7]])
    plain, again = (transformer.forward(params, ids, jnp.ones_like(ids)) for _ in range(2))
    shaken = transformer.forward(params, ids, jnp.ones_like(ids), jax.random.key(3))

    assert np.array_equal(plain, again)
    assert not np.allclose(plain, shaken)


def test_the_exported_model_says_what_the_trained_one_says(
    weights: Mapping[str, NDArray[np.float32]], tmp_path: Path
) -> None:
    """In 8-bit whole numbers the scores of a batch are those of the float weights, but for a little."""
    params = transformer.start(weights, 1)
    params["head.weight"] = params["head.weight"] * 20
    path = tmp_path / "second.onnx"
    export({name: np.asarray(value) for name, value in params.items()}, path, {"name": "x"})
    ids = np.random.default_rng(2).integers(2, 17, (20, 12))
    mask = np.ones_like(ids)

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    found = session.run(["scores"], {"ids": ids, "mask": mask})[0]

    expected = np.asarray(transformer.forward(params, jnp.asarray(ids), jnp.asarray(mask)))
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99
    assert path.stat().st_size < 16_000_000


def test_what_is_written_is_a_second_opinion(
    weights: Mapping[str, NDArray[np.float32]], tokenizer_file: Path, tmp_path: Path
) -> None:
    """The files come with their hashes and are read as the worker reads them; the lean moves the shares."""
    about = {"name": "toy", "version": "1", "temperature": "1.5", "weight": "0.6"}
    finetune.write(transformer.start(weights, 1), 1.5, tokenizer_file, tmp_path / "second.onnx", about)

    second = SecondOpinion.load(tmp_path / "second.onnx")
    [shares] = second.shares(["where is my parcel"])

    assert (second.model.name, second.weight) == ("toy", 0.6)
    assert shares[0] > max(shares[1:])
    assert sum(shares) == pytest.approx(1)


def test_a_soup_is_the_mean_moved_halfway_back() -> None:
    """The body is moved to where it started, the head is not."""
    start = {"body": jnp.array([0.0]), "head.bias": jnp.array([0.0])}
    members = [
        {"body": jnp.array([2.0]), "head.bias": jnp.array([4.0])},
        {"body": jnp.array([6.0]), "head.bias": jnp.array([8.0])},
    ]

    found = finetune.soup(members, start, kept=0.5)

    assert [float(found["body"][0]), float(found["head.bias"][0])] == [2.0, 6.0]


def test_whole_families_are_held_out() -> None:
    """No family stands on both sides, and about the share that was asked for is out."""
    families = [f"brand{number % 50}" for number in range(400)]

    out = finetune.held_out(families, 0.1, 3)

    assert {family for family, is_out in zip(families, out, strict=True) if is_out}.isdisjoint(
        family for family, is_out in zip(families, out, strict=True) if not is_out
    )
    assert out.mean() == pytest.approx(0.1, abs=0.02)


def test_an_epoch_shows_each_post_once() -> None:
    """The batches of an epoch hold every post once, but for a rest smaller than a batch."""
    count = 5 * finetune.BATCH + 3
    lengths = np.random.default_rng(4).integers(1, 30, count)
    mask = (np.arange(30) < lengths[:, None]).astype(np.int64)
    data = finetune.Examples(np.repeat(np.arange(count)[:, None], 30, 1), mask, np.zeros(count, np.intp))

    batches = list(finetune._batches(data, np.random.default_rng(5)))

    seen = [int(ids[row, 0]) for ids, _, _ in batches for row in range(finetune.BATCH)]
    assert len(batches) == 5
    assert len(set(seen)) == len(seen) == 5 * finetune.BATCH
