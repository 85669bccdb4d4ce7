"""The transformer behind the second model, in JAX: six layers of BERT's form, the mean over the words, three scores.

After Devlin et al. 2019 (BERT) and Wang et al. 2020 (MiniLM); weights by the names of the safetensors file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jax import Array

LAYERS, HEADS, WIDTH = 6, 12, 384
KEEP = 0.9
"""Dropout's share of what stays."""

Params = dict[str, "Array"]


def start(weights: Mapping[str, np.ndarray], seed: int) -> Params:
    """The pretrained weights, with a head of three scores that knows nothing."""
    kept = {name: jnp.asarray(value) for name, value in weights.items() if "pooler" not in name and "ids" not in name}
    head = np.random.default_rng(seed).normal(0, 0.02, (WIDTH, 3)).astype(np.float32)
    return kept | {"head.weight": jnp.asarray(head.T), "head.bias": jnp.zeros(3)}


def forward(params: Params, ids: Array, mask: Array, key: Array | None = None) -> Array:
    """Scores (texts, 3); with a key, as in training, with dropout."""
    drop = _dropout(key)
    x = params["embeddings.word_embeddings.weight"][ids]
    x += params["embeddings.position_embeddings.weight"][: ids.shape[1]]
    x = drop(_norm(x + params["embeddings.token_type_embeddings.weight"][0], params, "embeddings.LayerNorm"))
    hidden = (1 - mask)[:, None, None, :] * -1e9
    for layer in range(LAYERS):
        x = _layer(x, params, f"encoder.layer.{layer}.", hidden, drop)
    mean = (x * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    return _linear(drop(mean), params, "head")


def _layer(x: Array, params: Params, at: str, hidden: Array, drop: Callable[[Array], Array]) -> Array:
    batch, length, _ = x.shape
    query, key, value = (
        _linear(x, params, f"{at}attention.self.{name}").reshape(batch, length, HEADS, -1).transpose(0, 2, 1, 3)
        for name in ("query", "key", "value")
    )
    share = jax.nn.softmax(query @ key.transpose(0, 1, 3, 2) / np.sqrt(WIDTH // HEADS) + hidden, -1)
    heard = (share @ value).transpose(0, 2, 1, 3).reshape(batch, length, WIDTH)
    x = _norm(
        x + drop(_linear(heard, params, f"{at}attention.output.dense")), params, f"{at}attention.output.LayerNorm"
    )
    inner = jax.nn.gelu(_linear(x, params, f"{at}intermediate.dense"), approximate=False)
    return _norm(x + drop(_linear(inner, params, f"{at}output.dense")), params, f"{at}output.LayerNorm")


def _dropout(key: Array | None) -> Callable[[Array], Array]:
    if key is None:
        return lambda x: x
    keys = iter(jax.random.split(key, 2 * LAYERS + 2))
    return lambda x: jnp.where(jax.random.bernoulli(next(keys), KEEP, x.shape), x / KEEP, 0)


def _linear(x: Array, params: Params, name: str) -> Array:
    return x @ params[f"{name}.weight"].T + params[f"{name}.bias"]


def _norm(x: Array, params: Params, name: str) -> Array:
    mean = x.mean(-1, keepdims=True)
    spread = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(spread + 1e-12) * params[f"{name}.weight"] + params[f"{name}.bias"]
