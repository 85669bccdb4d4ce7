"""What is known of a conversation: facts that can be told twice, late and in any order, and the set is the same.

A fact is a customer's post, an answer, a private message, or a word of the helpdesk. Telling one again changes nothing;
of two versions of one (an edit, a move to another queue, a retraction) both orders of telling end in the same fact.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, IntFlag

import msgspec

from pipeline.posts import Queue

QUEUES: tuple[Queue, ...] = tuple(Queue)
"""A fact names its queue by the place in this tuple."""


class Kind(IntEnum):
    """What a fact is; of facts of one instant the smaller counts first, so that an answer finds its question."""

    ASKED = 0
    """The customer posted."""
    WROTE = 1
    """The customer wrote a private message."""
    ANSWERED = 2
    """One of the brand's accounts replied to the customer in public."""
    MESSAGED = 3
    """One of the brand's accounts wrote the customer a private message."""
    RESOLVED = 4
    """The helpdesk says that it is done."""
    HANDED_OFF = 5
    """The helpdesk goes on in another channel."""
    ASSIGNED = 6
    """The helpdesk says who looks after it."""
    NOTED = 7
    """The helpdesk left a note."""
    GONE = 8
    """A post that was retracted before anything else was told of it."""


class Mark(IntFlag):
    """What else there is to say of a fact."""

    THANKS = 1
    """The post only says thanks or goodbye."""
    PRAISE = 2
    """The post is a kind word that wants no help."""
    TO_DM = 4
    """The answer invites to private messages; of a handoff: that is where it goes on."""
    TO_EMAIL = 8
    """The same for e-mail."""
    BOT = 16
    """A machine wrote it: it stops no clock."""
    GONE = 32
    """The post was retracted."""
    ELSEWHERE = 64
    """Resolved, or handed off to a place, that is neither X nor e-mail."""
    PERSON = 128
    """A person chose the queue, not the model."""


class Fact(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One thing that happened; without text, so that state holds none."""

    at: int
    """When, in ms since 1970: of a post and its edits the first time that is known."""
    kind: Kind
    id: str
    """The post's first id, the message's id, or that of the helpdesk's word."""
    queue: int = -1
    """The place in QUEUES of a customer's post."""
    marks: int = 0
    revision: int = 0
    who: str = ""
    """The account that answered, or the helpdesk's agent."""
    parent: str = ""
    """The post that it answers."""
    place: int = -1
    """The offset at which the post stands in its queue's topic."""


def known(facts: Iterable[Fact]) -> list[Fact]:
    """The facts in the order in which they happened, each once."""
    found: dict[str, Fact] = {}
    for fact in facts:
        other = found.get(fact.id)
        found[fact.id] = fact if other is None else merged(other, fact)
    return sorted(found.values(), key=order)


def merged(one: Fact, other: Fact) -> Fact:
    """Two versions of a fact as one: commutative, associative and idempotent.

    The later version stands: a person's choice of queue before a model's, then the higher revision. It happened when
    the earlier one says, and what is gone stays gone.
    """
    if one == other:
        return one
    last = max(one, other, key=_standing)
    first = min(fact.at for fact in (one, other) if fact.kind is last.kind)
    gone = (one.marks | other.marks) & Mark.GONE
    if last.at == first and last.marks | gone == last.marks:
        return last
    return msgspec.structs.replace(last, at=first, marks=last.marks | gone)


def order(fact: Fact) -> tuple[int, int, str]:
    """By time; of one instant, questions before answers."""
    return fact.at, fact.kind, fact.id


def _standing(fact: Fact) -> tuple[object, ...]:
    """Which of two versions stands; the rest of the fields only settles what nothing else does."""
    marks = fact.marks & ~Mark.GONE
    return (fact.kind is not Kind.GONE, marks & Mark.PERSON, fact.revision, fact.place, fact.queue, marks, -fact.kind,
            fact.who, fact.parent, fact.at)  # fmt: skip
