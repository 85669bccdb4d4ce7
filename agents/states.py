"""The states of conversations as the topic has them now, for commands that look."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

import msgspec
from kafka import KafkaConsumer
from kafka.consumer.fetcher import ConsumerRecord

from agents import clients
from pipeline.facts import Fact
from pipeline.kept import TOLD, Key, head, state
from pipeline.posts_clock import PostsClock
from pipeline.settings import Settings
from pipeline.topics import CONVERSATIONS
from pipeline.turns import Conversation


class State(NamedTuple):
    """A conversation, and the partition in which all of its customer's records are."""

    key: Key
    conversation: Conversation
    partition: int

    def fact(self, identity: str) -> Fact | None:
        """What is known of a post."""
        return self.conversation.fact(identity)


def states(consumer: KafkaConsumer, settings: Settings, clock: PostsClock | None = None) -> list[State]:
    """All of them; what is kept for conversations that are not known yet is among them, under an empty name.

    `clock` notices what time it is for the posts, as the worker's does when it reads them.

    Raises:
        TopicsError: there is no topic `conversations`.
        BrokerError: the broker does not answer.
        StateError: it holds a record that is none.
    """
    return taken(clients.stored(consumer, settings.topics.name(CONVERSATIONS)), clock)


def taken(records: Iterable[ConsumerRecord], clock: PostsClock | None = None) -> list[State]:
    """The newest of each conversation.

    Raises:
        StateError: a record is none.
    """
    newest: dict[tuple[bytes, int], bytes] = {}
    for record in records:
        if record.value is None:
            newest.pop((record.key, record.partition), None)
        elif record.key != TOLD:
            newest[record.key, record.partition] = record.value
            if clock is not None:
                with suppress(msgspec.DecodeError):  # the newest under its key is judged below
                    clock.notice(head(record.value).clock, record.timestamp)
    return [State(*state(key, value), partition) for (key, partition), value in newest.items()]
