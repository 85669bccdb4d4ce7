"""From records to facts: what the triage worker writes is understood, and what cannot be read is refused."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.classify import Model
from pipeline.errors import BadMessage, Reason
from pipeline.facts import Fact, Kind, Mark
from pipeline.heard import ANY, Heard, message, retraction, routed
from pipeline.policies import Policies
from pipeline.posts import Author, Opinion, Post, Stage, Verdict
from pipeline.route import Place, Router
from pipeline.settings import Brand, Settings

SETTINGS = Settings(
    brands=(Brand(name="heron", handles=("HeronAir", "HeronBot"), ids=("900",), bots=("HeronBot",)),),
)
POLICIES = Policies(SETTINGS)
AT = 1_772_359_200_000


def record(text: str, author: Author, *, decided_by: Opinion = Opinion.FIRST, **more: object) -> bytes:
    """A routed record as the worker writes it."""
    post = Post("7", "6", text, author, AT, "1", **more)  # type: ignore[arg-type]
    verdict = Verdict(Stage.ENGAGEMENT, 0.9, (0.05, 0.05, 0.9), decided_by)
    router = Router(SETTINGS, Model("m", "1", "0" * 64))
    return router.route(post, verdict, Place("tweets", 0, 1, AT), AT)[0].value


def test_a_customers_post() -> None:
    """Its first id, queue, revision and place, and that it is a kind word."""
    found = routed(record("love it", Author("5", "ann"), lang="en", revision=1), 42, POLICIES)

    assert Heard("5", "heron", "1", Fact(AT, Kind.ASKED, "6", 2, int(Mark.PRAISE), 1, place=42)) == found


def test_thanks_are_marked() -> None:
    """The text is read here; the fact holds none."""
    found = routed(record("@HeronAir thanks!", Author("5"), lang="en"), 0, POLICIES)

    assert found is not None
    assert found.fact.marks & Mark.THANKS


@pytest.mark.parametrize(
    ("handle", "text", "marks"),
    [
        ("HeronAir", "On our way", 0),
        ("HeronAir", "please DM us", Mark.TO_DM),
        ("HeronAir", "write to help@heron.example", Mark.TO_EMAIL),
        ("HeronBot", "your case is 12", Mark.BOT),
    ],
)
def test_a_brands_answer(handle: str, text: str, marks: int) -> None:
    """To whom, by whom, to which post, and where it invites to."""
    found = routed(record(text, Author("900", handle), parent_id="3", parent_author_id="5"), 8, POLICIES)

    assert Heard("5", "heron", "1", Fact(AT, Kind.ANSWERED, "6", -1, int(marks), 0, handle, "3", 8)) == found


@pytest.mark.parametrize("customer", [None, "900", "heronair"])
def test_a_post_to_nobody_answers_nobody(customer: str | None) -> None:
    """A brand's post to all, to itself, or to another of its accounts."""
    assert routed(record("news", Author("900", "HeronAir"), parent_author_id=customer), 0, POLICIES) is None


def test_private_messages() -> None:
    """The brand's answers, the customer's does not; neither names a conversation."""
    common = {"id": "d1", "brand": "heron", "customer_id": "5", "created_at": "2026-03-01T10:00:00.000Z"}
    ours = msgspec.json.encode(common | {"sender_id": "900", "sender_handle": "HeronAir"})
    theirs = msgspec.json.encode(common | {"sender_id": "5"})

    assert Heard("5", "heron", ANY, Fact(AT, Kind.MESSAGED, "dm:d1", who="HeronAir")) == message(ours, POLICIES)
    assert Heard("5", "heron", ANY, Fact(AT, Kind.WROTE, "dm:d1")) == message(theirs, POLICIES)


def test_a_retraction() -> None:
    """Whatever brand and conversation the post was in."""
    value = b'{"id":"6","customer":"5","at":"2026-03-01T11:00:00+01:00"}'

    assert Heard("5", ANY, ANY, Fact(AT, Kind.GONE, "6", marks=int(Mark.GONE))) == retraction(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.TOMBSTONE),
        (b"{", Reason.NOT_JSON),
        (b"\xff", Reason.NOT_JSON),
        (b'{"id":6}', Reason.WRONG_TYPE),
        (b'{"id":"6","customer":"5","at":"today"}', Reason.WRONG_TYPE),
        (b'{"id":"6","customer":"5","at":"2026-03-01T11:00:00"}', Reason.WRONG_TYPE),
    ],
)
def test_what_cannot_be_read_is_refused(value: bytes | None, reason: Reason) -> None:
    """With the reason that a dead letter would state."""
    with pytest.raises(BadMessage) as refused:
        retraction(value)

    assert reason is refused.value.reason


def test_a_retracted_record_opens_nothing() -> None:
    """The routed record's other event type is for helpdesks."""
    value = record("hi", Author("5"), lang="en").replace(b'"event_type":"routed"', b'"event_type":"retracted"')

    assert routed(value, 0, POLICIES) is None
