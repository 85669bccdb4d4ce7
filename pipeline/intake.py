"""What came in, and where it goes: posts to `tweets` under their customer's key, each version once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from pipeline.brands import Brands
from pipeline.decode import decode
from pipeline.posts import Post
from pipeline.route import customer
from pipeline.seen import Seen

_UNDATED = -(2**62)


class Taken(NamedTuple):
    """A record of `tweets`."""

    value: bytes
    key: bytes | None
    """None where it is no post that can be read: it goes on as it stands, to the dead letters."""
    first_id: str = ""
    revision: int = 0
    created_at: int | None = None
    """Milliseconds since 1970, where it says so."""


def take(value: bytes, brands: Brands) -> Taken:
    """Read so much of a line as its place in Kafka needs."""
    post = decode([value], [_UNDATED])[0]
    if not isinstance(post, Post):
        return Taken(value, None)
    key = customer(post, own=brands.own(post) is not None).encode()
    created_at = None if post.created_at == _UNDATED else post.created_at
    return Taken(value, key, post.first_id, post.revision, created_at)


def is_new(taken: Taken, seen: Seen) -> bool:
    """Whether it has not come yet; what cannot be read always counts as new."""
    return taken.key is None or seen.is_new(taken.first_id, taken.revision)


class _Rules(msgspec.Struct):
    matching_rules: list[msgspec.Raw] = []


_rules = msgspec.json.Decoder(_Rules).decode
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Together:
    """What one sweep found, each version once: a post found by several queries has the tags of all of them."""

    def __init__(self, brands: Brands) -> None:
        self._brands = brands
        self._found: dict[tuple[str, int], Taken] = {}
        self._broken: list[Taken] = []

    def __len__(self) -> int:
        return len(self._found) + len(self._broken)

    def add(self, envelopes: Iterable[bytes]) -> None:
        """Take the posts of a page."""
        for envelope in envelopes:
            taken = take(envelope, self._brands)
            if taken.key is None:
                self._broken.append(taken)
                continue
            key = (taken.first_id, taken.revision)
            before = self._found.get(key)
            self._found[key] = taken if before is None else before._replace(value=_tagged(before.value, taken.value))

    def in_order(self) -> list[Taken]:
        """All of them, the oldest first."""
        return [*sorted(self._found.values(), key=_age), *self._broken]


def _age(taken: Taken) -> tuple[int, int, int]:
    return taken.created_at or 0, len(taken.first_id), taken.revision


def _tagged(value: bytes, other: bytes) -> bytes:
    """A record with the other's rules too, which come behind its own."""
    ours, theirs = _rules(value).matching_rules, _rules(other).matching_rules
    known = {bytes(rule) for rule in ours}
    more: Sequence[msgspec.Raw] = [rule for rule in theirs if bytes(rule) not in known]
    if not more:
        return value
    return msgspec.json.encode(_parts(value) | {"matching_rules": [*ours, *more]})
