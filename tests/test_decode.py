"""Decoding: posts as X sends them become posts, and whatever is broken becomes a reason, never an exception."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.decode import MAX_BYTES, MAX_DEPTH, decode, depth, unescape
from pipeline.errors import BadMessage, Reason
from pipeline.posts import Attachment, Author, Link, Mention, Post

GOOD = b'{"data":{"id":"1","text":"hello"}}'
COUNT = b'{"data":{"id":"1","text":"x","author_id":"2"},"includes":{"users":[{"id":"2","public_metrics":%s}]}}'


def _wire(**data: Any) -> bytes:
    return json.dumps({"data": {"id": "1", "text": "hello"} | data}).encode()


def _one(value: bytes | None, timestamp: int = 0) -> Post | BadMessage:
    [found] = decode([value], [timestamp])
    return found


def _post(value: bytes, timestamp: int = 0) -> Post:
    post = _one(value, timestamp)
    assert isinstance(post, Post), post
    return post


def _reason(value: bytes | None) -> Reason | None:
    found = _one(value)
    return found.reason if isinstance(found, BadMessage) else None


POISON = {
    "tombstone": (None, Reason.TOMBSTONE),
    "empty value": (b"", Reason.NOT_JSON),
    "not UTF-8": (b'{"data":{"id":"1","text":"caf\xe9"}}', Reason.NOT_UTF8),
    "not UTF-8 in a field that is skipped": (b'{"data":{"id":"1","text":"x","z":"\xff"}}', Reason.NOT_UTF8),
    "UTF-8 of a surrogate": (b'{"data":{"id":"1","text":"\xed\xa0\x80"}}', Reason.NOT_UTF8),
    "UTF-16": ('{"data":{}}'.encode("utf-16"), Reason.NOT_UTF8),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, Reason.NOT_JSON),
    "not JSON": (b"hello", Reason.NOT_JSON),
    "truncated": (GOOD[:-3], Reason.NOT_JSON),
    "truncated inside the text": (b'{"data":{"id":"1","text":"hel', Reason.NOT_JSON),
    "two objects": (GOOD + GOOD, Reason.NOT_JSON),
    "a raw line feed in a string": (b'{"data":{"id":"1","text":"a\nb"}}', Reason.NOT_JSON),
    "a trailing comma": (b'{"data":{"id":"1","text":"x","z":[1,]}}', Reason.NOT_JSON),
    "too deep": (b"[" * (MAX_DEPTH + 1), Reason.TOO_DEEP),
    "too deep in a field that is skipped": (
        b'{"data":{"id":"1","text":"x","z":' + b"[" * 32 + b"]" * 32 + b"}}",
        Reason.TOO_DEEP,
    ),
    "13,000 levels": (b'{"a":' * 13_000, Reason.TOO_DEEP),
    "100,000 levels": (b"[" * 100_000, Reason.TOO_BIG),
    "100,000 levels inside": (b'{"data":' + b"[" * 100_000, Reason.TOO_BIG),
    "too big": (_wire(text="x" * MAX_BYTES), Reason.TOO_BIG),
    "NaN": (COUNT % b'{"followers_count":NaN}', Reason.NOT_A_NUMBER),
    "NaN in a field that is skipped": (b'{"data":{"id":"1","text":"x"},"z":[1, NaN]}', Reason.NOT_A_NUMBER),
    "NaN where the text stands": (b'{"id":"1","text":NaN}', Reason.NOT_A_NUMBER),
    "Infinity": (COUNT % b'{"followers_count": Infinity}', Reason.NOT_A_NUMBER),
    "-Infinity": (COUNT % b'{"followers_count":-Infinity}', Reason.NOT_A_NUMBER),
    "1e400 where a count stands": (COUNT % b'{"followers_count":1e400}', Reason.WRONG_TYPE),
    "a fraction where a count stands": (COUNT % b'{"followers_count":1.5}', Reason.WRONG_TYPE),
    "a high surrogate alone": (rb'{"data":{"id":"1","text":"\ud83d"}}', Reason.LONE_SURROGATE),
    "a low surrogate alone": (rb'{"data":{"id":"1","text":"\ude00"}}', Reason.LONE_SURROGATE),
    "surrogates the wrong way round": (rb'{"data":{"id":"1","text":"\ude00\ud83d"}}', Reason.LONE_SURROGATE),
    "a surrogate alone after a pair": (rb'{"data":{"id":"1","text":"\ud83d\ude00 \ud83d"}}', Reason.LONE_SURROGATE),
    "null": (b"null", Reason.WRONG_TYPE),
    "a list": (b"[]", Reason.WRONG_TYPE),
    "data is null": (b'{"data":null}', Reason.WRONG_TYPE),
    "an id that is a number": (b'{"data":{"id":1,"text":"x"}}', Reason.WRONG_TYPE),
    "an author's id that is a number": (_wire(author_id=12), Reason.WRONG_TYPE),
    "an empty id": (_wire(id=""), Reason.WRONG_TYPE),
    "a text that is null": (_wire(text=None), Reason.WRONG_TYPE),
    "a text that is a list": (_wire(text=["x"]), Reason.WRONG_TYPE),
    "a time without a zone": (_wire(created_at="2026-03-02T08:00:00"), Reason.WRONG_TYPE),
    "a time that is none": (_wire(created_at="yesterday"), Reason.WRONG_TYPE),
    "a time that is a number": (_wire(created_at=1_770_000_000), Reason.WRONG_TYPE),
    "no id": (b'{"data":{"text":"x"}}', Reason.MISSING_ID),
    "no id in a bare post": (b'{"text":"x"}', Reason.MISSING_ID),
    "an empty object": (b"{}", Reason.MISSING_ID),
    "no text": (b'{"data":{"id":"1"}}', Reason.MISSING_TEXT),
    "no text in a bare post": (b'{"id":"1"}', Reason.MISSING_TEXT),
    "an empty text": (_wire(text=""), Reason.MISSING_TEXT),
    "an empty long text": (_wire(note_tweet={"text": ""}), Reason.MISSING_TEXT),
    "blanks for a text": (_wire(text=" \n\t "), Reason.MISSING_TEXT),
    "a text that nobody can see": (_wire(text="\u200b\u2060\u202e"), Reason.MISSING_TEXT),
    "a user without an id": (
        b'{"data":{"id":"1","text":"x"},"includes":{"users":[{"username":"lena"}]}}',
        Reason.MISSING_FIELD,
    ),
    "a mention without its name": (_wire(entities={"mentions": [{"id": "1"}]}), Reason.MISSING_FIELD),
    "a reference without its kind": (_wire(referenced_tweets=[{"id": "5"}]), Reason.MISSING_FIELD),
}


@pytest.mark.parametrize("name", POISON)
def test_poison_has_its_reason(name: str) -> None:
    """Each kind of broken record gets its own reason of the closed list."""
    value, expected = POISON[name]

    assert expected is _reason(value)


def test_poison_stays_alone() -> None:
    """Good records between broken ones are decoded, in their order."""
    values: list[bytes | None] = [GOOD]
    for value, _ in POISON.values():
        values += [value, GOOD]

    found = decode(values, [0] * len(values))

    assert [isinstance(post, Post) for post in found] == [True] + [False, True] * len(POISON)


def test_the_reason_keeps_the_text_to_itself() -> None:
    """The detail goes to logs and headers: it quotes nothing that a customer wrote."""
    poison = [b'{"data":{"id":"1","text":"my secret', _wire(id=["my secret"]), _wire(created_at="my secret")]

    found = decode(poison, [0, 0, 0])

    assert [isinstance(one, BadMessage) and "secret" not in str(one) for one in found] == [True, True, True]


@given(st.binary(max_size=300))
@example(b"\xff\xfe")
@example(b'{"data":{"id":"\\')
@example(b"]" * 40 + b"[" * 40)
def test_no_bytes_raise(value: bytes) -> None:
    """Whatever the bytes, the outcome is a post or a reason."""
    assert isinstance(_one(value), Post | BadMessage)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    [
        "id",
        "text",
        "author_id",
        "created_at",
        "referenced_tweets",
        "edit_history_tweet_ids",
        "entities",
        "note_tweet",
        "attachments",
        "lang",
    ]
)


@given(FIELDS, JSON)
def test_no_value_of_a_field_raises(field: str, value: object) -> None:
    """Any JSON value in any field gives a post or a reason."""
    assert isinstance(_one(_wire(**{field: value})), Post | BadMessage)


@given(st.integers(0, len(GOOD)), st.binary(max_size=3))
def test_no_damage_raises(at: int, junk: bytes) -> None:
    """A record with bytes written over at any place gives a post or a reason."""
    assert isinstance(_one(GOOD[:at] + junk + GOOD[at + len(junk) :]), Post | BadMessage)


def test_at_the_limits_is_read() -> None:
    """Just as many bytes and levels as allowed are no fault; brackets inside a text are no levels."""
    size = _wire(text="x" * (MAX_BYTES - len(_wire(text=""))))
    levels = b'{"data":{"id":"1","text":"x","z":' + b"[" * 30 + b"]" * 30 + b"}}"

    assert (MAX_BYTES, None) == (len(size), _reason(size))
    assert (MAX_DEPTH, None) == (depth(levels), _reason(levels))
    assert _reason(_wire(text='[{"' * 500)) is None


@given(st.recursive(st.text(max_size=5) | st.integers(), lambda inner: st.lists(inner, max_size=3), max_leaves=10))
def test_depth_counts_brackets_outside_strings(value: Any) -> None:
    """The depth is that of the nesting, however many brackets stand in strings."""

    def levels(inner: Any) -> int:
        return 1 + max(map(levels, inner), default=0) if isinstance(inner, list) else 0

    assert levels(value) == depth(json.dumps(value).encode())


def test_a_bare_post_is_read() -> None:
    """A post without its envelope is the same post."""
    assert _post(GOOD) == _post(b'{"id":"1","text":"hello"}')


def test_what_is_not_named_is_skipped() -> None:
    """Fields that X adds tomorrow change nothing; a number beyond all bounds in one of them neither."""
    assert _post(GOOD) == _post(b'{"data":{"id":"1","text":"hello","new":{"a":[1e400]}},"also":true}')


def test_the_least_post() -> None:
    """With an id and a text alone the rest has its defaults, and the record's own time dates the post."""
    post = _post(GOOD, timestamp=1_772_000_000_123)

    assert Post("1", "1", "hello", Author(""), 1_772_000_000_123, "1") == post


