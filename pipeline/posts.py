"""The field's words: post, author, stage, queue, verdict, and what a helpdesk receives."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Stage(StrEnum):
    """The three stages of customer service on social media."""

    REACTIVE = "reactive"
    PROACTIVE = "proactive"
    ENGAGEMENT = "engagement"


STAGES: tuple[Stage, ...] = tuple(Stage)
"""The order of the columns wherever scores stand in an array."""


class Queue(StrEnum):
    """Where a routed record goes: a stage's queue, the queue of the unsure, or the brand's own posts."""

    REACTIVE = "reactive"
    PROACTIVE = "proactive"
    ENGAGEMENT = "engagement"
    REVIEW = "review"
    OWN = "own"


class Priority(StrEnum):
    """How soon a helpdesk should look; Zendesk's four words."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Author(msgspec.Struct, frozen=True, gc=False):
    """Who wrote a post, as far as the record tells."""

    id: str
    handle: str | None = None
    name: str | None = None
    followers: int | None = None
    verified: bool | None = None
    avatar_url: str | None = None


class Mention(msgspec.Struct, frozen=True, gc=False):
    """An account that the text names: its handle without the @ (X's word: username), and its id where X gave it."""

    username: str
    id: str | None = None


class Link(msgspec.Struct, frozen=True, gc=False):
    """A link as it stands in the text (t.co) and where it leads."""

    url: str
    expanded_url: str | None = None


class Attachment(msgspec.Struct, frozen=True, gc=False):
    """A picture or film that came with the post."""

    type: str
    url: str | None = None
    alt_text: str | None = None


class Post(msgspec.Struct, frozen=True, gc=False):
    """One post on X, decoded and checked; ids are strings (they exceed 2^53), times are UTC.

    `first_id` is the first id of the edit history: an edit has a new id, and this one stays.
    `text` is the full text, long posts too, with X's three HTML entities (&amp; &lt; &gt;) undone.
    `rules` are the tags of the stream rules that the post matched; a tag names a brand.
    """

    id: str
    first_id: str
    text: str
    author: Author
    created_at: int
    """Milliseconds since 1970-01-01T00:00:00Z."""
    conversation_id: str
    revision: int = 0
    """How many times the post had been edited when it was read."""
    parent_id: str | None = None
    parent_author_id: str | None = None
    quoted_author_id: str | None = None
    lang: str = "und"
    mentions: tuple[Mention, ...] = ()
    hashtags: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    rules: tuple[str, ...] = ()


class Opinion(StrEnum):
    """Whose word stands: that of the model which sees every post, of the one asked where the first is unsure, ours."""

    FIRST = "first"
    SECOND = "second"
    PERSON = "person"


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What a classifier says of one post: the best stage and the three scores, in the order of STAGES, summing to 1."""

    stage: Stage
    confidence: float
    scores: tuple[float, float, float]
    decided_by: Opinion = Opinion.FIRST
