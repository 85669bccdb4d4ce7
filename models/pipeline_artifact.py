"""The trained Pipeline as a skops file, for people who retrain or study it; the worker never reads it."""

from __future__ import annotations

import warnings
import zipfile
from typing import TYPE_CHECKING

import skops.io
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline
from skops.io.exceptions import UntrustedTypesFoundException

from models.artifact import checked_bytes, write_hash
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

TRUSTED = ["models.features.HashedNgrams"]
"""All that the file may hold beside what skops itself trusts: numbers, arrays and scikit-learn's own estimators."""

_REMEDY = "make it again with `make train`"


def save_pipeline(path: Path, pipeline: Pipeline) -> str:
    """Write the Pipeline and the hash; what comes back is the hash."""
    skops.io.dump(pipeline, path, compression=zipfile.ZIP_DEFLATED, compresslevel=9)
    return write_hash(path)


def load_pipeline(path: Path) -> Pipeline:
    """Check the file against its hash, its types against the list and its version against ours, then read it."""
    content = checked_bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            pipeline = skops.io.loads(content, trusted=TRUSTED)
    except UntrustedTypesFoundException as error:
        raise ModelError(f"{path} holds types that are not trusted ({error}); {_REMEDY}") from error
    except InconsistentVersionWarning as error:
        raise ModelError(f"{path} is of another scikit-learn ({error}); {_REMEDY}") from error
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is not a skops file ({error}); {_REMEDY}") from error
    if not isinstance(pipeline, Pipeline):
        raise ModelError(f"{path} holds a {type(pipeline).__name__}, not a Pipeline; {_REMEDY}")
    return pipeline