def test_the_whole_post() -> None:
    """Every field that we read stands where it belongs."""
    value = json.dumps(
        {
            "data": {
                "id": "22",
                "text": "cut off",
                "author_id": "5",
                "created_at": "2026-03-02T08:00:00.250Z",
                "conversation_id": "20",
                "referenced_tweets": [{"type": "replied_to", "id": "21"}, {"type": "quoted", "id": "9"}],
                "edit_history_tweet_ids": ["19", "22"],
                "note_tweet": {"text": "the full &amp; long text"},
                "entities": {
                    "mentions": [{"username": "Acme", "id": "7"}],
                    "hashtags": [{"tag": "tram"}],
                    "urls": [{"url": "https://t.co/a", "expanded_url": "https://acme.example/"}],
                },
                "attachments": {"media_keys": ["3_1"]},
                "lang": "en",
            },
            "includes": {
                "users": [
                    {"id": "6"},
                    {"id": "5", "username": "rider", "name": "R", "public_metrics": {"followers_count": 12}},
                ],
                "tweets": [{"id": "21", "author_id": "7"}, {"id": "9", "author_id": "8"}],
                "media": [{"media_key": "3_2", "type": "video"}, {"media_key": "3_1", "type": "photo", "url": "u"}],
            },
            "matching_rules": [{"tag": "acme:mention"}, {"id": "1"}],
        }
    ).encode()

    expected = Post(
        id="22",
        first_id="19",
        text="the full & long text",
        author=Author("5", "rider", "R", 12),
        created_at=1_772_438_400_250,
        conversation_id="20",
        revision=1,
        parent_id="21",
        parent_author_id="7",
        quoted_author_id="8",
        lang="en",
        mentions=(Mention("Acme", "7"),),
        hashtags=("tram",),
        links=(Link("https://t.co/a", "https://acme.example/"),),
        attachments=(Attachment("photo", "u"),),
        rules=("acme:mention",),
    )
    assert expected == _post(value)


