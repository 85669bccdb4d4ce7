"""No artifact is replaced by a worse one: both judge the same labelled posts, of which neither has learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluate import DRAWS, SEED, f1_scores, macro_f1
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SURE = 0.05
"""Worse means: in fewer draws than this share is the new one as good as the old (paired bootstrap, Efron 1979)."""


def refuse_worse(true: NDArray[np.intp], new: NDArray[np.intp], old: NDArray[np.intp]) -> str:
    """What was compared, in a sentence.

    Raises:
        ModelError: the new judgements are worse than the old by more than chance does.
    """
    before, after = macro_f1(true, old), macro_f1(true, new)
    told = f"macro-F1 {after:.3f} on {len(true):,} labelled posts, against {before:.3f} of the model in use"
    if as_good_share(true, new, old) < SURE:
        raise ModelError(f"{told}: it is worse, nothing was written; look at the labels, or say --force")
    return told


def as_good_share(true: NDArray[np.intp], new: NDArray[np.intp], old: NDArray[np.intp]) -> float:
    """In which share of draws of the same posts with replacement the new macro-F1 is not below the old."""
    triples = np.bincount(9 * true + 3 * new + old, minlength=27)
    drawn = np.random.default_rng(SEED).multinomial(len(true), triples / len(true), size=DRAWS).reshape(-1, 3, 3, 3)
    return float((f1_scores(drawn.sum(3)).mean(1) >= f1_scores(drawn.sum(2)).mean(1)).mean())
