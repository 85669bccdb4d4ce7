"""The routed record: what a helpdesk reads from a queue. Its JSON Schema is made from these structs."""

from __future__ import annotations

import hashlib
import uuid
from _hashlib import get_fips_mode
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import msgspec

from pipeline.classify import Model
from pipeline.posts import Attachment, Link, Mention, Opinion, Priority, Queue, Stage

SCHEMA_VERSION: Literal["1.0"] = "1.0"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "tweet-triage:event")
_NAMESPACE = NAMESPACE.bytes
_sha1: Callable[[bytes], hashlib._Hash] = hashlib.sha1
if get_fips_mode():  # where SHA-1 must be asked for; elsewhere asking costs a quarter of a microsecond a post
    _sha1 = partial(hashlib.sha1, usedforsecurity=False)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

Probability = Annotated[float, msgspec.Meta(ge=0, le=1)]
Time = Annotated[
    str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="RFC 3339, UTC, ms")
]


class RoutedAuthor(msgspec.Struct, frozen=True, gc=False):
    """Who wrote the post."""

    external_id: str
    handle: str | None
    name: str | None
    followers: int | None
    verified: bool | None
    avatar_url: str | None


class Scores(msgspec.Struct, frozen=True, gc=False):
    """The model's score for each stage; they sum to 1 within rounding."""

    reactive: Probability
    proactive: Probability
    engagement: Probability


class Classification(msgspec.Struct, frozen=True, gc=False):
    """What the model said. `abstained`: too unsure to act on, so the post is in review."""

    stage: Stage
    confidence: Probability
    scores: Scores
    abstained: bool
    decided_by: Opinion
    model: Model


class Source(msgspec.Struct, frozen=True, gc=False):
    """Where the post stood in Kafka, and how it had got there."""

    topic: str
    partition: int
    offset: int
    api: str


class RoutedPost(msgspec.Struct, frozen=True, gc=False):
    """A post about one brand, in one queue. Text is plain, untrusted, written by whoever wrote the post.

    Consumers keep the `event_id`s of the last day and pass over what they have seen; they upsert on `external_id`
    and `brand`, where a higher `revision` replaces a lower one; they pass over fields and event types that they do not
    know.
    """

    schema_version: Literal["1.0"]
    event_id: Annotated[str, msgspec.Meta(max_length=64)]
    event_type: Literal["routed", "retracted"]
    external_id: Annotated[str, msgspec.Meta(max_length=255)]
    revision: Annotated[int, msgspec.Meta(ge=0)]
    channel: Literal["x"]
    brand: str
    queue: Queue
    priority: Priority
    deadline_at: Time | None
    reply_allowed: bool
    conversation_id: str
    parent_id: str | None
    parent_author_id: str | None
    author: RoutedAuthor
    subject: Annotated[str, msgspec.Meta(max_length=150)]
    text: Annotated[str, msgspec.Meta(max_length=65_535)]
    language: str
    mentions: Annotated[tuple[Mention, ...], msgspec.Meta(max_length=50)]
    hashtags: Annotated[tuple[str, ...], msgspec.Meta(max_length=50)]
    links: Annotated[tuple[Link, ...], msgspec.Meta(max_length=50)]
    attachments: Annotated[tuple[Attachment, ...], msgspec.Meta(max_length=10)]
    url: str
    created_at: Time
    ingested_at: Time
    routed_at: Time
    classification: Classification
    tags: tuple[str, ...]
    source: Source
    attempt: Annotated[int, msgspec.Meta(ge=1)]
    replayed: bool


def event_id(first_id: str, brand: str, event_type: str, revision: int) -> str:
    """uuid5(NAMESPACE, "first id:brand:event type:revision"), as RFC 9562 section 5.5 has it."""
    return uuid5(f"{first_id}:{brand}:{event_type}:{revision}")


def uuid5(name: str) -> str:
    """str(uuid.uuid5(NAMESPACE, name)) at a third of its cost; a test holds them equal."""
    digest = _sha1(_NAMESPACE + name.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"
