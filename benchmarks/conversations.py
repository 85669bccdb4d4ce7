"""Questions and answers as the triage worker routes them, for measuring what keeps the clocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from aiokafka.partitioner import murmur2

from benchmarks.placed import Placed
from pipeline.classify import Model
from pipeline.posts import Author, Mention, Post, Stage, Verdict
from pipeline.route import Place, Router, topic_of
from pipeline.settings import Settings
from pipeline.topics import TWEETS

BRAND: Mapping[str, object] = {"name": "acme", "handles": ["Acme"], "ids": ["900"]}
ASKED_BEFORE_MS = 10_000
"""The questions are from so long ago; each answer came a second or two after its question."""
_MODEL = Model("stages", "1.0.0", "0" * 64)
_SURE = Verdict(Stage.REACTIVE, 0.92, (0.92, 0.05, 0.03))
_BEGINNINGS = ("my parcel never arrived", "the app shows an error", "I was charged twice", "nobody answers your phone")
_ENDINGS = (
    "and I leave tomorrow, can you look into it?",
    "since Monday.",
    "for order {}, what now?",
    "again and again!",
)
_ANSWERS = ("We are on it and will be back within the hour.", "Your parcel left our depot today.", "It is mended now.")


class Number(NamedTuple):
    """How many of each."""

    questions: int
    answers: int


def number(count: int) -> Number:
    """Of so many events 60% are questions; two thirds of them are answered."""
    questions = round(count * 0.6)
    return Number(questions, count - questions)


def records(settings: Settings, count: int, now: int) -> Iterator[Placed]:
    """The routed records of so many events; a customer's are in the partition that the customer hashes to."""
    router, wanted = Router(settings, _MODEL), number(count)
    for place in range(wanted.questions):
        yield _routed(router, settings, _question(place, now), now)
        if place < wanted.answers:
            yield _routed(router, settings, _answer(place, now), now)


def post_id(place: int) -> str:
    """The id of a question, which is its conversation's too."""
    return str(1_856_000_000_000_000_000 + place)


def answer_id(place: int) -> str:
    """The id of the answer to it."""
    return str(1_857_000_000_000_000_000 + place)


def partition_of(customer: str, partitions: int) -> int:
    """Where Kafka's own producers put a customer's records."""
    return int((murmur2(customer.encode()) & 0x7FFFFFFF) % partitions)


def _customer(place: int) -> str:
    return str(1_000_000_000 + place)


def _question(place: int, now: int) -> Post:
    words = f"{_BEGINNINGS[place % 4]} {_ENDINGS[place // 4 % 4].format(place)}"
    author = Author(_customer(place), f"u{place}", "Some One", place % 5000, verified=False)
    mentions, at = (Mention("Acme", "900"),), now - ASKED_BEFORE_MS + place % 1000
    identity = post_id(place)
    return Post(identity, identity, f"@Acme {words}", author, at, identity, lang="en", mentions=mentions)


def _answer(place: int, now: int) -> Post:
    customer, identity = _customer(place), answer_id(place)
    text = f"@u{place} {_ANSWERS[place % 3]}"
    at = now - ASKED_BEFORE_MS + place % 1000 + 1000 + place % 997
    return Post(
        identity, identity, text, Author("900", "Acme", "Acme", 100_000, verified=True), at, post_id(place),
        parent_id=post_id(place), parent_author_id=customer, lang="en", mentions=(Mention(f"u{place}", customer),),
    )  # fmt: skip


def _routed(router: Router, settings: Settings, post: Post, now: int) -> Placed:
    customer = post.parent_author_id or post.author.id
    partition = partition_of(customer, settings.topics.partitions)
    [made] = router.route(post, _SURE, Place(settings.topics.name(TWEETS), partition, 0, now), now)
    return Placed(topic_of(made.queue), made.partition, made.key, made.value, made.headers)
