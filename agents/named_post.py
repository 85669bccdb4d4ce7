"""The post that a person names, in whose state it is: by its first id, or by that of an edit, which its url shows."""

from __future__ import annotations

from collections.abc import Container

import msgspec
from kafka import KafkaConsumer

from agents import clients
from agents.states import State, states
from pipeline.brands import require_brand
from pipeline.errors import TriageError
from pipeline.facts import Fact, Kind, Mark
from pipeline.settings import Settings
from pipeline.topics import QUEUE_TOPICS


class NoSuchPost(TriageError):
    """Raised when no conversation knows the post that was named."""


class _Names(msgspec.Struct, gc=False):
    external_id: str = ""
    url: str = ""


_decode = msgspec.json.Decoder(_Names).decode


def find_post(
    consumer: KafkaConsumer, settings: Settings, post: str, brand: str | None, kinds: Container[Kind]
) -> tuple[State, Fact]:
    """The conversation in which a post of these kinds is, and what is known of it.

    Raises:
        NoSuchPost: none is known (any more), or several brands have it and none is named.
        UnknownBrand: neither the settings nor the states have it.
        TopicsError, BrokerError: the states cannot be read.
    """
    known = states(consumer, settings)
    require_brand(brand, settings.brands, {state.key.brand for state in known})
    found = _having(known, post, brand, kinds)
    if not found and (first := first_id(consumer, settings, post)) != post:
        found = _having(known, first, brand, kinds)
    if not found:
        what = "post" if Kind.ANSWERED in kinds else "customer's post"
        raise NoSuchPost(f"no {what} {post} is known (any more): `triage waiting` shows who waits, with ids")
    if len(found) > 1:
        names = ", ".join(sorted(state.key.brand for state, _ in found))
        raise NoSuchPost(f"the post {post} is in conversations with {names}: say --brand")
    return found[0]


def _having(known: list[State], post: str, brand: str | None, kinds: Container[Kind]) -> list[tuple[State, Fact]]:
    return [
        (state, fact)
        for state in known
        if (fact := state.fact(post)) is not None
        and fact.kind in kinds
        and not fact.marks & Mark.ADOPTED
        and state.key.conversation
        and brand in (None, state.key.brand)
    ]


def first_id(consumer: KafkaConsumer, settings: Settings, identity: str) -> str:
    """The first id of the post that has this one as an edit, by the routed records; itself where there is none.

    Raises:
        TopicsError, BrokerError: they cannot be read.
    """
    end = f"/{identity}"
    for topic in QUEUE_TOPICS:
        for record in clients.stored(consumer, settings.topics.name(topic)):
            if record.value is not None and end.encode() in record.value and (first := _first(record.value, end)):
                return first
    return identity


def _first(value: bytes, end: str) -> str:
    try:
        names = _decode(value)
    except msgspec.DecodeError:  # not ours
        return ""
    return names.external_id.removeprefix("x:") if names.url.endswith(end) else ""
