"""What there is to tell: new facts come to a conversation, or time passes, and its view before and after differ.

Telling a fact again changes nothing, so nothing is told twice; what comes late changes what was told, and that is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

import msgspec

from pipeline.facts import WORDS, Fact, Kind, Mark, known, stands
from pipeline.gone import EVERYTHING
from pipeline.turns import (
    HOUR,
    Channel,
    Conversation,
    End,
    Fold,
    Policy,
    Progress,
    Settled,
    Turn,
    View,
    unskewed,
    view,
)

TEXT_KEPT_MS = 7 * 24 * HOUR
"""So long the records of posts stand in the topics."""
MOST_OLD = 1_000
"""So many summed up posts, and turns, are known of a conversation, for when they are retracted or forgotten."""
KEPT = 256
"""So many facts of a conversation are kept one by one; what is older is summed up."""


_SAID = frozenset({Kind.ASSIGNED, Kind.NOTED})
"""Words that are told as they are, but for moves; others end turns."""


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
    facts: list[Fact]
    """All of them, before any were summed up."""


def advance(conversation: Conversation, facts: Iterable[Fact], clock: int, policy: Policy) -> After:
    """Add facts (known ones change nothing) and look at the conversation at `clock`, or later if it already was."""
    clock = max(clock, conversation.clock)
    before, summed = conversation.facts, conversation.summed
    if summed is not None:
        facts = _in_time(facts, before, summed)
    everything = known([*before, *facts])
    seen = view(everything, clock, policy, summed)
    told = differences(conversation, seen, everything) + _said(everything, before, begun=summed is not None)
    progress = seen.progress
    after = Conversation(
        conversation.version, clock, everything, seen.turns, seen.settled, progress.channel, progress.assignee, summed
    )
    if len(everything) > KEPT:
        after = summed_up(after, policy)
    return After(after, told, seen.wake, seen.over, everything)


def _said(facts: list[Fact], before: list[Fact], *, begun: bool) -> list[Told]:
    """Words of the helpdesk that are news; those on a conversation that nobody knows wait until somebody does."""
    if not (begun or _has_begun(facts)):
        return []
    ids = {fact.id for fact in before} if begun or _has_begun(before) else set()
    return [
        Told(Change.ASSIGNED if fact.kind is Kind.ASSIGNED else Change.NOTED, fact.at, fact=fact)
        for fact in facts
        if fact.kind in _SAID and not fact.marks & (Mark.TAKEN | Mark.PERSON) and fact.id not in ids
    ]


def _has_begun(facts: list[Fact]) -> bool:
    return any(fact.kind not in WORDS for fact in facts)


def _in_time(facts: Iterable[Fact], before: Iterable[Fact], summed: Progress) -> list[Fact]:
    """Without those that are counted already, or come too late to be."""
    ids = {fact.id for fact in before}
    return [
        fact
        for fact in facts
        if fact.id in ids or (fact.at > summed.until and not (fact.kind is Kind.ASKED and _is_counted(fact, summed)))
    ]


def _is_counted(fact: Fact, summed: Progress) -> bool:
    return summed.since < fact.at <= summed.thinned and not fact.marks & Mark.PERSON


def differences(before: Conversation, seen: View, facts: Iterable[Fact]) -> list[Told]:
    """What there is to tell of a view, after what was told before."""
    was = {turn.post: turn for turn in before.turns}
    told: list[Told] = []
    closed = None if before.summed is None else before.summed.closed
    for turn in seen.turns:
        summed = closed if closed is not None and closed.post == turn.post else None
        told += [Told(change, _when(change, turn), turn) for change in _changes(was.pop(turn.post, summed), turn)]
    if was:
        gone = {fact.id: fact.at for fact in facts if fact.marks & Mark.GONE}
        everything = gone.get(EVERYTHING, -1)
        told += [
            Told(
                Change.RETRACTED if turn.post in gone or turn.opened <= everything else Change.SUPERSEDED,
                turn.opened,
                turn,
            )
            for turn in was.values()
            if turn.counts
        ]
    channel = seen.progress.channel
    if channel is not before.channel and channel is not Channel.X:
        told.append(Told(Change.MOVED, seen.progress.last, channel=channel))
    before_settled, settled = set(before.settled), set(seen.settled)
    told += [Told(Change.SETTLED, one.at, settled=one) for one in seen.settled if one not in before_settled]
    told += [Told(Change.UNSETTLED, one.at, settled=one) for one in before.settled if one not in settled]
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
    """The same with older facts no longer kept one by one, but for those that a wait which goes on began with."""
    ordered = unskewed(conversation.facts)
    happened = sum(fact.at <= conversation.clock for fact in ordered)
    if happened <= KEPT:  # the others are words that wait for their time
        return conversation
    older = ordered[: happened - KEPT // 2]
    rest, fold = 0, Fold(policy, conversation.summed)
    for number, fact in enumerate(older, start=1):
        fold.take(fact)
        if fold.now.turn is None:
            rest = number
    if not rest:
        return _opened(conversation, older, fold, policy)
    return _closed(conversation, {fact.id for fact in ordered[:rest]}, ordered[:rest], policy)


def _closed(conversation: Conversation, ids: set[str], older: list[Fact], policy: Policy) -> Conversation:
    """The facts of turns that are over come to a sum."""
    fold = Fold(policy, conversation.summed)
    for fact in older:
        fold.take(fact)
    now, posts, settled = fold.now, {turn.post for turn in fold.turns}, set(fold.settled)
    now.until = max(fact.at for fact in older)
    now.old = _outlived(now, (fact for fact in conversation.facts if fact.id in ids), now.until)
    now.past = [*now.past, *(turn for turn in fold.turns if turn.counts)][-MOST_OLD:]
    now.rested = [*now.rested, *fold.settled][-MOST_OLD:]
    if now.opener in ids:
        now.opener, now.more, now.thinned = "", 0, -1
    return msgspec.structs.replace(
        conversation,
        facts=[fact for fact in conversation.facts if fact.id not in ids],
        turns=[turn for turn in conversation.turns if turn.post not in posts],
        settled=[one for one in conversation.settled if one not in settled],
        summed=now,
    )


def _opened(conversation: Conversation, older: list[Fact], fold: Fold, policy: Policy) -> Conversation:
    """What came before a long wait began comes to a sum; of the wait's own facts some are kept."""
    turn = fold.now.turn
    assert turn is not None
    before = next((place for place, fact in enumerate(older) if fact.id == turn.post), len(older))
    if before:
        some = older[:before]
        conversation = _closed(conversation, {fact.id for fact in some}, some, policy)
    return _thinned(conversation, older[before:], fold) if older[before:] else conversation


