"""How the state of a conversation lies in the topic `conversations`: its key, its value, and the mark beside them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from pipeline.errors import BadMessage, Reason, StateError
from pipeline.facts import Fact
from pipeline.turns import Conversation

TOLD = b"told"
"""The key of a partition's mark in `conversations`: the offset of `responses` up to which what is told is kept too."""
FACTS_HEADER = "facts"
"""The header of records of `responses` with the facts that were new, for who must find out what a dead worker knew."""
_SEPARATOR = "\x1f"
"""Between the parts of a key; no id of X and no brand has it."""


class Head(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a state, for when the rest need not be read."""

    version: int
    clock: int


encode = msgspec.msgpack.Encoder().encode
encode_id = msgspec.msgpack.Encoder().encode
"""An id as it lies within a state."""
decode = msgspec.msgpack.Decoder(Conversation).decode
head = msgspec.msgpack.Decoder(Head).decode
encode_facts = msgspec.json.Encoder().encode
_facts = msgspec.json.Decoder(list[Fact]).decode


class Key(NamedTuple):
    """Whose conversation: the key of `conversations` is its three parts."""

    customer: str
    brand: str
    conversation: str

    def encoded(self) -> bytes:
        """As it stands in Kafka.

        Raises:
            BadMessage: it could not be read again.
        """
        name = _SEPARATOR.join(self)
        if name.count(_SEPARATOR) != 2:
            raise BadMessage(Reason.WRONG_TYPE, "a customer, brand or conversation holds the separator of keys")
        return name.encode()

    @classmethod
    def of(cls, key: bytes) -> Key:
        """From Kafka."""
        customer, brand, conversation = key.decode().split(_SEPARATOR)
        return cls(customer, brand, conversation)


class Placed(NamedTuple):
    """A key in a partition: where topics have grown, one that was moved has a tombstone in its old partition."""

    partition: int
    key: bytes


class Kept(NamedTuple):
    """What stands under a key, and its Kafka timestamp in ms."""

    value: bytes
    timestamp: int


def state(key: bytes, value: bytes) -> tuple[Key, Conversation]:
    """A record of `conversations`, read.

    Raises:
        StateError: it is none; says what to do.
    """
    try:
        return Key.of(key), decode(value)
    except (msgspec.DecodeError, ValueError) as error:
        raise StateError(
            f"conversations: the record under the key {key[:80]!r} is no state of a conversation ({error}). "
            "Another program wrote it, or a later version of this one. Keep a copy, see to it that only the responses "
            "workers may write there, and write a tombstone under that key; then start again"
        ) from error


def facts(headers: Iterable[tuple[str, bytes | None]]) -> list[Fact]:
    """The facts that came with a record of `responses`; none in those of earlier versions, and of what was no news."""
    for name, value in headers:
        if name == FACTS_HEADER:
            try:
                return _facts(value or b"")
            except msgspec.DecodeError:  # what is told counts without them too
                return []
    return []
