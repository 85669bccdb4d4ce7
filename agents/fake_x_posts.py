"""What the fake X holds: accounts, posts, private messages; and how X writes them as JSON."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from agents.fake_x_rules import Look, fold, words_of

_EPOCH_MS = 1288834974657  # of X's ids
MENTION = re.compile(r"(?<!\w)@(\w{1,30})")
_HASHTAG = re.compile(r"(?<!\w)#(\w+)")
_LONG = 280
_NONE: frozenset[str] = frozenset()
NO_LINKS: dict[str, str] = {}
"""Shared by all posts without any."""


class User(msgspec.Struct):
    """An account."""

    id: str
    handle: str
    name: str
    followers: int
    verified: bool
    created_at: float


class Rule(msgspec.Struct, frozen=True):
    """A rule of the filtered stream."""

    id: str
    value: str
    tag: str | None


class Told(msgspec.Struct, frozen=True, gc=False):
    """Who was told of a post, and when."""

    route: str
    """stream, or the route of the call, such as GET /2/tweets/search/recent."""
    at: float
    """Seconds since 1970, of the server's clock."""


class FakePost(msgspec.Struct, gc=False):
    """A post, or one edit of it; no circle refers to one, so that half a million are no burden to the collector."""

    id: str
    text: str
    author: User
    at: float
    """Seconds since 1970."""
    visible_at: float
    """From when on searches, timelines and look-ups find it; infinity: never."""
    chain: list[str]
    """The ids of all its edits, oldest first; one list for all of them."""
    conversation_id: str
    parent: FakePost | None = None
    quoted: FakePost | None = None
    retweeted: FakePost | None = None
    lang: str = "en"
    links: dict[str, str] = NO_LINKS
    """t.co to where it leads."""
    photo: str | None = None
    named: tuple[User, ...] = ()
    """The accounts that the text names, as far as there are such."""
    gone: bool = False
    by_api: bool = False
    """It was made by POST /2/tweets."""
    told: tuple[Told, ...] = ()

    def tell(self, route: str, at: float) -> None:
        """Note that somebody was told of it."""
        self.told = (*self.told, Told(route, at))


class FakeMessage(msgspec.Struct, frozen=True):
    """A private message, or that somebody came or went."""

    id: str
    sender: User
    recipient: User
    text: str
    at: float
    kind: str


def snowflake(at: float) -> int:
    """The first of X's ids of a moment."""
    return (round(at * 1000) - _EPOCH_MS) << 22


