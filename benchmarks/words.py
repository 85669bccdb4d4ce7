"""Words, names and handles for made-up posts: the project's own words in front, invented ones in a long tail."""

from __future__ import annotations

import csv
import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

CORPUS = Path(__file__).parents[1] / "models" / "corpus" / "posts.csv"
VOCABULARY = 60_000
AUTHORS = 50_000
FIRST_AUTHOR_ID = 1_400_000_000_000_000_000
_ONSETS = ("b", "br", "c", "ch", "d", "dr", "f", "g", "gl", "h", "k", "l", "m", "n", "p", "pr", "r", "s", "st", "t",
           "tr", "v", "w", "z")  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "oo", "ou")
_CODAS = ("", "", "", "n", "r", "s", "l", "ck", "nd", "t")
_ACCENTED = str.maketrans({"a": "á", "e": "é", "i": "í", "o": "ö", "u": "ü", "n": "ñ", "c": "ç"})
_OTHER_SCRIPTS = ("абвгдежзиклмнопрстуя", "アイウエオカキクケコサシスセソタチ", "ابتثجحخدذرزسش", "αβγδεζηθικλμνοπ")
EMOJI = ("😭", "❤️", "😡", "🙏", "😂", "👍", "✈️", "📦", "🤷‍♀️", "🔥", "🎉", "👏🏽")


class Author(NamedTuple):
    """Who writes: as X's includes.users describes them."""

    id: str
    handle: str
    name: str
    followers: int
    verified: bool


class Words:
    """A seeded source of words by Zipf's law: a handful of them makes most of a text, most of them are rare."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        vocabulary = self._vocabulary()
        ranks = np.arange(1, len(vocabulary) + 1)
        shares = 1 / (ranks + 2.7) ** 1.05
        drawn = np.random.default_rng(seed).choice(len(vocabulary), size=1_500_000, p=shares / shares.sum())
        self._stream = [vocabulary[index] for index in drawn.tolist()]
        self._place = 0

    def take(self, length: int) -> list[str]:
        """So many words that they come near a length with the spaces between them."""
        taken = []
        while length > 0:
            word = self._stream[self._place]
            self._place = (self._place + 1) % len(self._stream)
            taken.append(word)
            length -= len(word) + 1
        return taken

    def accented(self, words: list[str]) -> list[str]:
        """The same words as another language with Latin letters may write them."""
        return [word.translate(_ACCENTED) for word in words]

    def foreign(self, words: list[str]) -> list[str]:
        """As many words in another script."""
        letters = self._random.choice(_OTHER_SCRIPTS)
        return ["".join(self._random.choices(letters, k=len(word))) for word in words]

    def authors(self) -> list[Author]:
        """Fifty thousand of them; a few have very many followers, one in twenty has a name with more than ASCII."""
        return [self._author(number) for number in range(AUTHORS)]

    def _author(self, number: int) -> Author:
        pick = self._random
        first, last = self._invented(2).title(), self._invented(2).title()
        handle = f"{first}{last}"[:11] + (str(number) if number % 3 else "") if number % 5 else str(100_000 + number)
        name = f"{first} {last}"
        if number % 20 == 0:
            name = f"{name.translate(_ACCENTED)} {pick.choice(EMOJI)}"
        followers = int(80 * pick.paretovariate(0.95))
        return Author(str(FIRST_AUTHOR_ID + number * 7919), handle, name, followers, number % 50 == 0)

    def _vocabulary(self) -> list[str]:
        known = _known_words()
        words = dict.fromkeys(known)
        while len(words) < VOCABULARY:
            words[self._invented(self._random.choice((1, 2, 2, 3, 3, 4)))] = None
        return list(words)

    def _invented(self, syllables: int) -> str:
        pick = self._random.choice
        return "".join(pick(_ONSETS) + pick(_VOWELS) + pick(_CODAS) for _ in range(syllables))


def _known_words() -> list[str]:
    """The words of the project's own corpus, the most frequent first, without handles, hashtags and links."""
    counts: Counter[str] = Counter()
    with CORPUS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            counts.update(
                word for word in row["text"].split() if word[0] not in "@#" and "/" not in word and word.isascii()
            )
    return [word for word, _ in counts.most_common()]
