"""The invented helpdesk of the demo: some of those who wait are answered, once, after a moment."""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec

from agents.demo_helpdesk import WORDS, Helpdesk
from pipeline.posts import Queue
from pipeline.replies import Limits, encode, read_reply
from pipeline.routed import RoutedPost

AT = "2026-03-01T10:00:00.000Z"
EXAMPLE = Path(__file__).parents[1] / "docs" / "contracts" / "examples" / "urgent.json"
ROUTED = msgspec.json.decode(EXAMPLE.read_bytes(), type=RoutedPost)


def _posts(count: int, queue: Queue = Queue.REACTIVE, customer: str | None = None) -> list[RoutedPost]:
    return [
        msgspec.structs.replace(
            ROUTED, event_id=f"e{number}", external_id=f"x:{number}", conversation_id=f"{number}", queue=queue,
            reply_allowed=True,
            author=msgspec.structs.replace(ROUTED.author, external_id=customer or f"{number}"),
        )
        for number in range(count)
    ]  # fmt: skip


def test_some_are_answered_after_a_moment() -> None:
    """About one in five, not at once, each as X would take it."""
    desk = Helpdesk(Random(1))
    for post in _posts(200):
        desk.read(post, now=100.0)

    at_once, later = desk.due(100.0, AT), desk.due(103.0, AT)

    assert [] == at_once
    assert 20 < len(later) < 60
    assert desk.idle
    assert later == [read_reply(encode(reply), Limits()) for reply in later]


def test_nobody_hears_a_sentence_twice() -> None:
    """One customer with 200 conversations: X refuses a text of ours that it has already, so none is sent again."""
    desk = Helpdesk(Random(1))
    for post in _posts(200, customer="508"):
        desk.read(post, now=0.0)

    texts = [reply.text for reply in desk.due(10.0, AT)]

    assert desk.idle
    assert len(texts) == len(set(texts)) == len(WORDS)


def test_an_answer_names_what_it_answers() -> None:
    """Post, customer, conversation, partition."""
    desk = Helpdesk(Random(1))
    for post in _posts(20, customer="508"):
        desk.read(post, now=0.0)

    reply = desk.due(10.0, AT)[0]

    assert reply.post_id == f"x:{reply.conversation_id}"
    assert (ROUTED.brand, ROUTED.author.external_id) == (reply.brand, reply.customer)
    assert ROUTED.source.partition == reply.partition


def test_who_does_not_wait_is_not_answered() -> None:
    """Praise, the brand's own posts, and what may not be answered by API."""
    desk = Helpdesk(Random(1))
    silent = [msgspec.structs.replace(post, reply_allowed=False) for post in _posts(50)]
    for post in (*_posts(50, Queue.ENGAGEMENT), *_posts(50, Queue.OWN), *silent):
        desk.read(post, now=0.0)

    assert [] == desk.due(10.0, AT)


def test_a_conversation_is_answered_once() -> None:
    """However often its posts come."""
    desk = Helpdesk(Random(1))
    for post in _posts(20) * 3:
        desk.read(post, now=0.0)

    found = [reply.conversation_id for reply in desk.due(10.0, AT)]

    assert len(set(found)) == len(found) > 0
