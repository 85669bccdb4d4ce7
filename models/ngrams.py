"""Hashed words, pairs of words and runs of letters of a whole batch of texts, in numpy alone.

All texts of a batch stand in one array of bytes, each between two marks. A word is a run of letters, digits and
@#'_$%&, or of "?", or of "!"; a mark is a word too. So each word has one pair (itself and the next word), the first and
the last word of a text have pairs that say so, and no text is empty: there are no special cases.

Runs of 3, 4 and 5 letters lie within one word, its edges counted as blanks ("help" has "_he", "hel", "elp", "lp_" and
so on): a run has no blank but at its ends. Names of accounts and what follows a slash have no runs.

The hash of a word is the polynomial sum of its bytes modulo 2^32, computed for all words at once from running sums: a
byte's power is that of its place in the whole array, so a word's sum is multiplied by the inverse power of its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FEATURES = "words-runs-2"
"""Changes whenever the same text would fall into other buckets: weights made for others are refused."""
BUCKETS = 1 << 18
"""For words and pairs; as many again for runs of letters."""
RUNS = (3, 4, 5)
COLUMNS = 2 * BUCKETS
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
    """The words of a batch: the bytes they were read from, where each begins, its hash, and which of them are marks.

    `letters` are the bytes as runs are read from them, one after the other: 0 where a blank is, a mark, the name of an
    account or the tail of a link.
    """

    data: bytes
    starts: NDArray[np.intp]
    hashes: NDArray[np.uint32]
    marks: NDArray[np.intp]
    letters: NDArray[np.uint32]


def words(texts: Sequence[str]) -> Words:
    """Find and hash the words of a batch; text k lies between mark k and mark k + 1."""
    data = _joined(texts)
    codes = np.frombuffer(data.translate(CODES), np.uint8)
    kinds = np.frombuffer(data.translate(KINDS), np.uint8)
    changes = np.flatnonzero(kinds[1:] != kinds[:-1])
    changes += 1
    is_word = kinds.take(changes) != 0
    starts = changes[is_word]
    hashes = _polynomials(codes, starts)
    firsts = codes.take(starts)
    handles = firsts == ord("@")
    tails = np.frombuffer(data, np.uint8).take(starts - 1) == ord("/")
    marks = firsts == ord(MARK)
    hashes[handles] = HANDLE
    hashes[tails] = AFTER_SLASH
    hashes ^= hashes >> 15
    hashes *= np.uint32(MIX_1)
    hashes ^= hashes >> 13
    has_runs = is_word.copy()
    has_runs[is_word] = ~(handles | tails | marks)
    return Words(data, starts, hashes, np.flatnonzero(marks), _letters(codes, changes, has_runs))


def buckets(found: Words) -> NDArray[np.intp]:
    """The buckets of all words but the last mark, each word's own followed by that of its pair with the next word."""
    left, right = found.hashes[:-1], found.hashes[1:]
    result = np.empty((len(left), 2), np.intp)
    result[:, 0] = (left * np.uint32(MIX_2)) >> 14  # the top 18 bits are the best mixed
    result[:, 1] = (left * np.uint32(MIX_3) + right * np.uint32(MIX_1)) >> 14
    return result.ravel()


def own_buckets(found: Words) -> NDArray[np.intp]:
    """The bucket of each word itself, the marks among them."""
    return ((found.hashes * np.uint32(MIX_2)) >> np.uint32(14)).astype(np.intp)


def run_buckets(found: Words) -> list[NDArray[np.uint32]]:
    """For each length of RUNS the bucket of the run that begins at each byte; 0 where none begins there."""
    letters = found.letters
    filled = (letters != 0).astype(np.uint32)
    two: NDArray[np.uint32] = letters[:-1] | letters[1:] << np.uint32(8)
    three: NDArray[np.uint32] = two[:-1] | letters[2:] << np.uint32(16)
    four: NDArray[np.uint32] = two[:-2] | two[2:] << np.uint32(16)
    inner_3 = filled[1:-1]
    inner_4 = inner_3[:-1] & inner_3[1:]
    inner_5 = inner_4[:-1] & inner_4[1:]
    return [
        _bucket(three * np.uint32(MIX_1)) * inner_3,
        _bucket(four * np.uint32(MIX_2)) * inner_4,
        _bucket(four[:-1] * np.uint32(MIX_3) + letters[4:] * np.uint32(SEED)) * inner_5,
    ]


def scores(texts: Sequence[str], weights: NDArray[np.complex64], bias: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scores of three classes, one row a text: its weights summed, over the root of their number, plus the bias.

    Its number is that of its words and pairs; `weights` has COLUMNS of them, those of the runs in the second half.
    A bucket's weight is a complex number: its two parts are the weights of the first two classes, so that one addition
    adds both; the third class has minus their sum (scores are only ever compared, so three weights have two freedoms).
    """
    return scored(words(texts), weights, bias) if texts else np.empty((0, 3))


def scored(found: Words, weights: NDArray[np.complex64], bias: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same of words that are found already."""
    ends = 2 * found.marks
    sums = np.add.reduceat(weights.take(buckets(found), mode="clip"), ends[:-1])
    sums += np.add.reduceat(_run_weights(found, weights[BUCKETS:]), found.starts.take(found.marks[:-1]))
    result = np.empty((len(sums), 3))
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


def run_owners(found: Words) -> NDArray[np.intp]:
    """For each byte the place of the word that a run beginning there belongs to: the one that its second byte is in."""
    return np.searchsorted(found.starts, np.arange(1, len(found.data) + 1), side="right") - 1


def _run_weights(found: Words, weights: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """At each byte the weights of all runs that begin there, summed; bucket 0 stands for no run and weighs nothing."""
    first, *others = run_buckets(found)
    summed = weights.take(first, mode="clip")
    for run in others:
        summed[: len(run)] += weights.take(run, mode="clip")
    return summed


def _bucket(hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The top 18 bits, mixed once more, for the letters alone leave the top ones too alike."""
    hashes ^= hashes >> 15
    hashes *= np.uint32(MIX_2)
    hashes >>= 14
    return hashes


def _letters(codes: NDArray[np.uint8], changes: NDArray[np.intp], kept: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """The bytes of the words that are kept, everything else 0; `kept` says it of what begins at each change."""
    letters = codes.astype(np.uint32)
    letters[: changes[0]] = 0
    letters[changes[0] :] *= np.repeat(kept, np.diff(changes, append=len(codes)))
    return letters


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
