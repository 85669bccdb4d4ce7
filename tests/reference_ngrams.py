"""The hashed n-grams again, slowly and in plain Python: what the fast version is held to."""

from __future__ import annotations

import re
from itertools import groupby, pairwise

from models import ngrams

_WORD = 0xFFFFFFFF
_MARK_WORD = ngrams.MARK


def buckets(text: str) -> list[int]:
    """The buckets of one text: each word's, then its pair's with the next word, from mark to mark."""
    hashes = [_mixed(_hash(_MARK_WORD)), *_hashes(text), _mixed(_hash(_MARK_WORD))]
    result = []
    for left, right in pairwise(hashes):
        result.append((left * ngrams.MIX_2 & _WORD) >> 14)
        result.append((left * ngrams.MIX_3 + right * ngrams.MIX_1 & _WORD) >> 14)
    return result


def run_buckets(text: str) -> list[int]:
    """The buckets of the runs of 3, 4 and 5 letters of one text."""
    data = ngrams.plain(text.replace(ngrams.MARK.decode(), " ")).encode()
    blanked, place = bytearray(), 0
    for kind, group in groupby(data, _kind):
        word = bytes(group)
        shown = kind and not word.startswith(b"@") and data[place - 1 : place] != b"/"
        blanked += re.sub(rb"[0-9]", b"0", word) if shown else bytes(len(word))
        place += len(word)
    letters = b"\0" + bytes(blanked) + b"\0"
    return [
        _run_bucket(letters[at : at + length])
        for length in ngrams.RUNS
        for at in range(len(letters) - length + 1)
        if 0 not in letters[at + 1 : at + length - 1]
    ]


def _run_bucket(run: bytes) -> int:
    number = int.from_bytes(run[:4], "little")
    factors = {3: ngrams.MIX_1, 4: ngrams.MIX_2, 5: ngrams.MIX_3}
    value = number * factors[len(run)] + (run[4] * ngrams.SEED if len(run) == 5 else 0) & _WORD
    value ^= value >> 15
    return (value * ngrams.MIX_2 & _WORD) >> 14


def _hashes(text: str) -> list[int]:
    """The hash of each word of a text."""
    data = ngrams.plain(text.replace(ngrams.MARK.decode(), " ")).encode()
    hashes, place = [], 0
    for kind, group in groupby(data, _kind):
        word = bytes(group)
        after_slash = data[place - 1 : place] == b"/"
        place += len(word)
        if kind:
            hashes.append(_mixed(_folded(word, after_slash=after_slash)))
    return hashes


def _kind(byte: int) -> str:
    """Letters and the like, question marks, exclamation marks, or nothing."""
    character = chr(byte)
    if character in "?!":
        return character
    return "word" if byte > 127 or character.isalnum() or character in "@#'_$%&" else ""


def _folded(word: bytes, *, after_slash: bool) -> int:
    """One hash for all that follows a slash, one for all handles, else the word's own with its digits made 0."""
    if after_slash:
        return ngrams.AFTER_SLASH
    if word.startswith(b"@"):
        return ngrams.HANDLE
    return _hash(bytes(ord("0") if chr(byte) in "0123456789" else byte for byte in word))


def _hash(word: bytes) -> int:
    """The polynomial sum modulo 2^32."""
    return sum(byte * pow(ngrams.SEED, place, 1 << 32) for place, byte in enumerate(word)) & _WORD


def _mixed(value: int) -> int:
    """The bits of a hash, spread."""
    value ^= value >> 15
    value = value * ngrams.MIX_1 & _WORD
    return value ^ value >> 13
