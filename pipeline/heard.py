"""From records to facts: routed posts, the brand's own posts, private messages, retractions, and the helpdesk's words.

Each function takes a record's value and gives what it says of whose conversation; text is read here and left here.

Raises (all of them):
    BadMessage: the value cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, TypeVar

import msgspec

from pipeline import identities
from pipeline.errors import BadMessage, Reason
from pipeline.facts import QUEUES, Fact, Kind, Mark
from pipeline.phrases import only_thanks, praises
from pipeline.policies import Policies
from pipeline.post_times import believed, first_made
from pipeline.posts import Opinion, Queue, Stage

T = TypeVar("T")
ANY = ""
"""In place of a brand or a conversation: all of the customer's."""
_PLACE = {queue: place for place, queue in enumerate(QUEUES)}


class Heard(NamedTuple):
    """A fact, and whose conversation it belongs to."""

    customer: str
    brand: str
    conversation: str
    fact: Fact


class _Author(msgspec.Struct, gc=False):
    external_id: str
    handle: str | None = None


class _Classification(msgspec.Struct, gc=False):
    stage: Stage
    decided_by: Opinion = Opinion.FIRST


class _Routed(msgspec.Struct, gc=False):
    """What is needed of a routed record."""

    external_id: str
    event_type: str
    revision: int
    brand: str
    queue: Queue
    conversation_id: str
    author: _Author
    text: str
    created_at: str
    classification: _Classification
    parent_id: str | None = None
    parent_author_id: str | None = None


_routed = msgspec.json.Decoder(_Routed).decode


def routed(value: bytes | None, place: int, policies: Policies) -> Heard | None:
    """What a record of a queue or of posts.own says; None: nothing about a customer's wait.

    Args:
        value: the routed record.
        place: its offset.
        policies: the brands' rules.
    """
    record = decoded(_routed, value)
    if record.event_type != "routed":
        return None
    return _answer(record, place, policies) if record.queue is Queue.OWN else _question(record, place)


def _question(record: _Routed, place: int) -> Heard:
    marks = question_marks(record.text, engagement=record.classification.stage is Stage.ENGAGEMENT)
    if record.classification.decided_by is Opinion.PERSON:
        marks |= Mark.PERSON
    fact = Fact(_made(record), Kind.ASKED, _id(record), _PLACE[record.queue], marks, record.revision, place=place)
    return Heard(record.author.external_id, record.brand, record.conversation_id, fact)


def _answer(record: _Routed, place: int, policies: Policies) -> Heard | None:
    """A brand's own post answers the one it replies to; a post to nobody, or to itself, answers nobody."""
    customer = record.parent_author_id
    if customer is None or customer == record.author.external_id or policies.is_own(customer):
        return None
    account = record.author.handle or record.author.external_id
    marks = answer_marks(record.text, account, record.brand, policies)
    fact = Fact(
        _made(record), Kind.ANSWERED, _id(record), -1, marks, record.revision, account,
        record.parent_id or "", place,
    )  # fmt: skip
    return Heard(customer, record.brand, record.conversation_id, fact)


def question_marks(text: str, *, engagement: bool) -> int:
    """What a customer's text says about itself."""
    praise = Mark.PRAISE if engagement and praises(text) else 0
    return praise | (Mark.THANKS if only_thanks(text) else 0)


def answer_marks(text: str, account: str, brand: str, policies: Policies) -> int:
    """Where an answer invites to, and whether a machine wrote it."""
    phrases = policies.phrases(brand)
    to = Mark.TO_DM if phrases.to_dm(text) else Mark.TO_EMAIL if phrases.to_email(text) else 0
    return to | (Mark.BOT if policies.is_bot(account) else 0)


def _made(record: _Routed) -> int:
    """Of an edit it is when the first version was made, be that known or not."""
    return first_made(ms(record.created_at), _id(record), record.revision)


def _id(record: _Routed) -> str:
    return record.external_id.removeprefix("x:")


class Message(msgspec.Struct, frozen=True, gc=False):
    """A record of `messages`: one private message, as the listener writes it."""

    id: str
    brand: str
    sender_id: str
    customer_id: str
    """The other side; the sender where the customer wrote it."""
    created_at: str
    text: str = ""
    sender_handle: str | None = None


_message = msgspec.json.Decoder(Message).decode


def message(value: bytes | None, policies: Policies) -> Heard:
    """What a private message says: the customer wrote, or the brand did, and so answered."""
    record = decoded(_message, value)
    if record.sender_id == record.customer_id:
        return Heard(record.customer_id, record.brand, ANY, Fact(ms(record.created_at), Kind.WROTE, "dm:" + record.id))
    account = record.sender_handle or record.sender_id
    marks = Mark.BOT if policies.is_bot(account) else 0
    fact = Fact(ms(record.created_at), Kind.MESSAGED, "dm:" + record.id, marks=marks, who=account)
    return Heard(record.customer_id, record.brand, ANY, fact)


class Retraction(msgspec.Struct, frozen=True, gc=False):
    """A record of `retractions`: a post is gone."""

    id: str
    """The post's first id; "*": all that the customer wrote until then is to be forgotten."""
    customer: str
    """The key of its records: who wrote it, or whom a brand's post answers."""
    at: str


def checked(heard: Heard) -> Heard:
    """The same, fit to be kept under the names that it has."""
    fact = heard.fact
    identities.check(
        customer=heard.customer, brand=heard.brand, conversation=heard.conversation, id=fact.id, parent=fact.parent
    )
    return heard


def dated(heard: Heard, written: int) -> Heard:
    """The same, not later than it can be: `written` is the record's Kafka timestamp in ms."""
    fact, at = heard.fact, believed(heard.fact.at, written)
    return heard if at == fact.at else heard._replace(fact=msgspec.structs.replace(fact, at=at))


_retraction = msgspec.json.Decoder(Retraction).decode


def retraction(value: bytes | None) -> Heard:
    """What a retraction says, of whichever conversation the post was in."""
    record = decoded(_retraction, value)
    fact = Fact(ms(record.at), Kind.GONE, record.id, marks=Mark.GONE)
    return Heard(record.customer, ANY, ANY, fact)


def ms(time: str) -> int:
    """RFC 3339 to ms since 1970."""
    try:
        at = datetime.fromisoformat(time)
    except ValueError as error:
        raise BadMessage(Reason.WRONG_TYPE, "a time that is not RFC 3339") from error
    if at.tzinfo is None:
        raise BadMessage(Reason.WRONG_TYPE, "a time without its offset from UTC")
    return round(at.timestamp() * 1000)


def decoded(decode: Callable[[bytes], T], value: bytes | None) -> T:
    """A record's value, read.

    Raises:
        BadMessage: it cannot be.
    """
    if value is None:
        raise BadMessage(Reason.TOMBSTONE, "no value")
    try:
        return decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = Reason.WRONG_TYPE if isinstance(error, msgspec.ValidationError) else Reason.NOT_JSON
        raise BadMessage(reason, str(error)) from error
