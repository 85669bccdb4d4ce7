"""Posts with another surface: what a post says does not depend on its handle, its link, its hashtag or its full stop.

A model that sees each post with and without them learns less from the surface of made-up posts, which is tidier than
life's, and does better on real ones (MODEL_CARD.md has the figures).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_MENTIONS = re.compile(r"^(\.?@\w+\s*)+")
_LINK = re.compile(r"https?://\S+")
_HASHTAG = re.compile(r"#\w+")
_LINK_ADDED = " https://t.co/abcdefghij"
_TAGS = ("#fail", "#fail", "#monday", "#love", "#life", "#tech", "#news", "#home")
LEAST_WORDS = 8
"""Posts of no more words than this are not cut."""


def altered(texts: Sequence[str], chance: np.random.Generator) -> list[str]:
    """Each text with some of its surface changed by chance; never empty."""
    return [_altered(text, chance.random(8)) or text for text in texts]


def _altered(text: str, dice: np.ndarray) -> str:
    if dice[0] < 0.5:
        text = _MENTIONS.sub("", text) if text.startswith(("@", ".@")) else f"@user {text}"
    if dice[1] < 0.5:
        text = _LINK.sub("", text)
    elif dice[1] < 0.55:
        text += _LINK_ADDED
    if dice[2] < 0.5:
        text = _HASHTAG.sub("", text)
    elif dice[2] < 0.575:
        text += " " + _TAGS[int(dice[3] * len(_TAGS))]
    if dice[4] < 0.3:
        text = text.rstrip(".!?")
    words = text.split()
    if dice[5] < 0.3 and len(words) > LEAST_WORDS:
        words = words[: int(len(words) * (0.6 + 0.4 * dice[6]))]
    return " ".join(words)