def rfc3339(at: float) -> str:
    """A time as X writes it, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def look(post: FakePost, *, folded: bool = False) -> Look:
    """The post as rules see it; the stream looks into the quoted text too, recent search folds accents instead."""
    text = post.text.lower()
    mentions = frozenset(MENTION.findall(text)) if "@" in text else _NONE
    hashtags = frozenset(_HASHTAG.findall(text)) if "#" in text else _NONE
    if folded:
        text = fold(text)
    elif post.quoted is not None:
        text = f"{text} {post.quoted.text.lower()}"
    words = words_of(text)
    parent = post.parent
    kinds = [("reply", parent), ("quote", post.quoted), ("retweet", post.retweeted)]
    has = [("mentions", mentions), ("hashtags", hashtags), ("links", post.links), ("media", post.photo)]
    return Look(
        text=" ".join(["", *words, ""]),
        words=frozenset(words),
        mentions=mentions,
        hashtags=hashtags,
        author=post.author.handle.lower(),
        author_id=post.author.id,
        to=parent.author.handle.lower() if parent else "",
        to_id=parent.author.id if parent else "",
        lang=post.lang,
        conversation_id=post.conversation_id,
        parent_id=parent.id if parent else "",
        kinds=frozenset(name for name, is_one in kinds if is_one is not None),
        has=frozenset(name for name, found in has if found),
    )


class Shape(msgspec.Struct, frozen=True):
    """What a caller asked for: X gives id, text and edit history, and nothing else by itself."""

    post: frozenset[str]
    user: frozenset[str]
    media: frozenset[str]
    expansions: frozenset[str]

    @classmethod
    def of(cls, query: dict[str, str]) -> Shape:
        """From the parameters of a request."""
        names = ("tweet.fields", "user.fields", "media.fields", "expansions")
        return cls(*(frozenset(query.get(name, "").split(",")) - {""} for name in names))


def escape(text: str) -> str:
    """As X writes texts."""
    if "&" in text or "<" in text or ">" in text:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text


def user_json(user: User, fields: frozenset[str]) -> dict[str, Any]:
    """An account as X writes it."""
    found: dict[str, Any] = {"id": user.id, "name": user.name, "username": user.handle}
    if "public_metrics" in fields:
        counts = {"followers_count": user.followers, "following_count": 0, "tweet_count": 0, "listed_count": 0}
        found["public_metrics"] = counts
    if "verified" in fields:
        found["verified"] = user.verified
    if "profile_image_url" in fields:
        found["profile_image_url"] = f"https://pbs.twimg.com/profile_images/{user.id}/a_normal.png"
    if "created_at" in fields:
        found["created_at"] = rfc3339(user.created_at)
    return found


def post_json(post: FakePost, fields: frozenset[str], history: list[str] | None = None) -> dict[str, Any]:
    """A post as X writes it; `history` is the chain of edits as known when it was delivered."""
    long = len(post.text) > _LONG
    text = escape(post.text)
    found: dict[str, Any] = {
        "id": post.id,
        "text": text[: _LONG - 1] + "…" if long else text,
        "edit_history_tweet_ids": history or post.chain,
    }
    plain = {"author_id": post.author.id, "conversation_id": post.conversation_id, "lang": post.lang}
    found.update({name: value for name, value in plain.items() if name in fields})
    if "created_at" in fields:
        found["created_at"] = rfc3339(post.at)
    if post.parent is not None and "in_reply_to_user_id" in fields:
        found["in_reply_to_user_id"] = post.parent.author.id
    if long and "note_tweet" in fields:
        found["note_tweet"] = {"text": text}
    _extras(post, fields, found)
    return found


def _extras(post: FakePost, fields: frozenset[str], found: dict[str, Any]) -> None:
    if "referenced_tweets" in fields and (references := references_of(post)):
        found["referenced_tweets"] = [{"type": kind, "id": other.id} for kind, other in references]
    if "entities" in fields and (entities := _entities(post)):
        found["entities"] = entities
    if post.photo and "attachments" in fields:
        found["attachments"] = {"media_keys": [f"3_{post.id}"]}


def references_of(post: FakePost) -> list[tuple[str, FakePost]]:
    """The posts that it refers to."""
    kinds = (("replied_to", post.parent), ("quoted", post.quoted), ("retweeted", post.retweeted))
    return [(kind, other) for kind, other in kinds if other is not None]


def _entities(post: FakePost) -> dict[str, Any]:
    text = post.text
    found: dict[str, Any] = {}
    if "@" in text:
        ids = {user.handle.lower(): {"id": user.id} for user in post.named}
        found["mentions"] = [
            {"start": hit.start(), "end": hit.end(), "username": hit[1], **ids.get(hit[1].lower(), {})}
            for hit in MENTION.finditer(text)
        ]
    if "#" in text:
        found["hashtags"] = [{"start": hit.start(), "end": hit.end(), "tag": hit[1]} for hit in _HASHTAG.finditer(text)]
    if post.links:
        found["urls"] = [
            {"start": start, "end": start + len(short), "url": short, "expanded_url": long}
            for short, long in post.links.items()
            for start in [text.index(short)]
        ]
    return {name: hits for name, hits in found.items() if hits}


def includes_json(posts: list[FakePost], shape: Shape) -> dict[str, Any]:
    """What posts refer to, each once, as far as it was asked for."""
    wanted = shape.expansions
    users: dict[str, User] = {}
    others: dict[str, FakePost] = {}
    for post in posts:
        if "author_id" in wanted:
            users[post.author.id] = post.author
        if "referenced_tweets.id" in wanted:
            others.update({other.id: other for _, other in references_of(post) if not other.gone})
        if post.parent is not None and "in_reply_to_user_id" in wanted:
            users[post.parent.author.id] = post.parent.author
    found: dict[str, Any] = {}
    if users:
        found["users"] = [user_json(user, shape.user) for user in users.values()]
    if others:
        found["tweets"] = [post_json(other, shape.post) for other in others.values()]
    if "attachments.media_keys" in wanted and (photos := [post for post in posts if post.photo]):
        found["media"] = [{"media_key": f"3_{post.id}", "type": "photo", "url": post.photo} for post in photos]
    return found


def message_json(message: FakeMessage, fields: frozenset[str]) -> dict[str, Any]:
    """A private message as X writes it."""
    found: dict[str, Any] = {"id": message.id, "event_type": message.kind}
    people = sorted((message.sender.id, message.recipient.id), key=int)
    if message.kind == "MessageCreate":
        found["text"] = escape(message.text)
    else:
        found["participant_ids"] = [message.recipient.id]
    extra = {
        "sender_id": message.sender.id,
        "dm_conversation_id": "-".join(people),
        "created_at": rfc3339(message.at),
    }
    return {**found, **{name: value for name, value in extra.items() if name in fields}}
