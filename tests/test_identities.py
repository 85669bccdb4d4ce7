"""Ids: what a key of `conversations` cannot be made of is refused at every door, and nothing stops."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.transport import Fetched
from pipeline import desk, identities
from pipeline.bookkeeping import Bookkeeper, Entry
from pipeline.decode import decode
from pipeline.errors import BadMessage, Reason
from pipeline.kept import Key
from pipeline.policies import Policies
from pipeline.posts import Post
from pipeline.settings import Brand, Settings
from pipeline.topics import DEAD, DESK, KEYED, MESSAGES, RETRACTIONS
from pipeline.waits import Waits

AT = 1_772_359_200_000
TIME = "2026-03-01T10:00:00Z"
SETTINGS = Settings(brands=(Brand(name="heron", handles=("HeronAir",)),))
POLICIES = Policies(SETTINGS)
WORD = {"id": "w", "word": "note", "customer": "5", "brand": "heron", "conversation_id": "1", "at": TIME}
MESSAGE = {"id": "3", "brand": "heron", "sender_id": "9", "customer_id": "5", "created_at": TIME}
RETRACTION = {"id": "3", "customer": "5", "at": TIME}


def heard(topic: str, **record: Any) -> tuple[Entry, Waits]:
    """What comes of one record, and the books after it."""
    books = Waits(POLICIES)
    keeper = Bookkeeper(POLICIES, {topic: topic}, 1, lambda _: 0)
    value = json.dumps(record).encode()
    return keeper.hear([Fetched(topic, 0, 0, AT, None, value, [])], {0: books}, AT), books


@pytest.mark.parametrize("identity", ["a\x1fb", "a\nb", "a\u202eb", "a\u200bb", "1" * 256, "a\x9bb"])
@pytest.mark.parametrize(
    ("topic", "record", "name"),
    [
        *((topic, WORD, name) for topic in (DESK, KEYED) for name in ("id", "customer", "brand", "conversation_id")),
        *((MESSAGES, MESSAGE, name) for name in ("id", "brand", "customer_id")),
        *((RETRACTIONS, RETRACTION, name) for name in ("id", "customer")),
    ],
)
def test_a_bad_id_is_a_dead_letter(topic: str, record: dict[str, str], name: str, identity: str) -> None:
    """Of words, messages and retractions: with the reason, and nothing is kept."""
    entry, books = heard(topic, **record | {name: identity})

    assert [DEAD] == [out.topic for out in entry.outputs]
    assert {Reason.WRONG_TYPE.value: 1} == entry.dead
    assert {} == books.states


@pytest.mark.parametrize("name", ["id", "author_id", "conversation_id", "in_reply_to_user_id"])
@pytest.mark.parametrize("identity", ["99\x1f01", "9\x00", "9\u2066", "9" * 300])
def test_a_post_with_a_bad_id_is_a_dead_letter(name: str, identity: str) -> None:
    """At the first door, and the detail says which id; whatever is said of another."""
    post = {"id": "1", "text": "hello", "author_id": "5"} | {name: identity}

    [found] = decode([json.dumps({"data": post}).encode()], [AT])

    assert isinstance(found, BadMessage)
    assert found.reason is Reason.WRONG_TYPE
    assert name in found.detail or "`$.data.id`" in found.detail


def test_ids_of_files_are_ids() -> None:
    """Letters, signs and spaces that can be seen: files name authors in their own ways."""
    post = {
        "id": "q1",
        "text": "hello",
        "author_id": "Ann Ünal",
        "conversation_id": "c" * 200,
        "in_reply_to_user_id": "d" * 200,
    }

    [found] = decode([json.dumps({"data": post}).encode()], [AT])

    assert isinstance(found, Post)


def test_a_key_that_could_not_be_read_again_is_refused() -> None:
    """Before it is written, whoever makes it."""
    with pytest.raises(BadMessage, match="separator"):
        Key("a", "heron", "b\x1fc").encoded()

    assert Key("a", "heron", "") == Key.of(Key("a", "heron", "").encoded())


def test_an_id_that_is_not_there_is_no_bad_one() -> None:
    """Posts without author or parent are read."""
    identities.check(author_id=None, parent_id="")


def test_a_word_is_said_by_now_at_the_latest() -> None:
    """From the future, or about posts of an old year: as of the posts' time; else as it is."""
    value = json.dumps(WORD).encode()
    word = desk.read_word(value)

    assert value == desk.not_after(word, value, AT)
    late = desk.read_word(desk.not_after(word, value, AT - 1))
    assert "2026-03-01T09:59:59.999Z" == late.at
