"""Texts -> word pieces for the second model: what training and running must do alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LONGEST = 96
"""Word pieces; nearly every post of 280 characters has fewer, and what stands behind tells little."""

_LINK = re.compile(r"https?://\S+")
_HANDLE = re.compile(r"@\w+")


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a file, cutting at LONGEST and padding a batch to its longest text."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.enable_padding()
    return tokenizer


def encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids and mask, each (texts, word pieces)."""
    found = tokenizer.encode_batch([normal(text) for text in texts])
    ids = np.array([one.ids for one in found], np.int64)
    return ids, np.array([one.attention_mask for one in found], np.int64)


def normal(text: str) -> str:
    """The text with all links and all handles alike: which account is named decides nothing."""
    return _LINK.sub("url", _HANDLE.sub("@user", text.replace("’", "'")))
