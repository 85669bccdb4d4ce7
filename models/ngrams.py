"""Hashed words and word pairs of a whole batch of texts, in numpy alone: what the worker computes for every post.

All texts of a batch stand in one array of bytes, each between two marks. A word is a run of letters, digits and
@#'_$%&, or of "?", or of "!"; a mark is a word too. So each word has one pair (itself and the next word), the first and
the last word of a text have pairs that say so, and no text is empty: there are no special cases.

The hash of a word is the polynomial sum of its bytes modulo 2^32, computed for all words at once from running sums: a
byte's power is that of its place in the whole array, so a word's sum is multiplied by the inverse power of its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FEATURES = "words-1"
"""Changes whenever the same text would fall into other buckets: weights made for others are refused."""
BUCKETS = 1 << 18
SEED = 0x9E3779B1
"""Odd, so that it has an inverse modulo 2^32."""
MIX_1, MIX_2, MIX_3 = 0x85EBCA6B, 0xC2B2AE35, 0x27D4EB2F
HANDLE, AFTER_SLASH = 0x5BD1E995, 0x1B873593
"""All handles are one word; so is all that follows a slash, which is where links differ."""

EVERY_POST, START, END = "(every post)", "(start)", "(end)"
"""How a mark is called where words are shown; no word has brackets."""

MARK = b"\x1e"
_GAP = b" \x1e "
_LETTERS = b"abcdefghijklmnopqrstuvwxyz0123456789@#'_$%&" + bytes(range(128, 256))


def _tables() -> tuple[bytes, bytes]:
    """Two tables over the 256 bytes: the byte as it is hashed (0 between words), and the kind of word it belongs to."""
    codes, kinds = bytearray(256), bytearray(256)
    for kind, members in enumerate((_LETTERS, b"?", b"!", MARK), start=1):
        for byte in members:
            codes[byte], kinds[byte] = byte, kind
    for upper in range(ord("A"), ord("Z") + 1):
        codes[upper], kinds[upper] = upper + 32, 1
    codes[ord("0") : ord("9") + 1] = b"0" * 10  # 10 posts about order 4711 teach nothing about order 4712
    return bytes(codes), bytes(kinds)


def _powers(base: int, count: int) -> NDArray[np.uint32]:
    """1, base, base^2 and so on, modulo 2^32."""
    powers = np.full(count, base, dtype=np.uint32)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint32)


CODES, KINDS = _tables()
_INVERSE = pow(SEED, -1, 1 << 32)
_READY = 1 << 18
_POWERS, _INVERSES = _powers(SEED, _READY), _powers(_INVERSE, _READY)


class Words(NamedTuple):
    """The words of a batch: the bytes they were read from, where each begins, its hash, and which of them are marks."""

    data: bytes
    starts: NDArray[np.intp]
    hashes: NDArray[np.uint32]
    marks: NDArray[np.intp]


def words(texts: Sequence[str]) -> Words:
    """Find and hash the words of a batch; text k lies between mark k and mark k + 1."""
    data = _joined(texts)
    codes = np.frombuffer(data.translate(CODES), np.uint8)
    kinds = np.frombuffer(data.translate(KINDS), np.uint8)
    starts = np.flatnonzero((kinds[1:] != kinds[:-1]) & (kinds[1:] != 0))
    starts += 1
    hashes = _polynomials(codes, starts)
    firsts = codes.take(starts)
    hashes[firsts == ord("@")] = HANDLE
    hashes[np.frombuffer(data, np.uint8).take(starts - 1) == ord("/")] = AFTER_SLASH
    hashes ^= hashes >> 15
    hashes *= np.uint32(MIX_1)
    hashes ^= hashes >> 13
    return Words(data, starts, hashes, np.flatnonzero(firsts == ord(MARK)))


def buckets(found: Words) -> NDArray[np.intp]:
    """The buckets of all words but the last mark, each word's own followed by that of its pair with the next word."""
    left, right = found.hashes[:-1], found.hashes[1:]
    result = np.empty((len(left), 2), np.intp)
    result[:, 0] = (left * np.uint32(MIX_2)) >> 14  # the top 18 bits are the best mixed
    result[:, 1] = (left * np.uint32(MIX_3) + right * np.uint32(MIX_1)) >> 14
    return result.ravel()


def scores(texts: Sequence[str], weights: NDArray[np.complex64], bias: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scores of three classes, one row a text: its weights summed, over the root of their number, plus the bias.

    A bucket's weight is a complex number: its two parts are the weights of the first two classes, so that one addition
    adds both; the third class has minus their sum (scores are only ever compared, so three weights have two freedoms).
    """
    if not texts:
        return np.empty((0, 3))
    found = words(texts)
    ends = 2 * found.marks
    sums = np.add.reduceat(weights.take(buckets(found), mode="clip"), ends[:-1])
    result = np.empty((len(texts), 3))
    result[:, 0], result[:, 1] = sums.real, sums.imag
    result[:, 2] = -result[:, 0] - result[:, 1]
    result /= np.sqrt(np.diff(ends))[:, None]
    result += bias
    return result


def names(found: Words) -> list[str]:
    """What stands behind each of the buckets, for showing: the word, or the two words of the pair."""
    shown = [_shown(found.data, start) for start in found.starts.tolist()]
    marks = set(found.marks.tolist())
    result = []
    for place in range(len(shown) - 1):
        left = START if place in marks else shown[place]
        right = END if place + 1 in marks else shown[place + 1]
        result += [EVERY_POST if place in marks else left, f"{left} {right}"]
    return result


def _shown(data: bytes, start: int) -> str:
    """The word that begins at a place, in lower case."""
    end = start
    while KINDS[data[end]] == KINDS[data[start]]:
        end += 1
    return data[start:end].decode().lower()


def _joined(texts: Sequence[str]) -> bytes:
    """All texts between marks, as bytes; a mark inside a text becomes a space."""
    joined = _GAP.join([text.encode() if text.isascii() else plain(text).encode() for text in texts])
    if joined.count(MARK) != len(texts) - 1:
        return _joined([text.replace(MARK.decode(), " ") for text in texts])
    return b" %b %b %b " % (MARK, joined, MARK)


def plain(text: str) -> str:
    """The text in lower case, with the apostrophe and the dots that telephones type written in ASCII."""
    return text.lower().replace("’", "'").replace("…", " ")


def _polynomials(codes: NDArray[np.uint8], starts: NDArray[np.intp]) -> NDArray[np.uint32]:
    """The polynomial sum of each word: what the running sum gains between its start and the next."""
    count = len(codes)
    powers, inverses = _POWERS, _INVERSES
    if count > _READY:
        powers, inverses = _powers(SEED, count), _powers(_INVERSE, count)
    running = np.cumsum(np.multiply(codes, powers[:count], dtype=np.uint32), dtype=np.uint32)
    sums = np.empty(len(starts), np.uint32)
    before = running.take(starts - 1)
    np.subtract(before[1:], before[:-1], out=sums[:-1])
    sums[-1:] = running[-1:] - before[-1:]
    sums *= inverses.take(starts)
    return sums
