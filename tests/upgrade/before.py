"""How versions before this one read what stands in Kafka: their structs as they were, by the number of the format.

Never changed, only added to: when a struct of the state gets a field, its form before goes here, and the file of what
it wrote into golden/, under the number of its format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec


class Turn(msgspec.Struct, array_like=True):
    """Formats 1 to 3."""

    post: str
    opened: int
    queue: int
    wanted: bool
    first: bool
    near_at: int = 2**62
    due: int = 2**62
    posts: int = 1
    praise: bool = False
    end: int = 0
    ended: int = 0
    answer: str = ""
    who: str = ""
    private: bool = False
    near: bool = False
    breached: bool = False


class Settled(msgspec.Struct, array_like=True):
    """Formats 1 to 3."""

    outcome: int
    at: int
    replies: int


class Fact1(msgspec.Struct, array_like=True):
    """Format 1."""

    at: int
    kind: int
    id: str
    queue: int = -1
    marks: int = 0
    revision: int = 0
    who: str = ""
    parent: str = ""
    place: int = -1


class Progress1(msgspec.Struct, array_like=True):
    """Formats 1 and 2."""

    turn: Turn | None = None
    answered: bool = False
    unsettled: bool = False
    quiet_since: int = 0
    last: int = 0
    replies: int = 0
    channel: int = 0
    assignee: str = ""
    asked: int = 0
    until: int = -1


class Conversation1(msgspec.Struct, array_like=True):
    """Format 1."""

    version: int = 0
    clock: int = 0
    facts: list[Fact1] = []
    turns: list[Turn] = []
    settled: list[Settled] = []
    channel: int = 0
    assignee: str = ""
    summed: Progress1 | None = None


class Fact2(Fact1, array_like=True):
    """Formats 2 and 3."""

    latest: int = 0
    copies: tuple[tuple[int, int], ...] = ()


class Conversation2(msgspec.Struct, array_like=True):
    """Format 2."""

    version: int = 0
    clock: int = 0
    facts: list[Fact2] = []
    turns: list[Turn] = []
    settled: list[Settled] = []
    channel: int = 0
    assignee: str = ""
    summed: Progress1 | None = None


class Progress3(Progress1, array_like=True):
    """Format 3."""

    old: list[Fact2] = []


class Conversation3(msgspec.Struct, array_like=True):
    """Format 3."""

    version: int = 0
    clock: int = 0
    facts: list[Fact2] = []
    turns: list[Turn] = []
    settled: list[Settled] = []
    channel: int = 0
    assignee: str = ""
    summed: Progress3 | None = None


STATES: Mapping[str, type[msgspec.Struct]] = {"1": Conversation1, "2": Conversation2, "3": Conversation3}


class Author(msgspec.Struct):
    """Of a routed record, as the responses worker reads it."""

    external_id: str
    handle: str | None = None


class Classification(msgspec.Struct):
    """Likewise."""

    stage: Literal["reactive", "proactive", "engagement"]
    decided_by: Literal["first", "second", "person"] = "first"


class Routed(msgspec.Struct):
    """A record of a queue or of posts.own, as the responses worker reads it since the first format."""

    external_id: str
    event_type: str
    revision: int
    brand: str
    queue: Literal["reactive", "proactive", "engagement", "review", "own"]
    conversation_id: str
    author: Author
    text: str
    created_at: str
    classification: Classification
    parent_id: str | None = None
    parent_author_id: str | None = None


class TurnState(msgspec.Struct):
    """Of a record of `responses`."""

    post_id: str
    queue: Literal["reactive", "proactive", "engagement", "review", "own"]
    wanted: bool
    opened_at: str
    deadline_at: str | None
    posts: int
    first: bool
    state: Literal["waiting", "answered", "resolved", "handed_off", "expired"]
    ended_at: str | None
    wait_s: float | None
    business_s: float | None
    breached: bool
    over_s: float | None
    answer_id: str | None
    answered_by: str | None
    answered_in: Literal["public", "private"] | None


class Response(msgspec.Struct):
    """A record of `responses` that tells of a turn or an outcome, since the first format."""

    schema_version: Literal["1.0"]
    event_id: str
    event_type: Literal[
        "opened", "followed_up", "near_breach", "breached", "answered", "requeued", "resolved", "handed_off", "expired",
        "retracted", "superseded", "corrected", "moved", "settled", "unsettled", "assigned", "noted",
        "backlog_began", "backlog_ended",
    ]  # fmt: skip
    at: str
    brand: str
    customer: str
    conversation_id: str
    revision: int
    turn: TurnState | None = None
    outcome: Literal["resolved_on_x", "resolved_silent", "resolved_elsewhere", "moved_to_dm", "moved_to_email",
                     "retracted", "expired"] | None = None  # fmt: skip
    replies: int | None = None
    moved_to: Literal["dm", "email", "elsewhere"] | None = None
    by: str | None = None


class Word(msgspec.Struct):
    """A record of desk.keyed, since the first format."""

    id: str
    word: Literal["resolve", "handoff", "assign", "note", "move"]
    customer: str
    brand: str
    conversation_id: str
    at: str
    by: str = ""
    to: str | None = None
    post_id: str | None = None
    text: str | None = None
    partition: int | None = None


class Message(msgspec.Struct):
    """A record of `messages`, since the first format."""

    id: str
    brand: str
    sender_id: str
    customer_id: str
    created_at: str
    text: str = ""
    sender_handle: str | None = None


class Retraction(msgspec.Struct):
    """A record of `retractions`, since the first format."""

    id: str
    customer: str
    at: str


def _json(kind: type[msgspec.Struct]) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(kind).decode


QUEUES = ("queue.reactive", "queue.proactive", "queue.engagement", "queue.review", "posts.own")
READERS: Mapping[str, Callable[[bytes], Any]] = {
    **dict.fromkeys(QUEUES, _json(Routed)),
    "responses": _json(Response),
    "desk.keyed": _json(Word),
    "messages": _json(Message),
    "retractions": _json(Retraction),
}
"""By topic."""
