"""How two models' words are weighed: a temperature for the second, and its weight beside the first; from unseen posts.

Both minimise the surprise (the mean negative logarithm of the probability given to the true stage) over posts that
neither model has learnt from: the proper score under which honest probabilities are best (Good 1952).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEMPERATURES = np.geomspace(0.25, 4.0, 41)
WEIGHTS = np.linspace(0.0, 1.0, 21)


class Blend(NamedTuple):
    """The divisor of the second model's scores, and how much its word counts beside the first's, from 0 to 1."""

    temperature: float
    weight: float


def tune(second: NDArray[np.floating], first: NDArray[np.floating], stages: NDArray[np.intp]) -> Blend:
    """The best blend of the second model's scores (posts, 3) with the first model's probabilities (posts, 3)."""
    temperature = min(TEMPERATURES, key=lambda divisor: surprise(softmax(second / divisor, axis=1), stages))
    shares = softmax(second / temperature, axis=1)
    weight = min(WEIGHTS, key=lambda share: surprise((1 - share) * first + share * shares, stages))
    return Blend(round(float(temperature), 4), round(float(weight), 2))


def surprise(shares: NDArray[np.floating], stages: NDArray[np.intp]) -> float:
    """The mean negative logarithm of the probability of the true stage, in nats."""
    return -float(np.log(np.maximum(shares[np.arange(len(stages)), stages], 1e-9)).mean())
