"""`triage desk`: says to the stream what a helpdesk would: move, resolve, handoff, assign, note."""

from __future__ import annotations

import uuid

from kafka import KafkaProducer
from kafka.errors import KafkaError

from agents import clients
from agents.first_ids import first_id
from agents.states import State, states
from pipeline.brands import require_brand
from pipeline.desk import Verb, Word, encode, read_word
from pipeline.errors import BrokerError, TriageError
from pipeline.facts import Kind, Mark
from pipeline.route import utc
from pipeline.settings import Settings
from pipeline.topics import DESK


class NoSuchPost(TriageError):
    """Raised when no conversation knows the post that was named."""


def say(
    settings: Settings,
    word: Verb,
    post: str,
    *,
    brand: str | None,
    to: str | None,
    by: str,
    text: str | None = None,
    now: int,
) -> Word:
    """Write a word to `desk`, acknowledged, about the conversation in which a post is; `now` in ms.

    Raises:
        NoSuchPost: none is known (any more), or several brands have it and none is named.
        UnknownBrand: neither the settings nor the states have it.
        BrokerError: the broker did not take it.
    """
    state, identity = _find(settings, post.removeprefix("x:"), brand)
    key = state.key
    said = Word(
        str(uuid.uuid4()), word, key.customer, key.brand, key.conversation, utc(now), by, to,
        identity if word == "move" else None, text, state.partition,
    )  # fmt: skip
    read_word(encode(said))
    producer: KafkaProducer = clients.producer(settings.kafka)
    try:
        producer.send(settings.topics.name(DESK), encode(said), key.customer.encode()).get(timeout=30)
    except KafkaError as error:
        raise BrokerError(f"the word was not taken ({error!r}): try again") from error
    finally:
        producer.close()
    return said


def _find(settings: Settings, post: str, brand: str | None) -> tuple[State, str]:
    """The state in which a post is, and the post's first id."""
    consumer = clients.consumer(settings.kafka)
    try:
        known = states(consumer, settings)
        require_brand(brand, settings.brands, {state.key.brand for state in known})
        found = _having(known, post, brand)
        if not found and (first := first_id(consumer, settings, post)) != post:
            post, found = first, _having(known, first, brand)
    finally:
        consumer.close()
    if not found:
        raise NoSuchPost(f"no conversation has the post {post} (any more): `triage waiting` shows who waits, with ids")
    if len(found) > 1:
        names = ", ".join(sorted(state.key.brand for state in found))
        raise NoSuchPost(f"the post {post} is in conversations with {names}: say --brand")
    return found[0], post


def _having(known: list[State], post: str, brand: str | None) -> list[State]:
    return [
        state
        for state in known
        if (fact := state.fact(post)) is not None
        and fact.kind in (Kind.ASKED, Kind.ANSWERED)
        and not fact.marks & Mark.ADOPTED
        and state.key.conversation
        and brand in (None, state.key.brand)
    ]