def test_who_is_answered_without_the_parent_at_hand() -> None:
    """The id of the user replied to tells who is answered, also where the parent is not included or unknown."""
    included = _post(_wire(in_reply_to_user_id="7", referenced_tweets=[{"type": "replied_to", "id": "21"}]))
    unknown = _post(_wire(in_reply_to_user_id="7"))

    assert ("21", "7") == (included.parent_id, included.parent_author_id)
    assert (None, "7") == (unknown.parent_id, unknown.parent_author_id)


def test_a_history_without_a_first_id_is_none() -> None:
    """Posts whose edit history names nothing keep ids of their own: else all of them would be one event."""
    found = [_one(_wire(id=number, edit_history_tweet_ids=[""])) for number in ("1", "2")]

    assert 2 == len({post.first_id if isinstance(post, Post) else number for number, post in enumerate(found)})


@given(st.datetimes(datetime(2006, 3, 21), datetime(2100, 1, 1)), st.integers(-840, 840))  # noqa: DTZ001 - wall clocks
@example(datetime(2038, 2, 1, microsecond=2000), 0)  # noqa: DTZ001 - likewise
def test_times_keep_their_millisecond(at: datetime, offset: int) -> None:
    """A time in any zone is the same instant in whole milliseconds."""
    at = at.replace(microsecond=at.microsecond // 1000 * 1000, tzinfo=UTC)
    elsewhere = (at + timedelta(minutes=offset)).replace(tzinfo=None).isoformat(timespec="milliseconds")
    zone = f"{'-' if offset < 0 else '+'}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"

    post = _post(_wire(created_at=elsewhere + zone))

    assert (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == post.created_at


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00"])
def test_a_time_that_no_calendar_has(time: str) -> None:
    """What comes after it could not be reckoned with: a dead letter, at once."""
    found = _one(_wire(created_at=time))

    assert isinstance(found, BadMessage)
    assert Reason.WRONG_TYPE is found.reason


@given(st.text().map(lambda text: text + "."))
def test_text_comes_through(text: str) -> None:
    """Any text of which something can be seen is read as it is but for the three entities, escaped or as UTF-8."""
    sent = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    value = json.dumps({"id": "1", "text": sent}, ensure_ascii=False).encode("utf-8", "surrogatepass")

    assert text == _post(value).text == _post(json.dumps({"id": "1", "text": sent}).encode()).text


def test_entities_are_undone_once() -> None:
    """What a customer typed as &lt; stays so."""
    assert "&lt; < & >" == unescape("&amp;lt; &lt; &amp; &gt;")
