"""Step 1: bytes -> Post or BadMessage, a batch at a time; the only reader of the wire format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from pipeline import identities
from pipeline.clean import clean
from pipeline.errors import BadMessage, Reason
from pipeline.posts import Attachment, Author, Post
from pipeline.wire import WireEntities, WireEnvelope, WireIncludes, WirePost, WireUser

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32

_envelope = msgspec.json.Decoder(WireEnvelope).decode
_bare = msgspec.json.Decoder(WirePost).decode
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_NOT_A_NUMBER = re.compile(rb"[:\[,]\s*-?(?:NaN|Infinity)\b")
_SURROGATE = re.compile(rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]")
_IDS = (
    "id", "edit_history_tweet_ids", "author_id", "conversation_id", "in_reply_to_user_id", "referenced_tweets",
    "the quoted author's id",
)  # fmt: skip
_LATEST = 253_370_764_800_000
"""The beginning of the year 9999."""
_NO_ENTITIES = WireEntities()
_NO_INCLUDES = WireIncludes()


def decode(values: Sequence[bytes | None], timestamps: Sequence[int]) -> list[Post | BadMessage]:
    """Decode a batch of records, in order; what cannot be decoded comes back as the error, never raised.

    `timestamps` are Kafka's, in milliseconds: a post without created_at is dated by its record.
    """
    return [_decode_one(value, at) for value, at in zip(values, timestamps, strict=True)]


def _decode_one(value: bytes | None, timestamp: int) -> Post | BadMessage:
    raw = value or b""
    try:
        _check_size(value)
        if not raw.isascii():
            raw.decode()  # fields that are skipped are checked too
        return _post(_envelope(raw), timestamp)
    except msgspec.ValidationError as error:
        return _bare_or_bad(raw, timestamp, error)
    except UnicodeDecodeError as error:
        return BadMessage(Reason.NOT_UTF8, f"byte {error.start}: {error.reason}")
    except msgspec.DecodeError as error:
        return BadMessage(_why_malformed(raw), str(error))
    except BadMessage as error:
        return error


def _check_size(raw: bytes | None) -> None:
    """Size and depth, before anything is parsed."""
    if raw is None:
        raise BadMessage(Reason.TOMBSTONE, "the record has no value")
    if len(raw) > MAX_BYTES:
        raise BadMessage(Reason.TOO_BIG, f"{len(raw)} bytes, at most {MAX_BYTES} are read")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and depth(raw) > MAX_DEPTH:
        raise BadMessage(Reason.TOO_DEEP, f"more than {MAX_DEPTH} levels of nesting")


def _bare_or_bad(raw: bytes, timestamp: int, error: msgspec.ValidationError) -> Post | BadMessage:
    """A record without the envelope may be a bare post; else say what the envelope lacks."""
    if "missing required field `data`" not in str(error):
        return BadMessage(_why_invalid(str(error)), str(error))
    try:
        return _post(WireEnvelope(data=_bare(raw)), timestamp)
    except msgspec.ValidationError as second:
        return BadMessage(_why_invalid(str(second)), str(second))
    except BadMessage as second:
        return second


def depth(raw: bytes) -> int:
    """How deep arrays and objects are nested, brackets inside strings left out; stops counting beyond the limit."""
    level = deepest = 0
    for token in _BRACKETS.finditer(raw):
        first = raw[token.start()]
        if first in b"[{":
            level += 1
            deepest = max(deepest, level)
            if deepest > MAX_DEPTH:
                break
        elif first in b"]}":
            level -= 1
    return deepest


def _why_malformed(raw: bytes) -> Reason:
    if _SURROGATE.search(raw):
        return Reason.LONE_SURROGATE
    if _NOT_A_NUMBER.search(raw):
        return Reason.NOT_A_NUMBER
    return Reason.NOT_JSON


def _why_invalid(message: str) -> Reason:
    what, _, where = message.partition(" - at ")
    if where in ("", "`$.data`"):  # the post's own; what it refers to has ids and texts too
        if what.endswith("missing required field `id`"):
            return Reason.MISSING_ID
        if what.endswith("missing required field `text`"):
            return Reason.MISSING_TEXT
    if "missing required field" in message:
        return Reason.MISSING_FIELD
    return Reason.WRONG_TYPE


def unescape(text: str) -> str:
    """Undo the three HTML entities that X's API puts into texts."""
    if "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _post(envelope: WireEnvelope, timestamp: int) -> Post:
    data = envelope.data
    note = data.note_tweet
    text = note.text if note is not None else data.text
    if (not text.isprintable() and not clean(text).strip()) or not text.strip():
        raise BadMessage(Reason.MISSING_TEXT, "the text is empty, or nothing of it can be seen")
    includes = envelope.includes or _NO_INCLUDES
    entities = (note.entities if note is not None else None) or data.entities or _NO_ENTITIES
    history = data.edit_history_tweet_ids
    rules = envelope.matching_rules
    parent_id, parent_author, quoted_author = _references(data, includes)
    created = timestamp if data.created_at is None else _ms(data.created_at)
    _check_ids(data, parent_id, parent_author, quoted_author)
    return Post(
        data.id,
        history[0] if history else data.id,
        unescape(text),
        _author(data.author_id, includes.users),
        created,
        data.conversation_id or data.id,
        len(history) - 1 if history else 0,
        parent_id,
        parent_author,
        quoted_author,
        data.lang or "und",
        entities.mentions,
        tuple([hashtag.tag for hashtag in entities.hashtags]) if entities.hashtags else (),
        entities.urls,
        _attachments(data, includes) if data.attachments is not None else (),
        tuple([r.tag for r in rules if r.tag]) if rules else (),
    )


