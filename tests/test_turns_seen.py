"""Whose conversation an answered post is in, by the states on the real broker, not by what a helpdesk says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from agents import clients, topics
from agents.turns_seen import TurnsSeen
from pipeline.facts import Fact, Kind
from pipeline.kept import TOLD, Key, encode
from pipeline.replies import Reply
from pipeline.settings import Settings
from pipeline.topics import CONVERSATIONS
from pipeline.turns import Conversation

ANN, BOB = Key("5", "acme", "1"), Key("6", "acme", "70")
STATES = {
    ANN: Conversation(facts=[Fact(1, Kind.ASKED, "1", 0), Fact(2, Kind.ANSWERED, "2", who="kim", parent="1")]),
    BOB: Conversation(facts=[Fact(1, Kind.ASKED, "70", 0), Fact(2, Kind.ASKED, "71", 0)]),
    Key("6", "rival", "70"): Conversation(facts=[Fact(1, Kind.ASKED, "72", 0)]),
    Key("7", "other", "80"): Conversation(facts=[Fact(1, Kind.ASKED, "80", 0)]),
}
REPLY = Reply("r", "reply", "acme", "x", "2026-01-01T00:00:00Z", "x:1", "5", "1")


@pytest.fixture
def turns(settings: Settings) -> Iterator[TurnsSeen]:
    """As they stand in the topic, with a mark beside them that holds digits too."""
    topics.create(settings)
    name = settings.topics.name(CONVERSATIONS)
    with closing(clients.producer(settings.kafka)) as producer:
        producer.send(name, b"71", TOLD, partition=0).get(timeout=30)
        for key, state in STATES.items():
            producer.send(name, encode(state), key.encoded(), partition=0).get(timeout=30)
    with closing(clients.consumer(settings.kafka)) as consumer:
        turns = TurnsSeen(consumer, name)
        turns.start()
        yield turns


@pytest.mark.parametrize(
    ("post", "customer", "conversation", "whose"),
    [
        ("1", "5", "1", ANN),
        ("71", "5", "1", BOB),
        ("x:71", "9", "9", BOB),
        ("80", "7", "81", Key("7", "other", "80")),
        ("72", "6", "70", Key("6", "rival", "70")),
        ("2", "5", "3", Key("5", "acme", "3")),
        ("404", "5", "1", ANN),
    ],
)
def test_whose_it_is(turns: TurnsSeen, post: str, customer: str, conversation: str, whose: Key) -> None:
    """Of the brand, of no brand yet, of the one that was asked; what no state has as asked is as the answer says."""
    reply = msgspec.structs.replace(REPLY, post_id=post, customer=customer, conversation_id=conversation)

    assert whose == turns.whose(reply)


def test_its_state(turns: TurnsSeen) -> None:
    """As it lies there; None where there is none."""
    assert STATES[BOB] == turns.conversation(BOB)
    assert turns.conversation(Key("5", "acme", "3")) is None
