"""What a model was trained on, in shares: a file beside the weights, so that the worker can say what has changed since.

The weights' own file stays as it is. This one names the weights that it belongs to by their hash, and has a hash of its
own beside it.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models import ngrams
from models.artifact import REMEDY, UNREADABLE, checked_bytes, write_hash
from pipeline.drift import BANDS, CONFIDENCE_BOUNDS, CONFIDENCE_LABELS, Shares
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.classify import Model
    from pipeline.drift import Watcher

MARK = len(BANDS)
"""The band of what stands between posts, which is no word."""
_INNER_BOUNDS = np.array(CONFIDENCE_BOUNDS[:-1])


class Reference(NamedTuple):
    """The shares of the training set, and for each bucket of a word its place in BANDS."""

    shares: Shares
    bands: NDArray[np.uint8]


class Watch:
    """Counts what one first model sees, a batch at a time; tells it to a watcher."""

    def __init__(self, watcher: Watcher, reference: Reference | None) -> None:
        self._watcher = watcher
        self._bands = None if reference is None else reference.bands
        if reference is not None:
            watcher.learnt_from(reference.shares)

    def judged(self, stages: NDArray[np.intp], confidences: NDArray[np.float64]) -> None:
        """Verdicts: their stages' places in STAGES, their confidences."""
        self._watcher.judged(confidence_counts(stages, confidences).tolist())

    def read(self, found: ngrams.Words) -> None:
        """The words of a batch."""
        if self._bands is not None:
            self._watcher.read(band_counts(found, self._bands).tolist())


def confidence_counts(stages: NDArray[np.intp], confidences: NDArray[np.float64]) -> NDArray[np.intp]:
    """How many verdicts fall into each bin of CONFIDENCE_LABELS."""
    bins = stages * len(CONFIDENCE_BOUNDS) + np.searchsorted(_INNER_BOUNDS, confidences)
    return np.bincount(bins, minlength=len(CONFIDENCE_LABELS))


def band_counts(found: ngrams.Words, bands: NDArray[np.uint8]) -> NDArray[np.intp]:
    """How many words fall into each of BANDS."""
    return np.bincount(bands.take(ngrams.own_buckets(found)), minlength=MARK + 1)[:MARK]


def bands_of(texts: Sequence[str]) -> NDArray[np.uint8]:
    """For each bucket of a word its place in BANDS, if these texts are all that was learnt from.

    The most frequent words that together make up a ninth of all are the first band, and so on.
    """
    found = ngrams.words(texts)
    own = ngrams.own_buckets(found)
    mark = own[0]
    counts = np.bincount(own, minlength=ngrams.BUCKETS)
    counts[mark] = 0
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    before = np.cumsum(counts[order]) - counts[order]
    bands = np.zeros(ngrams.BUCKETS, np.uint8)
    bands[order] = 1 + (len(BANDS) - 1) * before // counts.sum()
    bands[mark] = MARK
    return bands


def share(counts: NDArray[np.intp]) -> tuple[float, ...]:
    """Counts as shares, to six places."""
    return tuple(np.round(counts / max(1, counts.sum()), 6).tolist())


def save_reference(weights: Path, model: Model, reference: Reference) -> Path:
    """Write it beside the weights, with its hash."""
    path = path_of(weights)
    about = {"model": model.sha256, "features": ngrams.FEATURES, "bounds": CONFIDENCE_BOUNDS}
    used = np.flatnonzero(reference.bands)
    np.savez_compressed(
        path,
        allow_pickle=False,
        about=np.frombuffer(json.dumps(about).encode(), np.uint8),
        confidence=np.array(reference.shares.confidence, "<f8"),
        words=np.array(reference.shares.words, "<f8"),
        buckets=used.astype("<u4"),
        bands=reference.bands[used],
    )
    write_hash(path)
    return path


def load_reference(weights: Path, model: Model) -> Reference | None:
    """What stands beside the weights; None if nothing does.

    Raises:
        ModelError: it is of other weights or another program, or not as it was written.
    """
    path = path_of(weights)
    if not path.exists():
        return None
    content = checked_bytes(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            reference = _read(file["confidence"], file["words"], file["buckets"], file["bands"])
    except UNREADABLE as error:
        raise ModelError(f"{path} does not say what was learnt from ({error}); {REMEDY}, or delete it") from error
    wanted = {"model": model.sha256, "features": ngrams.FEATURES, "bounds": [*CONFIDENCE_BOUNDS]}
    if about != wanted:
        wrong = [name for name in wanted if about.get(name) != wanted[name]]
        raise ModelError(f"{path} is of another {' and '.join(wrong)} than {weights.name}; {REMEDY}, or delete it")
    return reference


def path_of(weights: Path) -> Path:
    """Where it stands: beside the weights, under their name."""
    return weights.with_suffix(".reference.npz")


def _read(
    confidence: NDArray[np.float64], words: NDArray[np.float64], buckets: NDArray[np.uint32], bands: NDArray[np.uint8]
) -> Reference:
    forms = [(part.dtype.str, part.shape) for part in (confidence, words, buckets, bands)]
    count = len(buckets)
    if forms != [("<f8", (len(CONFIDENCE_LABELS),)), ("<f8", (MARK,)), ("<u4", (count,)), ("|u1", (count,))]:
        raise ValueError(f"arrays of another form: {forms}")
    if (buckets >= ngrams.BUCKETS).any() or (bands > MARK).any():
        raise ValueError("a bucket or a band that does not exist")
    table = np.zeros(ngrams.BUCKETS, np.uint8)
    table[buckets] = bands
    return Reference(Shares(tuple(confidence.tolist()), tuple(words.tolist())), table)
