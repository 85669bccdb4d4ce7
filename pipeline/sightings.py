"""Whether an answer is on X: read from the own timeline and the own private messages, matched without an id of ours.

X gives no key to know a post by and puts its own links in place of ours; so parent, author, time and the text without
its links tell. Posts that are known to be other answers are passed over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from typing import NamedTuple

import msgspec

from pipeline.counting import without_links
from pipeline.decode import unescape
from pipeline.post_times import first_id
from pipeline.replies import Reply
from pipeline.wire import UtcTime, WirePost

SKEW_MS = 30_000
"""Our clock may be so far ahead of X's."""
_MENTIONS = re.compile(r"^(?:\s*[@＠]\w+)+")
_SPACE = re.compile(r"\s+")


class _Meta(msgspec.Struct, gc=False):
    next_token: str | None = None


class _Posts(msgspec.Struct, gc=False):
    data: list[WirePost] = []
    meta: _Meta | None = None


class _Event(msgspec.Struct, gc=False):
    id: str
    event_type: str = "MessageCreate"
    text: str = ""
    sender_id: str | None = None
    dm_conversation_id: str = ""
    created_at: UtcTime | None = None


class _Events(msgspec.Struct, gc=False):
    data: list[_Event] = []
    meta: _Meta | None = None


class _Made(msgspec.Struct, gc=False):
    id: str | None = None
    dm_event_id: str | None = None


class _Answer(msgspec.Struct, gc=False):
    data: _Made


class _User(msgspec.Struct, gc=False):
    data: _Made | None = None


_posts = msgspec.json.Decoder(_Posts).decode
_events = msgspec.json.Decoder(_Events).decode
_answer = msgspec.json.Decoder(_Answer).decode
_user = msgspec.json.Decoder(_User).decode


class Wanted(NamedTuple):
    """What is looked for."""

    reply: Reply
    account: str
    """The id of the account that would have posted it."""
    since: int
    """When the intent was made (ms)."""
    until: int
    """When X would have made it, if ever (ms)."""


class Page(NamedTuple):
    """What a page of X's answer says."""

    found: str | None
    """The id under which the answer is on X."""
    next_token: str | None
    """Where it goes on; None: it was the last page, or all that follow are too old."""


def made(body: bytes) -> str | None:
    """The id of what X says that it made; None: it does not say."""
    try:
        data = _answer(body).data
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return data.id or data.dm_event_id


def user_id(body: bytes) -> str | None:
    """The id of the account that X shows; None: there is none."""
    try:
        data = _user(body).data
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return None if data is None else data.id


def since_id(since: int) -> str:
    """An id that is older than all posts from then on (ms)."""
    return str(first_id((since - SKEW_MS) / 1000))


def until_id(until: int) -> str:
    """An id that is newer than all posts until then (ms)."""
    return str(first_id((until + SKEW_MS) / 1000))


def in_timeline(body: bytes, wanted: Wanted, taken: Container[str]) -> Page:
    """Look for a post on a page of the account's timeline; `taken` are ids of other answers.

    Raises:
        msgspec.DecodeError: it is no page of posts.
    """
    page, reply = _posts(body), wanted.reply
    text = comparable(reply.outgoing())
    for post in page.data:
        first = post.edit_history_tweet_ids[0] if post.edit_history_tweet_ids else post.id
        if (
            first not in taken
            and post.author_id in (None, wanted.account)
            and _parent(post) == reply.parent
            and _young(post.created_at, wanted.since)
            and comparable(unescape(post.note_tweet.text if post.note_tweet is not None else post.text)) == text
        ):
            return Page(first, None)
    return Page(None, None if page.meta is None else page.meta.next_token)


def in_messages(body: bytes, wanted: Wanted, taken: Container[str]) -> Page:
    """Look for a private message on a page of the account's.

    Raises:
        msgspec.DecodeError: it is no page of private messages.
    """
    page, reply = _events(body), wanted.reply
    text = comparable(reply.outgoing())
    for event in page.data:
        if not _young(event.created_at, wanted.since):
            return Page(None, None)  # newest first
        if (
            event.id not in taken
            and event.event_type == "MessageCreate"
            and event.sender_id == wanted.account
            and reply.customer in event.dm_conversation_id.split("-")
            and comparable(unescape(event.text)) == text
        ):
            return Page(event.id, None)
    return Page(None, None if page.meta is None else page.meta.next_token)


def comparable(text: str) -> str:
    """What X leaves as it is: without links, without the handles that it puts before a reply, white space alike."""
    bare = without_links(_MENTIONS.sub("", unicodedata.normalize("NFC", text)))
    return _SPACE.sub(" ", bare).strip()


def _parent(post: WirePost) -> str | None:
    return next((one.id for one in post.referenced_tweets or () if one.type == "replied_to"), None)


def _young(created_at: object, since: int) -> bool:
    timestamp = getattr(created_at, "timestamp", None)
    return timestamp is None or timestamp() * 1000 >= since - SKEW_MS
