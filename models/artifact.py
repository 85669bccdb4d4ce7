"""The weights that the worker loads: plain arrays in one file, its SHA-256 beside it, no scikit-learn needed.

What is read is checked first, and refused with a ModelError that says what to do: a missing file, a wrong hash,
anything that is not plain numbers, and weights for other features than this program computes.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models import ngrams
from pipeline.classify import Model
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHIPPED = Path(__file__).parent / "artifacts" / "stages.npz"
STEP = 1 / 4096
"""Weights are whole multiples of this: they take two bytes, and their float32 sums are exact in any order."""

UNREADABLE = (ValueError, TypeError, KeyError, IndexError, EOFError, OSError, zipfile.BadZipFile, zlib.error)
REMEDY = (
    "look at the settings model and challenger; ours comes with the release, and `make train` makes it; "
    "`triage train` makes one of your own"
)


class Weights(NamedTuple):
    """A linear model over hashed n-grams, ready to score with; see `ngrams.scores` for the form."""

    model: Model
    pairs: NDArray[np.complex64]
    bias: NDArray[np.float64]


class _Parts(NamedTuple):
    """What stands in the file."""

    about: dict[str, str]
    buckets: NDArray[np.uint32]
    steps: NDArray[np.int16]
    bias: NDArray[np.float64]


def save_weights(path: Path, name: str, version: str, steps: NDArray[np.int16], bias: NDArray[np.float64]) -> Model:
    """Write the weights (whole STEPs, a row a bucket, a column for each of the first two stages) and the hash."""
    used = np.flatnonzero(steps.any(axis=1))
    about = json.dumps({"name": name, "version": version, "features": ngrams.FEATURES}).encode()
    np.savez_compressed(
        path,
        allow_pickle=False,
        about=np.frombuffer(about, np.uint8),
        buckets=used.astype("<u4"),
        steps=steps[used].astype("<i2"),
        bias=bias.astype("<f8"),
    )
    return Model(name, version, write_hash(path))


def load_weights(path: Path = SHIPPED) -> Weights:
    """Check the file against its hash, read it, and spread the weights over the buckets."""
    content = checked_bytes(path)
    try:
        parts = _parts(content)
        model = Model(parts.about["name"], parts.about["version"], hashlib.sha256(content).hexdigest())
    except UNREADABLE as error:
        raise ModelError(f"{path} does not hold weights ({error}); {REMEDY}") from error
    features = parts.about.get("features")
    if features != ngrams.FEATURES:
        raise ModelError(f"{path} is for the features {features!r}, this is {ngrams.FEATURES!r}; {REMEDY}")
    pairs = np.zeros((ngrams.COLUMNS, 2), np.float32)
    pairs[parts.buckets] = parts.steps * np.float32(STEP)
    return Weights(model, pairs.view(np.complex64).ravel(), parts.bias)


def checked_bytes(path: Path) -> bytes:
    """The content of an artifact, if its hash is the one in the file beside it."""
    try:
        content = path.read_bytes()
        wanted = _hash_path(path).read_text(encoding="ascii", errors="replace").split(maxsplit=1)
    except OSError as error:
        raise ModelError(f"{error.filename} cannot be read ({error.strerror}); {REMEDY}") from error
    found = hashlib.sha256(content).hexdigest()
    if wanted[:1] != [found]:
        raise ModelError(f"{path} has SHA-256 {found}, which is not the one in {_hash_path(path).name}; {REMEDY}")
    return content


def write_hash(path: Path) -> str:
    """Write the hash of a file beside it, in the form that `sha256sum --check` reads."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    _hash_path(path).write_text(f"{digest}  {path.name}\n", encoding="ascii")
    return digest


def _hash_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _parts(content: bytes) -> _Parts:
    """The arrays of a file, if they are the ones that the scorer takes."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        parts = _Parts(json.loads(file["about"].tobytes()), file["buckets"], file["steps"], file["bias"])
    count = len(parts.buckets)
    forms = [(part.dtype.str, part.shape) for part in parts[1:]]
    if forms != [("<u4", (count,)), ("<i2", (count, 2)), ("<f8", (3,))]:
        raise ValueError(f"arrays of another form: {forms}")
    if (parts.buckets >= ngrams.COLUMNS).any():
        raise ValueError("a bucket that does not exist")
    if not np.isfinite(parts.bias).all():
        raise ValueError("a bias that is not a number")
    return parts
