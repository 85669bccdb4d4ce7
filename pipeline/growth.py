"""More partitions: which states move to another one, and how a moved state still says where its posts stand.

A customer's records are in the partition that the hash of their id gives. With more partitions it gives another one for
most customers; what is read then comes there, so their states must be there before. Posts stay where they stand: a
moved state names their old partition with each place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from pipeline.errors import StateError
from pipeline.facts import Fact, apart
from pipeline.kept import TOLD, Kept, Key, Placed, encode, state
from pipeline.turns import Conversation

Hash = Callable[[bytes], int]


class Counts(NamedTuple):
    """How many partitions there were, and how many there will be."""

    before: int
    after: int


class Move(NamedTuple):
    """A key, from one partition to another; `value` None: it is there already, only the old one is to be deleted."""

    key: bytes
    here: int
    there: int
    value: bytes | None
    timestamp: int


class Compacted(NamedTuple):
    """How the keys of a compacted topic lie in its partitions, and what becomes of a value that moves."""

    hashed_by: Callable[[bytes], bytes]
    """What of a key is hashed."""
    moved: Callable[[bytes, bytes, int], bytes]
    """(key, value, old partition) to the value in the new one."""


def moves(found: Mapping[Placed, Kept], topic: Compacted, counts: Counts, hashed: Hash) -> list[Move]:
    """What is to be moved so that each key is where its hash says; after a break only the rest.

    Args:
        found: what stands in the topic.
        topic: how its keys lie.
        counts: of partitions.
        hashed: Kafka's hash.

    Raises:
        StateError: a key lies where no hash put it, or two values stand against each other.
    """
    made = []
    for (here, key), (value, timestamp) in found.items():
        if key == TOLD:
            continue
        hash_of_it = hashed(topic.hashed_by(key))
        there = hash_of_it % counts.after
        if here == there:
            continue
        if here != hash_of_it % counts.before:
            raise StateError(_strange(key, here, hash_of_it % counts.before))
        moved, stands = topic.moved(key, value, here), found.get(Placed(there, key))
        if stands is not None and stands.value != moved:
            raise StateError(f"the key {key[:80]!r} has another value in partition {there} than in {here}: delete one")
        made.append(Move(key, here, there, moved if stands is None else None, timestamp))
    return made


def _strange(key: bytes, here: int, usual: int) -> str:
    return (
        f"the key {key[:80]!r} lies in partition {here}, though Kafka's hash says {usual}: something else than the "
        "listener writes `tweets`, with another partitioner. Let it use Kafka's own (murmur2 of the key, in librdkafka "
        "partitioner=murmur2_random), wait until those conversations are over, and try again"
    )


def _customer(key: bytes) -> bytes:
    return Key.of(key).customer.encode()


def _conversation(key: bytes, value: bytes, here: int) -> bytes:
    _, conversation = state(key, value)
    return encode(_placed(conversation, here))


def _placed(conversation: Conversation, here: int) -> Conversation:
    summed = conversation.summed
    if summed is not None:
        summed = msgspec.structs.replace(summed, old=_facts(summed.old, here))
    return msgspec.structs.replace(conversation, facts=_facts(conversation.facts, here), summed=summed)


def _facts(facts: Iterable[Fact], here: int) -> list[Fact]:
    return [
        msgspec.structs.replace(
            fact,
            place=apart(fact.place, here),
            copies=tuple((queue, apart(place, here)) for queue, place in fact.copies),
        )
        for fact in facts
    ]


CONVERSATIONS_LIE = Compacted(_customer, _conversation)
NAMES_LIE = Compacted(lambda key: key, lambda _key, value, _here: value)
"""Of topics whose whole key is hashed, and whose values say nothing of places."""
