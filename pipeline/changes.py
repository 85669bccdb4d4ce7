"""What there is to tell: new facts come to a conversation, or time passes, and its view before and after differ.

Telling a fact again changes nothing, so nothing is told twice; what comes late changes what was told, and that is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

import msgspec

from pipeline.facts import Fact, Kind, Mark, known
from pipeline.turns import Channel, Conversation, End, Fold, Policy, Settled, Turn, View, unskewed, view

KEPT = 64
"""So many facts of a conversation are kept one by one; what is older is summed up."""


class Change(IntEnum):
    """What a difference between two views is told as."""

    OPENED = 0
    FOLLOWED_UP = 1
    NEAR_BREACH = 2
    BREACHED = 3
    ANSWERED = 4
    REQUEUED = 5
    """The turn counts for another queue now: a person moved its post, or an edit did."""
    RESOLVED = 6
    HANDED_OFF = 7
    EXPIRED = 8
    RETRACTED = 9
    SUPERSEDED = 10
    """Its posts belong to a turn that opened earlier, as came out later."""
    CORRECTED = 11
    """Something that was told before is otherwise."""
    MOVED = 12
    """The conversation goes on in another channel."""
    SETTLED = 13
    UNSETTLED = 14
    """An outcome that was told does not stand, as came out later."""
    ASSIGNED = 15
    NOTED = 16


class Told(NamedTuple):
    """One thing to tell: what changed, and the turn, the outcome or the helpdesk's word that it is about."""

    change: Change
    at: int
    turn: Turn | None = None
    settled: Settled | None = None
    fact: Fact | None = None
    channel: Channel = Channel.X


class After(NamedTuple):
    """A conversation after some facts, what is to be told, and when to look at it again."""

    conversation: Conversation
    told: list[Told]
    wake: int
    over: bool


def advance(conversation: Conversation, facts: Iterable[Fact], clock: int, policy: Policy) -> After:
    """Add facts (known ones change nothing) and look at the conversation at `clock`, or later if it already was."""
    clock = max(clock, conversation.clock)
    before, summed = conversation.facts, conversation.summed
    if summed is not None:
        facts = [fact for fact in facts if fact.at > summed.until]
    everything = known([*before, *facts])
    seen = view(everything, clock, policy, summed)
    told = differences(conversation, seen, everything)
    told += [
        Told(Change.ASSIGNED if fact.kind is Kind.ASSIGNED else Change.NOTED, fact.at, fact=fact)
        for fact in everything
        if fact.kind in (Kind.ASSIGNED, Kind.NOTED) and fact not in before
    ]
    progress = seen.progress
    after = Conversation(everything, clock, seen.turns, seen.settled, progress.channel, progress.assignee, summed)
    if len(everything) > KEPT:
        after = summed_up(after, policy)
    return After(after, told, seen.wake, seen.over)


def differences(before: Conversation, seen: View, facts: Iterable[Fact]) -> list[Told]:
    """What there is to tell of a view, after what was told before."""
    was = {turn.post: turn for turn in before.turns}
    told: list[Told] = []
    for turn in seen.turns:
        told += [Told(change, _when(change, turn), turn) for change in _changes(was.pop(turn.post, None), turn)]
    if was:
        gone = {fact.id for fact in facts if fact.marks & Mark.GONE}
        told += [
            Told(Change.RETRACTED if turn.post in gone else Change.SUPERSEDED, turn.opened, turn)
            for turn in was.values()
            if turn.counts
        ]
    channel = seen.progress.channel
    if channel is not before.channel and channel is not Channel.X:
        told.append(Told(Change.MOVED, seen.progress.last, channel=channel))
    told += [Told(Change.SETTLED, one.at, settled=one) for one in seen.settled if one not in before.settled]
    told += [Told(Change.UNSETTLED, one.at, settled=one) for one in before.settled if one not in seen.settled]
    return told


_TOLD_AS = {
    End.ANSWERED: Change.ANSWERED,
    End.RESOLVED: Change.RESOLVED,
    End.HANDED_OFF: Change.HANDED_OFF,
    End.EXPIRED: Change.EXPIRED,
}


def _changes(was: Turn | None, turn: Turn) -> list[Change]:
    """What is to be told of a turn."""
    if was == turn:
        return []
    found = []
    if turn.wanted and (was is None or not was.wanted):
        found.append(Change.OPENED)
    elif was is not None and was.queue != turn.queue:
        found.append(Change.REQUEUED)
    elif was is not None and turn.posts > was.posts and turn.wanted:
        found.append(Change.FOLLOWED_UP)
    if turn.breached and not (was is not None and was.breached):
        found.append(Change.BREACHED)
    elif turn.near and turn.waiting and not (was is not None and was.near):
        found.append(Change.NEAR_BREACH)
    if turn.end is not End.WAITING and (was is None or was.end is not turn.end) and turn.counts:
        found.append(_TOLD_AS[turn.end])
    if not found and was is not None and (was.counts or turn.counts) and _counted(was) != _counted(turn):
        found.append(Change.CORRECTED)
    return found


def _counted(turn: Turn) -> tuple[object, ...]:
    """What a report counts."""
    return (
        turn.opened,
        turn.first,
        turn.end,
        turn.ended,
        turn.answer,
        turn.who,
        turn.private,
        turn.breached,
        turn.wanted,
    )


def _when(change: Change, turn: Turn) -> int:
    if change in (Change.OPENED, Change.REQUEUED, Change.CORRECTED, Change.FOLLOWED_UP):
        return turn.opened
    if change is Change.NEAR_BREACH:
        return turn.near_at
    return turn.due if change is Change.BREACHED else turn.ended


def summed_up(conversation: Conversation, policy: Policy) -> Conversation:
    """The same with the older half of its facts no longer kept one by one."""
    facts = conversation.facts
    old, kept = facts[: -KEPT // 2], facts[-KEPT // 2 :]
    fold = Fold(policy, conversation.summed)
    for fact in unskewed(old):
        fold.take(fact)
    fold.now.until = old[-1].at
    opened = {fact.id for fact in kept} | ({fold.now.turn.post} if fold.now.turn is not None else set())
    turns = [turn for turn in conversation.turns if turn.post in opened]
    settled = [one for one in conversation.settled if one not in fold.settled]
    return msgspec.structs.replace(conversation, facts=kept, turns=turns, settled=settled, summed=fold.now)
