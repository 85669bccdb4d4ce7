"""The time of a post: what its id holds, and what of its own word can be true.

The upper bits of an id of X, a snowflake, are milliseconds since 4 November 2010.
"""

from __future__ import annotations

EPOCH_MS = 1_288_834_974_657
_BITS = 22
EDITABLE_MS = 3_600_000
SKEW_MS = 60_000
"""So far ahead of Kafka's clock another one is believed."""


def first_id(at: float) -> int:
    """The smallest id of a post made at `at`, in seconds since 1970, or later; at least 1."""
    return max(1, (round(at * 1000) - EPOCH_MS) << _BITS)


def made_at(identity: int) -> float:
    """When a post of this id was made, in seconds since 1970."""
    return ((identity >> _BITS) + EPOCH_MS) / 1000


def first_made(at: int, first: str, revision: int) -> int:
    """When the first version of a post was made, in ms, of which the one of `revision` says `at`.

    Of a later one the first's id tells, where it is one of X and can be true: X lets nobody edit what is older than an
    hour.
    """
    if not revision:
        return at
    made = round(made_at(int(first)) * 1000) if first.isascii() and first.isdigit() else at
    return made if at - EDITABLE_MS <= made < at else at


def believed(at: int, written: int) -> int:
    """When it happened, in ms, of what says `at` and stood in Kafka at `written`: not long after that.

    A record's Kafka timestamp does not change, so it is the same whenever it is read. Without one (not above 0) any
    time is believed.
    """
    return written if 0 < written < at - SKEW_MS else at
