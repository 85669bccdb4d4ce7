"""The record of `responses`: what happened to a customer's wait; what helpdesks and reports read. It holds no text."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pipeline.changes import Change, Told
from pipeline.facts import QUEUES
from pipeline.heard import ms
from pipeline.kept import Key
from pipeline.posts import Queue
from pipeline.route import utc
from pipeline.routed import SCHEMA_VERSION, Time, uuid5
from pipeline.turns import NEVER, Channel, End, Outcome, Policy, Settled, Turn

EventType = Literal[
    "opened", "followed_up", "near_breach", "breached", "answered", "requeued", "resolved", "handed_off", "expired",
    "retracted", "superseded", "corrected", "moved", "settled", "unsettled", "assigned", "noted",
    "backlog_began", "backlog_ended",
    "reply_posted", "reply_failed", "reply_unknown", "reply_held",
]  # fmt: skip
Seconds = Annotated[float, msgspec.Meta(ge=0, description="seconds")]


class TurnState(msgspec.Struct, frozen=True, gc=False):
    """One wait, as it stands after the event."""

    post_id: str
    queue: Queue
    wanted: bool
    """Whether its queue wants an answer; others are told of only when they get one."""
    opened_at: Time
    deadline_at: Time | None
    posts: Annotated[int, msgspec.Meta(ge=1)]
    first: bool
    """Whether its answer is the conversation's first response; else a next response."""
    state: Literal["waiting", "answered", "resolved", "handed_off", "expired"]
    ended_at: Time | None
    wait_s: Seconds | None
    business_s: Seconds | None
    breached: bool
    over_s: Seconds | None
    """By how much its target was missed, on the wall's clock; of one that waits, so far."""
    answer_id: str | None
    answered_by: str | None
    answered_in: Literal["public", "private"] | None


class BacklogState(msgspec.Struct, frozen=True, gc=False):
    """Who waits in a queue of a brand, as the backlog began or ended."""

    queue: Queue
    waiting: Annotated[int, msgspec.Meta(ge=0)]
    late: Annotated[int, msgspec.Meta(ge=0)]
    """Those who wait longer than their target."""
    oldest_at: Time | None


class ReplyState(msgspec.Struct, frozen=True, gc=False):
    """What came of a helpdesk's answer, a record of `replies`."""

    id: str
    """The answer's own id."""
    kind: Literal["reply", "dm", "post"]
    state: Literal["posted", "failed", "unknown", "held"]
    """failed: it is not on X, see `reason`; unknown: it may be, a person must look; held: its turn was answered."""
    post_id: str | None
    """What it answers."""
    answer_id: str | None = None
    """The post or private message on X."""
    reason: str | None = None
    """Of failed: as in the headers of `replies.dead`."""
    detail: str | None = None
    """For people; holds no text of the answer."""
    warnings: tuple[str, ...] = ()
    """What spoke against it: "avoid: <phrase>", "vision: ...", "link: ..."."""
    attempt: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many calls were made for it, or begun."""
    forced: bool = False


class Response(msgspec.Struct, frozen=True, gc=False):
    """Something that happened to a conversation of a customer with a brand, to a queue (`backlog`), or to an answer.

    Of a turn the last record counts: each states the whole turn. `retracted` and `superseded` turns do not count.
    `event_id` is deterministic: what is told twice has the same.
    """

    schema_version: Literal["1.0"]
    event_id: Annotated[str, msgspec.Meta(max_length=64)]
    event_type: EventType
    at: Time
    brand: str
    customer: str
    conversation_id: str
    revision: Annotated[int, msgspec.Meta(ge=0)]
    """Of the conversation: what is told later of it has the same or a higher one."""
    turn: TurnState | None = None
    outcome: Literal["resolved_on_x", "resolved_silent", "resolved_elsewhere", "moved_to_dm", "moved_to_email",
                     "retracted", "expired"] | None = None  # fmt: skip
    replies: int | None = None
    """Answers of the brand until the conversation settled."""
    moved_to: Literal["dm", "email", "elsewhere"] | None = None
    by: str | None = None
    """The helpdesk's agent, of a word of the helpdesk."""
    backlog: BacklogState | None = None
    """Of backlog_began and backlog_ended, whose customer and conversation_id are empty."""
    reply: ReplyState | None = None
    """Of reply_posted and the like; they change no turn: what X shows of the answer does, like any other post."""


