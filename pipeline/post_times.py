"""The time that an id of X holds: the upper bits of a snowflake are milliseconds since 4 November 2010."""

from __future__ import annotations

EPOCH_MS = 1_288_834_974_657
_BITS = 22


def first_id(at: float) -> int:
    """The smallest id of a post made at `at`, in seconds since 1970, or later; at least 1."""
    return max(1, (round(at * 1000) - EPOCH_MS) << _BITS)


def made_at(identity: int) -> float:
    """When a post of this id was made, in seconds since 1970."""
    return ((identity >> _BITS) + EPOCH_MS) / 1000
