"""The trained Pipeline as a skops file: no pickle, only trusted types, the card inside, the same bytes on every run.

skops names the parts of its file by the addresses that objects happen to have, and dates them; so the file is written
once more, with the addresses numbered in the order of their appearance and a fixed date.
"""

from __future__ import annotations

import io
import re
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


CARD = "README.md"
"""Where the model card stands in the file."""
_DATE = (2020, 1, 1, 0, 0, 0)
_ADDRESS = re.compile(r'(?<="__id__": )\d+|\d+(?=\.npy")')


def save_pipeline(path: Path, pipeline: Pipeline, card: str = "") -> str:
    """Write the Pipeline with its card, and the hash; what comes back is the hash."""
    path.write_bytes(canonical(skops.io.dumps(pipeline), card))
    return write_hash(path)


def canonical(content: bytes, card: str) -> bytes:
    """The same skops file, its bytes a function of what it holds alone, and the card added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", compresslevel=9) as new:
        schema = old.read("schema.json").decode()
        number = {address: str(place) for place, address in enumerate(dict.fromkeys(_ADDRESS.findall(schema)), start=1)}
        for address in (address for address in number if f"{address}.npy" in old.namelist()):
            _add(new, f"{number[address]}.npy", old.read(f"{address}.npy"))
        _add(new, "schema.json", _ADDRESS.sub(lambda found: number[found.group()], schema))
        _add(new, CARD, card)
    return out.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: str | bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)


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