def _ms(created_at: datetime) -> int:
    """In ms since 1970; calendars end with the year 9999, and nobody posted before 1970."""
    found = round(created_at.timestamp() * 1000)
    if not 0 <= found < _LATEST:
        raise BadMessage(Reason.WRONG_TYPE, "created_at is not between 1970 and 9998")
    return found


def _check_ids(data: WirePost, parent: str | None, parent_author: str | None, quoted_author: str | None) -> None:
    """All ids at once, for a post has few bad ones; then one by one, to say which."""
    first = data.edit_history_tweet_ids[0] if data.edit_history_tweet_ids else None
    ids = data.id, first, data.author_id, data.conversation_id, parent_author, parent, quoted_author
    if not (together := "".join(filter(None, ids))).isprintable() or len(together) > identities.LONGEST:
        identities.check(**dict(zip(_IDS, ids, strict=True)))


def _author(author_id: str | None, users: list[WireUser]) -> Author:
    if author_id is None:
        return Author("")
    for user in users:
        if user.id == author_id:
            counts = user.public_metrics
            followers = counts.followers_count if counts is not None else None
            return Author(author_id, user.username, user.name, followers, user.verified, user.profile_image_url)
    return Author(author_id)


def _references(data: WirePost, includes: WireIncludes) -> tuple[str | None, str | None, str | None]:
    """The parent's id and author, and the author of a quoted post, as far as the record tells."""
    parent = quoted = None
    for reference in data.referenced_tweets or ():
        if reference.type == "replied_to":
            parent = reference.id
        elif reference.type == "quoted":
            quoted = reference.id
    if parent is None and quoted is None:
        return None, data.in_reply_to_user_id, None
    authors = {tweet.id: tweet.author_id for tweet in includes.tweets}
    return (
        parent,
        data.in_reply_to_user_id or (authors.get(parent) if parent else None),
        authors.get(quoted) if quoted else None,
    )


def _attachments(data: WirePost, includes: WireIncludes) -> tuple[Attachment, ...]:
    keys = set(data.attachments.media_keys) if data.attachments is not None else set()
    return tuple(
        Attachment(media.type, media.url or media.preview_image_url, media.alt_text)
        for media in includes.media
        if media.media_key in keys
    )
