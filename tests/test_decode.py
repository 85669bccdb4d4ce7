"""Bytes to posts: what is read of X's objects, and the reason for everything that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decode import MAX_BYTES, MAX_DEPTH, decode, depth, unescape
from pipeline.errors import BadMessage, Reason
from pipeline.posts import Attachment, Author, Link, Mention, Post


def _post(envelope: dict[str, Any], timestamp: int = 0) -> Post:
    [found] = decode([json.dumps(envelope).encode()], [timestamp])
    assert isinstance(found, Post), found
    return found


def _reason(raw: bytes | None) -> Reason:
    [found] = decode([raw], [0])
    assert isinstance(found, BadMessage)
    return found.reason


def test_a_whole_envelope() -> None:
    """Every field that is read comes out under the field's word."""
    found = _post(
        {
            "data": {
                "id": "20",
                "text": "short &amp; cut…",
                "note_tweet": {"text": "the whole text &lt;3", "entities": {"hashtags": [{"tag": "late"}]}},
                "author_id": "7",
                "created_at": "2026-11-23T12:00:00.250Z",
                "conversation_id": "10",
                "in_reply_to_user_id": "9",
                "referenced_tweets": [{"type": "replied_to", "id": "11"}, {"type": "quoted", "id": "12"}],
                "edit_history_tweet_ids": ["18", "20"],
                "attachments": {"media_keys": ["m1"]},
                "lang": "en",
            },
            "includes": {
                "users": [{"id": "7", "username": "lena", "name": "Lena", "public_metrics": {"followers_count": 5}}],
                "tweets": [{"id": "12", "author_id": "99"}],
                "media": [{"media_key": "m1", "type": "photo", "url": "u", "alt_text": "a bag"}],
            },
            "matching_rules": [{"id": "1", "tag": "acme"}, {"id": "2"}],
        }
    )

    assert (
        Post(
            id="20",
            first_id="18",
            text="the whole text <3",
            author=Author("7", "lena", "Lena", 5),
            created_at=1795435200250,
            conversation_id="10",
            revision=1,
            parent_id="11",
            parent_author_id="9",
            quoted_author_id="99",
            lang="en",
            hashtags=("late",),
            attachments=(Attachment("photo", "u", "a bag"),),
            rules=("acme",),
        )
        == found
    )


def test_entities() -> None:
    """Mentions and links keep X's names."""
    entities = {"mentions": [{"username": "Acme", "id": "9"}], "urls": [{"url": "t", "expanded_url": "e"}]}

    found = _post({"data": {"id": "1", "text": "x", "entities": entities}})

    assert ((Mention("Acme", "9"),), (Link("t", "e"),)) == (found.mentions, found.links)


def test_a_bare_post_is_read() -> None:
    """A post object without the envelope is a post; without a time it is dated by its record."""
    found = _post({"id": "1", "text": "hello", "author_id": "7"}, timestamp=1234)

    assert ("1", "hello", "7", 1234) == (found.id, found.text, found.author.id, found.created_at)


