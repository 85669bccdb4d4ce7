"""The tally: what came out, each record once, and who still waits."""

from __future__ import annotations

import json

import msgspec

from pipeline.classify import Model
from pipeline.dead import DeadLetter
from pipeline.decode import decode
from pipeline.errors import Reason
from pipeline.posts import Post, Queue, Stage, Verdict
from pipeline.route import Place, Router
from pipeline.routed import RoutedPost
from pipeline.settings import Brand, Settings
from pipeline.tally import Tally

SETTINGS = Settings(brands=(Brand(name="acme", handles=("Acme",), ids=("9",)),))
ROUTER = Router(SETTINGS, Model("m", "1", "0" * 64))


def _routed(offset: int, author: str, *, answers: str | None = None, stage: Stage = Stage.REACTIVE) -> RoutedPost:
    data = {"id": str(100 + offset), "text": "@Acme hello", "author_id": author, "in_reply_to_user_id": answers}
    [post] = decode([msgspec.json.encode({"data": data})], [0])
    assert isinstance(post, Post)
    [outgoing] = ROUTER.route(post, Verdict(stage, 0.9, (0.9, 0.05, 0.05)), Place("tweets", 0, offset, 0), 0)
    return msgspec.json.decode(outgoing.value, type=RoutedPost)


def test_an_answer_ends_the_waiting() -> None:
    """A customer waits until an account of the brand answers them; an answer to another customer changes nothing."""
    tally = Tally()
    tally.add_routed(_routed(0, "1"), 0.1)
    tally.add_routed(_routed(1, "2"), 0.1)

    tally.add_routed(_routed(2, "9", answers="1"), 0.1)

    assert {Queue.REACTIVE: 1} == dict(tally.waiting())


def test_general_posts_do_not_wait() -> None:
    """A post for engagement wants no answer."""
    tally = Tally()

    tally.add_routed(_routed(0, "1", stage=Stage.ENGAGEMENT), 0.1)

    assert {} == dict(tally.waiting())


def test_doubles_count_once() -> None:
    """The same event twice is one row and one double."""
    tally = Tally()
    tally.add_routed(_routed(0, "1"), 0.1)

    tally.add_routed(_routed(0, "1"), 0.3)

    assert (1, 1, 0.1) == (tally.rows, tally.doubles, tally.latency(Queue.REACTIVE))


def test_json_adds_up() -> None:
    """The line for programs has every row in one place."""
    tally = Tally()
    tally.add_routed(_routed(0, "1"), 0.002)
    tally.add_dead(DeadLetter(Reason.NOT_JSON, "", "decode", "tweets", 0, 1, 0, 1))

    found = json.loads(tally.as_json(tally.rows))

    assert 2 == found["posts"]
    assert 2 == sum(found["queues"].values()) + found["own"] + sum(found["dead"].values())
    assert 2.0 == found["latency_ms"]["p50"]
