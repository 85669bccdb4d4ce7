"""`triage desk`: says to the stream what a helpdesk would: move, resolve, handoff, assign, note."""

from __future__ import annotations

import uuid

from kafka import KafkaProducer
from kafka.errors import KafkaError

from agents import clients
from agents.named_post import find_post
from agents.states import State
from pipeline.desk import Verb, Word, encode, read_word
from pipeline.errors import BrokerError
from pipeline.facts import Fact, Kind
from pipeline.route import utc
from pipeline.settings import Settings
from pipeline.topics import DESK


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
    state, fact = _find(settings, post.removeprefix("x:"), brand)
    key = state.key
    said = Word(
        str(uuid.uuid4()), word, key.customer, key.brand, key.conversation, utc(now), by, to,
        fact.id if word == "move" else None, text, state.partition,
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


def _find(settings: Settings, post: str, brand: str | None) -> tuple[State, Fact]:
    consumer = clients.consumer(settings.kafka)
    try:
        return find_post(consumer, settings, post, brand, (Kind.ASKED, Kind.ANSWERED))
    finally:
        consumer.close()