def test_the_parents_author_is_found_in_the_includes() -> None:
    """Without in_reply_to_user_id the parent's author comes from the included posts."""
    data = {"id": "2", "text": "x", "referenced_tweets": [{"type": "replied_to", "id": "1"}]}

    found = _post({"data": data, "includes": {"tweets": [{"id": "1", "author_id": "5"}]}})

    assert ("1", "5") == (found.parent_id, found.parent_author_id)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, Reason.TOMBSTONE),
        (b"x" * (MAX_BYTES + 1), Reason.TOO_BIG),
        (b'{"data":' + b"[" * 10**5, Reason.TOO_BIG),
        (b"[" * (MAX_DEPTH + 1), Reason.TOO_DEEP),
        (b'{"data":{"id":"1","text":"x","z":' + b"[" * 40 + b"]" * 40 + b"}}", Reason.TOO_DEEP),
        (b'{"data":{"id":"1","text":"\xff"}}', Reason.NOT_UTF8),
        (b'{"data":{"id":"1","text":"x","unread":"\xc3"}}', Reason.NOT_UTF8),
        (b"", Reason.NOT_JSON),
        (b"hello", Reason.NOT_JSON),
        (b'{"data":{"id":"1","te', Reason.NOT_JSON),
        (b'\xef\xbb\xbf{"data":{"id":"1","text":"x"}}', Reason.NOT_JSON),
        (b'{"data":{"id":"1","text":"x"}} more', Reason.NOT_JSON),
        (b'{"data":{"id":"1","text":"x","n":NaN}}', Reason.NOT_A_NUMBER),
        (b'{"data":{"id":"1","text":"x","n":-Infinity}}', Reason.NOT_A_NUMBER),
        (b'{"id":"1","text":NaN}', Reason.NOT_A_NUMBER),
        (b'{"data":{"id":"1","text":"\\ud83d"}}', Reason.LONE_SURROGATE),
        (b'{"data":{"id":"1","text":"\\udc00 x"}}', Reason.LONE_SURROGATE),
        (b"5", Reason.WRONG_TYPE),
        (b"[1]", Reason.WRONG_TYPE),
        (b'{"data":null}', Reason.WRONG_TYPE),
        (b'{"data":{"id":1,"text":"x"}}', Reason.WRONG_TYPE),
        (b'{"data":{"id":"","text":"x"}}', Reason.WRONG_TYPE),
        (b'{"data":{"id":"1","text":null}}', Reason.WRONG_TYPE),
        (b'{"data":{"id":"1","text":"x","created_at":"yesterday"}}', Reason.WRONG_TYPE),
        (b'{"data":{"id":"1","text":"x","created_at":"2026-11-23T12:00:00"}}', Reason.WRONG_TYPE),
        (
            b'{"data":{"id":"1","text":"x"},"includes":{"users":[{"id":"1","public_metrics":{"followers_count":1e400}}]}}',
            Reason.WRONG_TYPE,
        ),
        (b"{}", Reason.MISSING_ID),
        (b'{"data":{"text":"x"}}', Reason.MISSING_ID),
        (b'{"data":{"id":"1"}}', Reason.MISSING_TEXT),
        (b'{"data":{"id":"1","text":""}}', Reason.MISSING_TEXT),
        (b'{"data":{"id":"1","text":"x","entities":{"mentions":[{"id":"1"}]}}}', Reason.MISSING_FIELD),
    ],
)
def test_poison(raw: bytes | None, expected: Reason) -> None:
    """Everything that cannot be read has its reason from the closed list."""
    assert expected == _reason(raw)


def test_good_ones_beside_bad_ones() -> None:
    """A batch keeps its order; a bad record spoils no other."""
    found = decode([b'{"id":"1","text":"a"}', b"{", b'{"id":"2","text":"b"}'], [0, 0, 0])

    assert ["Post", "BadMessage", "Post"] == [type(one).__name__ for one in found]


@given(st.binary(max_size=300))
def test_no_bytes_raise(raw: bytes) -> None:
    """Whatever the bytes, the result is a post or the reason."""
    [found] = decode([raw], [0])

    assert isinstance(found, Post | BadMessage)


@given(st.recursive(st.text(max_size=5) | st.integers(), lambda inner: st.lists(inner, max_size=3), max_leaves=10))
def test_depth_counts_brackets_outside_strings(value: Any) -> None:  # noqa: ANN401
    """The depth is that of the nesting, however many brackets stand in strings."""

    def levels(inner: Any) -> int:  # noqa: ANN401
        return 1 + max(map(levels, inner), default=0) if isinstance(inner, list) else 0

    assert levels(value) == depth(json.dumps(value).encode())


@given(st.text())
def test_unescape_undoes_xs_escapes(text: str) -> None:
    """What X's API escapes comes back as it was written."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    assert text == unescape(escaped)
