"""`triage reply`: an answer, written by hand as a helpdesk would write it."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError

from agents import clients
from agents.fetch_routed import read_routed
from agents.named_post import find_post
from agents.states import State
from pipeline.answered import answered
from pipeline.errors import BrokerError
from pipeline.facts import Fact, Kind
from pipeline.replies import Kind as ReplyKind
from pipeline.replies import Limits, Reply, encode, read_reply, warnings
from pipeline.route import utc
from pipeline.settings import Settings
from pipeline.topics import REPLIES


class Written(NamedTuple):
    """What stands in `replies`, and what speaks against it."""

    reply: Reply
    warnings: tuple[str, ...]


def write_reply(
    settings: Settings, post: str, text: str, *, brand: str | None, private: bool, force: bool, by: str, now: int
) -> Written:
    """Write an answer to the customer's post to `replies`, acknowledged; `now` in ms.

    Raises:
        NoSuchPost: no conversation has the post (any more), or several brands have it and none is named.
        UnknownBrand: neither the settings nor the states have it.
        BadMessage: X would not take it.
        BrokerError: the broker did not take it.
    """
    state, fact, allowed = _find(settings, post.removeprefix("x:"), brand)
    key = state.key
    kind: ReplyKind = "dm" if private else "reply"
    reply = Reply(
        str(uuid.uuid4()), kind, key.brand, text, utc(now), f"x:{fact.id}", key.customer, key.conversation,
        allowed, by, force, state.partition,
    )  # fmt: skip
    poster = settings.poster
    read_reply(encode(reply), Limits(poster.max_length, poster.max_message_length))
    why = None if force else answered(reply, state.conversation, ())
    _send(settings, reply)
    return Written(reply, (*warnings(reply, poster), *([f"held: {why}"] if why else [])))


def write_to_all(settings: Settings, text: str, *, brand: str, by: str, now: int) -> Written:
    """Write a post to all to `replies`, acknowledged; raises as `write_reply` does."""
    poster = settings.poster
    reply = Reply(str(uuid.uuid4()), "post", brand, text, utc(now), by=by)
    read_reply(encode(reply), Limits(poster.max_length, poster.max_message_length))
    _send(settings, reply)
    return Written(reply, warnings(reply, poster))


def _send(settings: Settings, reply: Reply) -> None:
    producer: KafkaProducer = clients.producer(settings.kafka)
    try:
        key = (reply.customer or reply.brand).encode()
        producer.send(settings.topics.name(REPLIES), encode(reply), key).get(timeout=30)
    except KafkaError as error:
        raise BrokerError(f"the answer was not taken ({error!r}): try again") from error
    finally:
        producer.close()


def _find(settings: Settings, post: str, brand: str | None) -> tuple[State, Fact, bool | None]:
    """The conversation in which a post is, the post, and whether X lets us answer it, as far as its record tells."""
    consumer = clients.consumer(settings.kafka)
    try:
        state, fact = find_post(consumer, settings, post, brand, (Kind.ASKED,))
        routed = read_routed(consumer, settings, state.partition, fact)
        return state, fact, None if routed is None else routed.reply_allowed
    finally:
        consumer.close()
