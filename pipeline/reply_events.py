"""What came of an answer, as records: the event in `responses`, and where it ends in `replies.dead`."""

from __future__ import annotations

from typing import NamedTuple

from pipeline import cloud_events
from pipeline.cloud_events import Headers
from pipeline.errors import BadMessage, Reason
from pipeline.posting import Entry, State
from pipeline.replies import Reply, Whose
from pipeline.responses import ReplyState, Response, encode
from pipeline.route import utc
from pipeline.routed import SCHEMA_VERSION, uuid5


class Event(NamedTuple):
    """A record of `responses`."""

    key: bytes
    value: bytes
    headers: Headers


def outcome(reply: Reply, entry: Entry, warnings: tuple[str, ...], revision: int = 0) -> Event:
    """What came of an answer; told again, it has the same id. `revision`: of its conversation, as far as known."""
    state = ReplyState(
        reply.id,
        reply.kind,
        entry.state.value,  # type: ignore[arg-type] # only final ones are told
        reply.post_id,
        entry.answer_id or None,
        entry.reason or None,
        entry.detail or None,
        warnings,
        entry.attempt,
        entry.forced,
    )
    return _event(reply, state, entry.at, f"{entry.since}", revision)


def refusal(whose: Reply | Whose, error: BadMessage, at: int, place: str, revision: int = 0) -> Event:
    """That an answer was not even tried; `place` is where its record stands."""
    kind = whose.kind if whose.kind in ("reply", "dm", "post") else "reply"
    state = ReplyState(
        whose.id,
        kind,  # type: ignore[arg-type]
        "failed",
        whose.post_id,
        None,
        error.reason.value,
        error.detail[:300],
    )
    return _event(whose, state, at, place, revision)


def why(entry: Entry) -> BadMessage:
    """Why an answer failed, as its dead letter says it."""
    return BadMessage(Reason(entry.reason), entry.detail)


def is_dead(entry: Entry) -> bool:
    """Whether an answer ends in replies.dead."""
    return entry.state is State.FAILED


def _event(whose: Reply | Whose, state: ReplyState, at: int, which: str, revision: int) -> Event:
    kind = f"reply_{state.state}"
    identity = uuid5(f"reply\x1f{state.id}\x1f{which}\x1f{kind}")
    response = Response(
        SCHEMA_VERSION,
        identity,
        kind,  # type: ignore[arg-type]
        utc(at),
        whose.brand,
        whose.customer or "",
        whose.conversation_id or "",
        revision,
        by=whose.by or None,
        reply=state,
    )
    subject = state.post_id or response.conversation_id or state.id
    headers = cloud_events.headers(cloud_events.RESPONSE, whose.brand, identity, subject, response.at)
    return Event((response.customer or whose.brand).encode(), encode(response), headers)