encode = msgspec.json.Encoder().encode
_CHANGES = tuple(change.name.lower() for change in Change)
_ENDS = tuple(end.name.lower() for end in End)


def response(key: Key, told: Told, version: int, clock: int, policy: Policy) -> Response:
    """The record of one thing told.

    Args:
        key: of whom.
        told: what.
        version: of the state with which it is told.
        clock: in ms, the time up to which who waits has waited.
        policy: the brand's.
    """
    settled, fact = told.settled, told.fact
    return Response(
        SCHEMA_VERSION,
        _event_id(key, told, version),
        _CHANGES[told.change],  # type: ignore[arg-type]
        utc(told.at),
        key.brand,
        key.customer,
        key.conversation,
        version,
        None if told.turn is None else turn_state(told.turn, clock, policy),
        None if settled is None else settled.outcome.name.lower(),  # type: ignore[arg-type]
        None if settled is None else settled.replies,
        told.channel.name.lower() if told.change is Change.MOVED else None,  # type: ignore[arg-type]
        None if fact is None else fact.who,
    )


def turn_state(turn: Turn, clock: int, policy: Policy) -> TurnState:
    """A turn in the words of the record."""
    waiting, answered = turn.end is End.WAITING, turn.end is End.ANSWERED
    until = max(clock, turn.opened) if waiting else turn.ended
    return TurnState(
        turn.post,
        QUEUES[turn.queue],
        turn.wanted,
        utc(turn.opened),
        None if turn.due == NEVER else utc(turn.due),
        turn.posts,
        turn.first,
        _ENDS[turn.end],  # type: ignore[arg-type]
        None if waiting else utc(turn.ended),
        (turn.ended - turn.opened) / 1000 if answered else None,
        policy.business(turn.queue, turn.opened, turn.ended) / 1000 if answered else None,
        turn.breached,
        max(0, until - turn.due) / 1000 if turn.breached else None,
        turn.answer if answered else None,
        (turn.who or None) if not waiting else None,
        ("private" if turn.private else "public") if answered else None,
    )


def read_turn(response: Response) -> Turn:
    """The turn of a record, for reports; raises ValueError where it has none."""
    state = response.turn
    if state is None:
        raise ValueError(f"{response.event_id}: a record without a turn")
    opened = ms(state.opened_at)
    return Turn(
        state.post_id,
        opened,
        QUEUES.index(state.queue),
        state.wanted,
        state.first,
        due=NEVER if state.deadline_at is None else ms(state.deadline_at),
        posts=state.posts,
        end=End[state.state.upper()],
        ended=0 if state.ended_at is None else ms(state.ended_at),
        answer=state.answer_id or "",
        who=state.answered_by or "",
        private=state.answered_in == "private",
        breached=state.breached,
    )


def read_settled(response: Response) -> Settled:
    """The outcome of a record; raises ValueError where it has none."""
    if response.outcome is None:
        raise ValueError(f"{response.event_id}: a record without an outcome")
    return Settled(Outcome[response.outcome.upper()], ms(response.at), response.replies or 0)


def _event_id(key: Key, told: Told, version: int) -> str:
    """uuid5 over whose conversation it is, what changed when in it, and what a reader would see changed."""
    turn = told.turn
    if turn is None and told.settled is None:
        version = 0  # a channel, or a helpdesk's word: told again after a kill, whatever was told before it
    name = f"{key.customer}\x1f{key.brand}\x1f{key.conversation}\x1f{version}\x1f{_CHANGES[told.change]}\x1f{told.at}"
    if turn is not None:
        name += (
            f"\x1f{turn.post}\x1f{turn.queue}\x1f{turn.opened}\x1f{turn.posts}\x1f{turn.first}\x1f{_ENDS[turn.end]}"
            f"\x1f{turn.ended}\x1f{turn.answer}\x1f{turn.breached}"
        )
    if told.settled is not None:
        name += f"\x1f{told.settled.outcome.name}\x1f{told.settled.at}"
    if told.fact is not None:
        name += f"\x1f{told.fact.id}"
    if told.channel is not Channel.X:
        name += f"\x1f{told.channel.name}"
    return uuid5(name)
