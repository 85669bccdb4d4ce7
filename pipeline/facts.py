"""What is known of a conversation: facts that can be told twice, late and in any order, and the set is the same.

A fact is a customer's post, an answer, a private message, or a word of the helpdesk. Telling one again changes nothing;
of two versions of one (an edit, a move to another queue, a retraction) both orders of telling end in the same fact.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

import msgspec

from pipeline.posts import Queue

QUEUES: tuple[Queue, ...] = tuple(Queue)
"""A fact names its queue by the place in this tuple."""
_APART = 2**44
"""More records than a partition ever has: from here on a place names its partition too."""


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


WORDS = frozenset({Kind.RESOLVED, Kind.HANDED_OFF, Kind.ASSIGNED, Kind.NOTED})
"""What a helpdesk says."""


class Mark:
    """What else there is to say of a fact: bits, as plain numbers, for those of an enum cost a microsecond each."""

    THANKS: Final = 1
    """The post only says thanks or goodbye."""
    PRAISE: Final = 2
    """The post is a kind word that wants no help."""
    TO_DM: Final = 4
    """The answer invites to private messages; of a handoff: that is where it goes on."""
    TO_EMAIL: Final = 8
    """The same for e-mail."""
    BOT: Final = 16
    """A machine wrote it: it stops no clock."""
    GONE: Final = 32
    """The post was retracted."""
    ELSEWHERE: Final = 64
    """Resolved, or handed off to a place, that is neither X nor e-mail."""
    PERSON: Final = 128
    """A person chose the queue, not the model; of a note: it is such a choice, a move."""
    ADOPTED: Final = 256
    """It counts under another brand, and not here: who answered took it over, or an edit names others."""
    TAKEN: Final = 512
    """No brand was recognised in the post; it stands here because this brand answered."""


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
    """The offset at which the post stands in its queue's topic; see `apart` and `whereabouts`."""
    latest: int = 0
    """The highest revision of all versions, whichever stands."""
    copies: tuple[tuple[int, int], ...] = ()
    """(queue, place) of the other versions: what is retracted is retracted wherever it stands."""
    named: int = -1
    """The author's newest revision that names the brand, where the version that stands does not say so: see naming."""


_STAYS = Mark.GONE | Mark.ADOPTED
"""What was said of one version holds for all."""


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
    the earlier one says, and what is gone stays gone, as what is taken over stays so.
    """
    if one == other:
        return one
    last = max(one, other, key=_standing)
    first = min(fact.at for fact in (one, other) if fact.kind is last.kind)
    marks = last.marks | (one.marks | other.marks) & _STAYS
    latest = max(one.revision, one.latest, other.revision, other.latest)
    copies = tuple(sorted({*stands(one), *stands(other)} - {(last.queue, last.place)}))
    named = max(naming(one), naming(other))
    if named <= _says(last):
        named = -1
    if (last.at, last.marks, last.latest, last.copies, last.named) == (first, marks, latest, copies, named):
        return last
    return msgspec.structs.replace(last, at=first, marks=marks, latest=latest, copies=copies, named=named)


def naming(fact: Fact) -> int:
    """The newest revision by the author that names the brand, whichever version stands; -1: none is known."""
    return max(fact.named, _says(fact))


def _says(fact: Fact) -> int:
    """A person's revision counts moves too, and so says no more than that the brand was named once."""
    if fact.kind is not Kind.ASKED or fact.marks & Mark.TAKEN:
        return -1
    return 0 if fact.marks & Mark.PERSON else fact.revision


def stands(fact: Fact) -> list[tuple[int, int]]:
    """(queue, place) of each version of a fact that stands in a topic."""
    return [*fact.copies, *([(fact.queue, fact.place)] if fact.place >= 0 else [])]


def apart(place: int, partition: int) -> int:
    """A place that names its partition: once topics have grown, a post may stand in another one than its state."""
    return place if place < 0 or place >= _APART else (partition + 1) * _APART + place


def whereabouts(place: int, partition: int) -> tuple[int, int]:
    """(partition, offset) of a place in the state of a customer whose records are in `partition`."""
    return (partition, place) if place < _APART else (place // _APART - 1, place % _APART)


def order(fact: Fact) -> tuple[int, int, str]:
    """By time; of one instant, questions before answers."""
    return fact.at, fact.kind, fact.id


def _standing(fact: Fact) -> tuple[object, ...]:
    """Which of two versions stands; the rest of the fields only settles what nothing else does."""
    marks = fact.marks & ~_STAYS
    return (fact.kind is not Kind.GONE, marks & Mark.PERSON, fact.revision, fact.place, fact.queue, marks, -fact.kind,
            fact.who, fact.parent, fact.at, fact.latest, fact.copies, fact.named)  # fmt: skip
