"""Whether an answer is on X: matched by parent, author, time and text without links."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.replies import Reply
from pipeline.sightings import (
    SKEW_MS,
    Page,
    Wanted,
    comparable,
    in_messages,
    in_timeline,
    made,
    since_id,
    until_id,
    user_id,
)

SINCE = 1_772_000_000_000
REPLY = Reply("r1", "reply", "acme", "See https://acme.com/a?b=c  now", "2026-01-01T00:00:00Z", "x:100", "5", "100")
WANTED = Wanted(REPLY, "900", SINCE, SINCE)
POST: dict[str, Any] = {
    "id": "7", "text": "@ann See https://t.co/xyz now", "author_id": "900", "created_at": "2026-02-25T06:13:20.000Z",
    "referenced_tweets": [{"type": "replied_to", "id": "100"}], "edit_history_tweet_ids": ["7"],
}  # fmt: skip
MESSAGE: dict[str, Any] = {
    "id": "8", "event_type": "MessageCreate", "text": "See https://t.co/xyz now", "sender_id": "900",
    "dm_conversation_id": "5-900", "created_at": "2026-02-25T06:13:20.000Z",
}  # fmt: skip


def timeline(*posts: dict[str, Any], next_token: str | None = None) -> bytes:
    """A page of X's."""
    return json.dumps({"data": posts, "meta": {"next_token": next_token, "result_count": len(posts)}}).encode()


def test_found_though_x_changed_it() -> None:
    """Its own link, and the handle of whom it answers."""
    assert Page("7", None) == in_timeline(timeline({**POST, "id": "6", "text": "other"}, POST), WANTED, ())


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "See nothing now"},
        {"author_id": "901"},
        {"referenced_tweets": [{"type": "replied_to", "id": "101"}]},
        {"referenced_tweets": [{"type": "quoted", "id": "100"}]},
        {"referenced_tweets": None},
        {"created_at": "2026-02-25T06:12:00.000Z"},
        {"edit_history_tweet_ids": ["3", "7"]},
    ],
)
def test_another_is_not_it(changes: dict[str, Any]) -> None:
    """Other text, author, parent, time; or known to be another answer (3 is)."""
    assert Page(None, "more") == in_timeline(timeline({**POST, **changes}, next_token="more"), WANTED, {"3"})


def test_the_clock_may_be_ahead() -> None:
    """A post that seems to be from before the intent, by less than the clocks differ at most."""
    late = WANTED._replace(since=SINCE + SKEW_MS)

    assert "7" == in_timeline(timeline(POST), late, ()).found
    assert in_timeline(timeline(POST), late._replace(since=SINCE + SKEW_MS + 1), ()).found is None


def test_a_post_to_all_has_no_parent() -> None:
    """And is found by its text."""
    reply = msgspec.structs.replace(REPLY, kind="post", post_id=None, text="a &lt;b&gt; < c")
    post = {**POST, "text": "a &amp;lt;b&amp;gt; &lt; c", "referenced_tweets": None}

    assert "7" == in_timeline(timeline(post), Wanted(reply, "900", SINCE, SINCE), ()).found


def test_a_long_post_is_compared_whole() -> None:
    """Its text is in note_tweet."""
    reply = msgspec.structs.replace(REPLY, text="long " * 80)
    post = {**POST, "text": "long long lo…", "note_tweet": {"text": ("long " * 80).strip()}}

    assert "7" == in_timeline(timeline(post), Wanted(reply, "900", SINCE, SINCE), ()).found


def test_an_empty_page() -> None:
    """X leaves `data` out."""
    assert Page(None, None) == in_timeline(b'{"meta":{"result_count":0}}', WANTED, ())


def test_private_messages() -> None:
    """By sender, conversation and text; those that are too old end the look."""
    wanted = WANTED._replace(reply=msgspec.structs.replace(REPLY, kind="dm"))
    joined = {**MESSAGE, "id": "9", "event_type": "ParticipantsJoin"}
    others = [{**MESSAGE, "dm_conversation_id": "6-900"}, {**MESSAGE, "sender_id": "5"}, joined]
    old = {**MESSAGE, "id": "1", "created_at": "2026-02-01T00:00:00Z"}

    assert "8" == in_messages(timeline(*others, MESSAGE), wanted, ()).found
    assert Page(None, "more") == in_messages(timeline(*others, next_token="more"), wanted, ())
    assert Page(None, None) == in_messages(timeline(*others, old, MESSAGE, next_token="more"), wanted, ())
    assert in_messages(timeline(MESSAGE), wanted, {"8"}).found is None


def test_ids() -> None:
    """Of what was made, of accounts; an id holds its time."""
    bodies = [b'{"data":{"id":"7","text":"x"}}', b'{"data":{"dm_event_id":"8"}}', b"{}", b"<html>"]

    assert ["7", "8", None, None] == [made(body) for body in bodies]
    assert ("5", None, None) == (user_id(b'{"data":{"id":"5"}}'), user_id(b'{"errors":[]}'), user_id(b"x"))
    assert (SINCE - SKEW_MS - 1_288_834_974_657) == int(since_id(SINCE)) >> 22
    assert (SINCE + SKEW_MS - 1_288_834_974_657) == int(until_id(SINCE)) >> 22


@given(st.text(), st.lists(st.from_regex(r"@[a-z]{1,9}", fullmatch=True), max_size=3), st.text("abc", min_size=1))
def test_what_x_does_to_a_text_does_not_matter(text: str, handles: list[str], path: str) -> None:
    """Handles before it, and other links in it."""
    ours, theirs = f"{text} https://acme.com/{path}", f"{' '.join([*handles, text])} https://t.co/{path}"

    assert comparable(f"@ann {ours}") == comparable(f"@ann {theirs}")
