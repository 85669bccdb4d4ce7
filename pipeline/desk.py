"""A helpdesk's words: resolve, handoff, assign, note, move; read, keyed, and as facts of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Literal, get_args

import msgspec

from pipeline import identities
from pipeline.errors import BadMessage, Reason
from pipeline.facts import QUEUES, Fact, Kind, Mark
from pipeline.heard import Heard, decoded, ms
from pipeline.posts import Queue
from pipeline.route import utc
from pipeline.topics import QUEUE_TOPICS

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Verb = Literal["resolve", "handoff", "assign", "note", "move"]
Movable = Literal["reactive", "proactive", "engagement", "review"]
"""Where a person may move a post to."""
Place = Literal["dm", "email", "elsewhere"]
"""Where a conversation may go on."""
Text = Annotated[str, msgspec.Meta(max_length=65_535)]


class Word(msgspec.Struct, frozen=True, gc=False):
    """A record of `desk`: what a helpdesk says of a customer's conversation, with the names of the routed record.

    `id` is the helpdesk's own, and makes a word that is sent twice count once. Who leaves `partition` out has the
    word's place computed from the customer as Kafka's clients in Java do.
    """

    id: Name
    word: Verb
    customer: Name
    """`author.external_id` of the customer's post."""
    brand: Name
    conversation_id: Name
    at: str
    """RFC 3339."""
    by: Annotated[str, msgspec.Meta(max_length=255)] = ""
    """Who says it."""
    to: Name | None = None
    """move: the queue; handoff: dm, email or elsewhere; assign: the agent; resolve: x (if left out) or elsewhere."""
    post_id: Name | None = None
    """move: which post, by `external_id`, with or without "x:"."""
    text: Text | None = None
    """note: kept in this record only."""
    partition: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """`source.partition` of the routed record."""


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Word).decode
MOVABLE = get_args(Movable)
_CHANNELS: Mapping[str, int] = {"dm": Mark.TO_DM, "email": Mark.TO_EMAIL, "elsewhere": Mark.ELSEWHERE}
_KINDS = {"assign": Kind.ASSIGNED, "note": Kind.NOTED, "resolve": Kind.RESOLVED, "handoff": Kind.HANDED_OFF}


def read_word(value: bytes | None) -> Word:
    """A word from its record.

    Raises:
        BadMessage: it cannot be read, or says what cannot be done.
    """
    word = decoded(_decode, value)
    ms(word.at)
    identities.check(
        id=word.id, customer=word.customer, brand=word.brand, conversation_id=word.conversation_id, post_id=word.post_id
    )
    if word.word == "move" and (word.post_id is None or word.to not in MOVABLE):
        raise BadMessage(Reason.WRONG_TYPE, f"a move names post_id, and in to one of {', '.join(MOVABLE)}")
    if word.word == "handoff" and word.to not in _CHANNELS:
        raise BadMessage(Reason.WRONG_TYPE, f"a handoff names in to one of {', '.join(_CHANNELS)}")
    if word.word == "assign" and not word.to:
        raise BadMessage(Reason.WRONG_TYPE, "an assign names the agent in to")
    if word.word == "resolve" and word.to not in (None, "x", "elsewhere"):
        raise BadMessage(Reason.WRONG_TYPE, "a resolve names in to x or elsewhere, or nothing")
    return word


def partition_of(word: Word, partitions: int, hashed: Callable[[bytes], int], *, grown: bool = False) -> int:
    """Where the customer's records are; where the topics have `grown`, the word may say where they were before.

    Raises:
        BadMessage: the word names a partition that there is not.
    """
    if word.partition is None or grown:
        return hashed(word.customer.encode()) % partitions
    if word.partition >= partitions:
        raise BadMessage(Reason.WRONG_TYPE, f"partition {word.partition} of {partitions}: the first is 0")
    return word.partition


def not_after(word: Word, value: bytes | None, now: int) -> bytes | None:
    """The word's record for desk.keyed: said by `now`, the posts' time in ms, at the latest.

    So a word from the future counts as of now, and one about an old year's posts happens in that year; and because it
    stands in the record it is the same whenever that is read.
    """
    return value if ms(word.at) <= now else encode(msgspec.structs.replace(word, at=utc(now)))


def said(word: Word) -> Heard:
    """What a word says of a conversation; of a move: a note with the queue, and the post as its parent."""
    if word.word == "move":
        queue, post = QUEUES.index(target(word)), (word.post_id or "").removeprefix("x:")
        note = Fact(ms(word.at), Kind.NOTED, "desk:" + word.id, queue, Mark.PERSON, who=word.by, parent=post)
        return Heard(word.customer, word.brand, word.conversation_id, note)
    marks = 0
    if word.word == "handoff":
        marks = _CHANNELS[word.to or ""]
    elif word.word == "resolve" and word.to == "elsewhere":
        marks = Mark.ELSEWHERE
    who = (word.to or "") if word.word == "assign" else word.by
    fact = Fact(ms(word.at), _KINDS[word.word], "desk:" + word.id, marks=marks, who=who)
    return Heard(word.customer, word.brand, word.conversation_id, fact)


def counts(move: Fact, facts: Iterable[Fact]) -> bool:
    """Whether a move is news: neither said before nor, by its time, before another one of the same post."""
    return all(
        fact.id != move.id and fact.at <= move.at for fact in facts if is_move(fact) and fact.parent == move.parent
    )


def is_move(fact: Fact) -> bool:
    """Whether a fact says that a post was moved."""
    return fact.kind is Kind.NOTED and bool(fact.marks & Mark.PERSON)


def topic_of_place(queue: int) -> str:
    """The declared topic in which a fact's post stands; -1: among the brand's own."""
    return QUEUE_TOPICS[queue]


def target(word: Word) -> Queue:
    """The queue to which a move goes."""
    return Queue(word.to or "")
