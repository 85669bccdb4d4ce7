"""The second opinion as the worker uses it: a small fine-tuned transformer in 8-bit whole numbers, run by onnxruntime.

It needs the extra `second-opinion` (onnxruntime, tokenizers): no torch, and no download at run time.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from models.artifact import checked_bytes
from pipeline.classify import Model
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

    from pipeline.panel import Shares

SHIPPED = Path(__file__).parent / "artifacts" / "second.onnx"
TOKENIZER = "second.tokenizer.json"


def installed() -> bool:
    """Whether the extra is there."""
    return find_spec("onnxruntime") is not None and find_spec("tokenizers") is not None


def available() -> bool:
    """Whether the extra is there and a model is shipped."""
    return installed() and SHIPPED.exists()


class SecondOpinion:
    """A fine-tuned sentence transformer: texts in, probabilities out, 2 ms each; implements pipeline.panel.Adviser."""

    def __init__(self, session: InferenceSession, tokenizer: Tokenizer, sha256: str) -> None:
        about = session.get_modelmeta().custom_metadata_map
        self._session = session
        self._tokenizer = tokenizer
        self._temperature = float(about["temperature"])
        self.weight = float(about["weight"])
        self.model = Model(about["name"], about["version"], sha256)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The model in a file, or the one that is shipped, with the tokenizer beside it.

        Raises:
            ModelError: the extra is not installed, or a file is missing, damaged or of another form.
        """
        if not installed():
            raise ModelError("the second opinion needs onnxruntime and tokenizers: pip install .[second-opinion]")
        path = path or SHIPPED
        if not path.exists():
            raise ModelError(f"there is no second opinion at {path}: make one with `make train-second-opinion`")
        content = checked_bytes(path)
        checked_bytes(path.with_name(TOKENIZER))
        try:
            return cls(_session(content), _tokenizer(path.with_name(TOKENIZER)), hashlib.sha256(content).hexdigest())
        except Exception as error:
            raise ModelError(
                f"{path} does not hold a second opinion ({error}); take it from the release again"
            ) from error

    def shares(self, texts: Sequence[str]) -> list[Shares]:
        """Probabilities in the order of STAGES, a row a text.

        One text at a time: the 8-bit kernels scale by the largest number of all that they are given at once, so in a
        batch a post's shares would depend on its company, and a replay would decide otherwise.
        """
        found = np.array([self._scores(text) for text in texts]).reshape(-1, 3)
        found = np.exp((found - found.max(axis=1, keepdims=True)) / self._temperature)
        found /= found.sum(axis=1, keepdims=True)
        return [(row[0], row[1], row[2]) for row in found.tolist()]

    def _scores(self, text: str) -> NDArray[np.float32]:
        from models.tokens import encoded

        ids, mask = encoded(self._tokenizer, [text])
        scores: NDArray[np.float32] = self._session.run(["scores"], {"ids": ids, "mask": mask})[0][0]
        return scores


def _session(content: bytes) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the other cores are for the stream
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _tokenizer(path: Path) -> Tokenizer:
    from models.tokens import load_tokenizer

    return load_tokenizer(path)