def _thinned(conversation: Conversation, older: list[Fact], fold: Fold) -> Conversation:
    """Of the facts of one long wait its first post is kept, and the last of what else has a bearing on it."""
    turn = fold.now.turn
    assert turn is not None
    kept = {turn.post}
    for kind in (Kind.WROTE, Kind.ASSIGNED):
        kept |= {fact.id for fact in [one for one in older if one.kind is kind][-1:]}
    dropped = {fact.id for fact in older} - kept
    facts = [fact for fact in conversation.facts if fact.id in dropped]
    summed = conversation.summed or Progress()
    more = sum(fact.kind is Kind.ASKED and not fact.marks & (Mark.GONE | Mark.ADOPTED) for fact in facts)
    thinned = max(fact.at for fact in older)
    return msgspec.structs.replace(
        conversation,
        facts=[fact for fact in conversation.facts if fact.id not in dropped],
        summed=msgspec.structs.replace(
            summed, opener=turn.post, since=turn.opened, thinned=thinned, more=summed.more + more,
            old=_outlived(summed, facts, thinned),
        ),
    )  # fmt: skip


def _outlived(summed: Progress, facts: Iterable[Fact], now: int) -> list[Fact]:
    """The posts whose records may still stand in a topic, without being kept one by one."""
    return [
        fact
        for fact in (*summed.old, *facts)
        if stands(fact) and not fact.marks & Mark.GONE and fact.at > now - TEXT_KEPT_MS
    ][-MOST_OLD:]


def unsummed(conversation: Conversation) -> Conversation:
    """The same with all that is known of what was summed up: so that it can be taken back."""
    summed = conversation.summed
    if summed is None:
        return conversation
    return msgspec.structs.replace(
        conversation,
        facts=known([*summed.old, *conversation.facts]),
        turns=[*summed.past, *conversation.turns],
        settled=[*summed.rested, *conversation.settled],
        summed=None,
    )
