"""The record of `replies`: read, checked, and looked at for its tone."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts import reply_schema
from pipeline.errors import BadMessage, Reason
from pipeline.replies import Limits, Reply, cost, encode, kinds_of_warnings, read_reply, warnings, whose
from pipeline.settings_poster import Poster, Tone

FINE: dict[str, Any] = {
    "id": "r1", "kind": "reply", "brand": "acme", "text": "On its way", "at": "2026-01-01T00:00:00Z",
    "post_id": "x:100", "customer": "5", "conversation_id": "99",
}  # fmt: skip
SCHEMA = jsonschema.Draft7Validator(reply_schema())


def read(**changes: Any) -> Reply:
    """The record with other fields, read."""
    return read_reply(json.dumps(FINE | changes).encode(), Limits())


def test_what_is_read() -> None:
    """The id on X is without its prefix; the schema takes it, with a field of tomorrow, too."""
    reply = read(new=1)

    assert ("100", "On its way", False) == (reply.parent, reply.outgoing(), reply.force)
    SCHEMA.validate(FINE | {"new": 1})
    SCHEMA.validate(json.loads(encode(reply)))


def test_the_text_goes_out_composed_and_without_space_around() -> None:
    """As X would keep it."""
    assert "caf\u00e9" == read(text="  cafe\u0301\n").outgoing()


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"text": " \n"}, Reason.MISSING_TEXT, "empty"),
        ({"text": "a" * 281}, Reason.TOO_LONG, "281 by X's counting, 280 at most: take 1 away"),
        ({"text": "a" * 258 + " http://a.de"}, Reason.TOO_LONG, "282 by X's counting"),
        ({"text": "日" * 141}, Reason.TOO_LONG, "282 by X's counting"),
        ({"kind": "dm", "text": "a" * 10_001}, Reason.TOO_LONG, "10001 characters, a private message has 10000"),
        ({"text": "a\u0000b"}, Reason.WRONG_TYPE, "control characters"),
        ({"text": "$ABC and $XYZ"}, Reason.REFUSED, "one cashtag"),
        ({"post_id": None}, Reason.MISSING_FIELD, "a reply names post_id"),
        ({"kind": "dm", "customer": None}, Reason.MISSING_FIELD, "names its customer"),
        ({"kind": "post"}, Reason.WRONG_TYPE, "names no post_id"),
        ({"reply_allowed": False}, Reason.NOT_ALLOWED, "answer in the X app"),
        ({"post_id": "../1"}, Reason.WRONG_TYPE, "post_id is no id of X"),
        ({"at": "yesterday"}, Reason.WRONG_TYPE, "RFC 3339"),
        ({"kind": "shout"}, Reason.WRONG_TYPE, "shout"),
        ({"id": ""}, Reason.WRONG_TYPE, "length >= 1"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], reason: Reason, detail: str) -> None:
    """Each with its reason, and what to do."""
    with pytest.raises(BadMessage, match=reason.value) as caught:
        read(**changes)

    assert detail in caught.value.detail
    assert reason is caught.value.reason


@pytest.mark.parametrize(
    "text", ["a" * 280, "日" * 140, "a" * 256 + " http://a.de", "👨\u200d👩\u200d👧" * 140, "$ABC"]
)
def test_the_longest_that_x_takes(text: str) -> None:
    """280 by its own counting; one cashtag."""
    assert text == read(text=text).outgoing()


def test_premium_may_write_more() -> None:
    """The limit is a setting."""
    assert 500 == len(read_reply(json.dumps(FINE | {"text": "a" * 500}).encode(), Limits(post=25_000)).text)


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"\xff", b"[" * 5000])
def test_what_is_no_record(value: bytes | None) -> None:
    """A reason each, and nothing can be told of whose it is."""
    with pytest.raises(BadMessage):
        read_reply(value, Limits())

    assert whose(value) is None


def test_whose_it_is_can_be_told_of_what_is_not_right() -> None:
    """As long as it has an id and a brand."""
    found = whose(json.dumps({**FINE, "kind": "shout", "text": None}).encode())

    assert found is not None
    assert ("r1", "acme", "5") == (found.id, found.brand, found.customer)


def test_what_is_a_number_is_told_as_text() -> None:
    """A helpdesk that writes ids as numbers must see that its answer failed."""
    found = whose(json.dumps({**FINE, "post_id": 12, "customer": 5, "partition": "no"}).encode())

    assert found is not None
    assert ("r1", "12", "5", None) == (found.id, found.post_id, found.customer, found.partition)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [("保証", "品質を保証します"), ("can't", "We can\u2019t do that"), ("garanti\u0301a", "Sin garant\u00eda")],
)
def test_phrases_in_other_scripts(phrase: str, text: str) -> None:
    """Without spaces between words, with the apostrophes of phones, with accents of two characters."""
    poster = Poster(tones={"acme": Tone(avoid=(phrase,))})

    assert (f"avoid: {phrase}",) == warnings(read(text=text), poster)


def test_warnings() -> None:
    """What is not said, what should be, what it costs; whole words, in any case."""
    tone = Tone(vision=("kind", "fast"), avoid=("no refund", "guarantee"))
    poster = Poster(tones={"acme": tone})

    found = warnings(read(text="No   REFUND, see acme.com: unguaranteed, unkind"), poster)

    assert ("avoid: no refund", "vision: none of kind, fast", "link: costs 0.20 instead of 0.01") == found
    assert ["avoid", "link", "vision"] == kinds_of_warnings(found)
    assert () == warnings(read(text="Kind as we are"), poster)
    assert () == warnings(read(brand="other", text="no refund"), poster)


def test_links_cost_more() -> None:
    """In posts, not in private messages."""
    poster = Poster(price=0.01, price_with_link=0.2)

    assert 0.2 == cost(read(text="see https://acme.example"), poster)
    assert 0.01 == cost(read(text="see you"), poster)
    assert 0.01 == cost(read(kind="dm", text="see https://acme.example"), poster)


def test_the_hash_tells_answers_apart() -> None:
    """By what is posted where, not by when or by whom."""
    assert read().hash() == read(at="2026-01-02T00:00:00Z", by="kim", force=True, post_id="100").hash()
    assert 5 == len(
        {read(**one).hash() for one in ({}, {"text": "b"}, {"post_id": "2"}, {"kind": "dm"}, {"brand": "b"})}
    )


@given(st.dictionaries(st.sampled_from(sorted(FINE)), st.one_of(st.none(), st.text(), st.integers(), st.booleans())))
def test_whatever_comes_is_read_or_refused(changes: dict[str, Any]) -> None:
    """Nothing else happens; what is read keeps the schema."""
    with suppress(BadMessage):
        SCHEMA.validate(json.loads(encode(read(**changes))))
