"""The wire format of the topic `tweets`: what of X's API v2 objects is read, as msgspec structs.

A record is one object as the filtered stream sends it: {"data": {...}, "includes": {...}, "matching_rules": [...]}.
A bare post object ({"id": ..., "text": ...}) is read too. Fields that are not named here are skipped.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from pipeline.posts import Link, Mention

UtcTime = Annotated[datetime, msgspec.Meta(tz=True)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class WireHashtag(msgspec.Struct, gc=False):
    """entities.hashtags[]."""

    tag: str


class WireEntities(msgspec.Struct, gc=False):
    """Entities: what X found in the text."""

    mentions: tuple[Mention, ...] = ()
    hashtags: tuple[WireHashtag, ...] = ()
    urls: tuple[Link, ...] = ()


class WireReference(msgspec.Struct, gc=False):
    """referenced_tweets[]: replied_to, quoted or retweeted."""

    type: str
    id: str


class WireNote(msgspec.Struct, gc=False):
    """note_tweet: the full text of a post of more than 280 characters."""

    text: str
    entities: WireEntities | None = None


class WireMediaKeys(msgspec.Struct, gc=False):
    """Attachments."""

    media_keys: list[str] = []


class WirePost(msgspec.Struct, gc=False):
    """data: the post itself."""

    id: Id
    text: str
    author_id: str | None = None
    created_at: UtcTime | None = None
    conversation_id: str | None = None
    in_reply_to_user_id: str | None = None
    referenced_tweets: list[WireReference] | None = None
    edit_history_tweet_ids: list[Id] | None = None
    entities: WireEntities | None = None
    note_tweet: WireNote | None = None
    attachments: WireMediaKeys | None = None
    lang: str | None = None


class WireCounts(msgspec.Struct, gc=False):
    """includes.users[].public_metrics."""

    followers_count: int | None = None


class WireUser(msgspec.Struct, gc=False):
    """includes.users[]."""

    id: str
    username: str | None = None
    name: str | None = None
    verified: bool | None = None
    profile_image_url: str | None = None
    public_metrics: WireCounts | None = None


class WireMedia(msgspec.Struct, gc=False):
    """includes.media[]."""

    media_key: str
    type: str
    url: str | None = None
    preview_image_url: str | None = None
    alt_text: str | None = None


class WireQuoted(msgspec.Struct, gc=False):
    """includes.tweets[]: the parent or the quoted post; only its author is used."""

    id: str
    author_id: str | None = None


class WireIncludes(msgspec.Struct, gc=False):
    """Includes: the objects that the post refers to."""

    users: list[WireUser] = []
    tweets: list[WireQuoted] = []
    media: list[WireMedia] = []


class WireRule(msgspec.Struct, gc=False):
    """matching_rules[]: the tag names the brand."""

    tag: str | None = None


class WireEnvelope(msgspec.Struct, gc=False):
    """One object of the filtered stream."""

    data: WirePost
    includes: WireIncludes | None = None
    matching_rules: list[WireRule] | None = None
