"""Step 4: the response-time state machine: facts in, turns out.

A conversation is a set of facts (pipeline.facts) and a clock. What follows from them, its View, is computed from the
beginning in the order in which things happened, so that it is the same however late, often, or mixed up they were
told. What is told on is the difference between two views (pipeline.changes).

A turn is one wait: it opens with a customer's first unanswered post and ends with the answer. All times are ms since
1970, all durations ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

import msgspec

from pipeline.calendars import Calendar
from pipeline.facts import WORDS, Fact, Kind, Mark, order

HOUR = 3_600_000
NEVER = 2**62
_TODAYS = WORDS | {Kind.GONE}
"""What is said today, of an old year's posts too."""


class End(IntEnum):
    """How a turn ended."""

    WAITING = 0
    ANSWERED = 1
    RESOLVED = 2
    HANDED_OFF = 3
    EXPIRED = 4


class Outcome(IntEnum):
    """What became of a conversation."""

    RESOLVED_ON_X = 0
    """A helpdesk said so."""
    RESOLVED_SILENT = 1
    """The customer was content to say no more after an answer."""
    RESOLVED_ELSEWHERE = 2
    MOVED_TO_DM = 3
    MOVED_TO_EMAIL = 4
    RETRACTED = 5
    EXPIRED = 6


class Channel(IntEnum):
    """Where a conversation goes on."""

    X = 0
    DM = 1
    EMAIL = 2
    ELSEWHERE = 3


_OUTCOME_OF = {
    Channel.X: Outcome.RESOLVED_SILENT,
    Channel.DM: Outcome.MOVED_TO_DM,
    Channel.EMAIL: Outcome.MOVED_TO_EMAIL,
    Channel.ELSEWHERE: Outcome.RESOLVED_ELSEWHERE,
}


class Turn(msgspec.Struct, array_like=True, gc=False):
    """One wait."""

    post: str
    """The post that opened it."""
    opened: int
    queue: int
    wanted: bool
    """Whether its queue wants an answer; if not, it does not count as waiting, and is measured when answered."""
    first: bool
    """Whether nothing was answered in the conversation before."""
    near_at: int = NEVER
    due: int = NEVER
    posts: int = 1
    praise: bool = False
    end: End = End.WAITING
    ended: int = 0
    answer: str = ""
    who: str = ""
    private: bool = False
    near: bool = False
    breached: bool = False

    @property
    def waiting(self) -> bool:
        """Whether somebody ought to answer."""
        return self.wanted and self.end is End.WAITING

    @property
    def counts(self) -> bool:
        """Whether a report counts it."""
        return self.wanted or self.end is End.ANSWERED


class Settled(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A conversation came to rest; it may wake again and settle again."""

    outcome: Outcome
    at: int
    replies: int


class Progress(msgspec.Struct, array_like=True, gc=False):
    """How far a conversation is after some of its facts."""

    turn: Turn | None = None
    """The open one."""
    answered: bool = False
    """Whether a turn was answered."""
    unsettled: bool = False
    """Whether there was an answer that no outcome has followed yet."""
    quiet_since: int = 0
    last: int = 0
    """When the last thing happened."""
    replies: int = 0
    channel: Channel = Channel.X
    assignee: str = ""
    asked: int = 0
    """Posts of the customer that are not retracted, since the conversation began, or woke up."""
    until: int = -1
    """The time of the last fact that is summed up; what is told of earlier ones comes too late."""
    old: list[Fact] = []
    """Summed up posts whose records may still stand in a topic: if they are retracted, so must these be."""
    past: list[Turn] = []
    """Summed up turns and outcomes: if the customer is forgotten, they are taken back."""
    rested: list[Settled] = []
    opener: str = ""
    """The post of a wait so long that of its later posts `more`, those up to `thinned`, are only counted."""
    since: int = -1
    thinned: int = -1
    more: int = 0
    said: int = -1
    """When a helpdesk's word brought the conversation to rest; -1: it did not, or somebody waited since."""
    closed: Turn | None = None
    """The turn that this ended, as long as no answer was found for it."""


class Conversation(msgspec.Struct, array_like=True, gc=False):
    """The state of one customer's conversation with one brand; without text."""

    version: int = 0
    """How often it was written; of two writers that did not know of each other the versions show it."""
    clock: int = 0
    """The time up to which it was looked at."""
    facts: list[Fact] = []
    turns: list[Turn] = []
    settled: list[Settled] = []
    channel: Channel = Channel.X
    assignee: str = ""
    summed: Progress | None = None
    """What the facts came to that are no longer kept one by one."""

    def fact(self, identity: str) -> Fact | None:
        """What is known of a post, or of a message."""
        old = [] if self.summed is None else self.summed.old
        return next((fact for fact in (*self.facts, *old) if fact.id == identity), None)


class Policy(NamedTuple):
    """A brand's rules; queues are places in pipeline.facts.QUEUES."""

    wanted: frozenset[int]
    targets: Mapping[int, int]
    calendars: Mapping[int, Calendar] = {}
    """Business hours by queue; without one a queue is always open."""
    near: float = 0.8
    silent_after: int = 24 * HOUR
    forget_after: int = 7 * 24 * HOUR
    forget_open_after: int = 30 * 24 * HOUR
    together: int = HOUR // 6
    """An answer that comes so soon after a helpdesk's word was given with it."""

    def business(self, queue: int, start: int, end: int) -> int:
        """Open time between two instants."""
        calendar = self.calendars.get(queue)
        return max(0, end - start) if calendar is None else calendar.open_ms(start, end)

    def after(self, queue: int, start: int, open_ms: int) -> int:
        """When so much open time has passed."""
        calendar = self.calendars.get(queue)
        if calendar is None:
            return start + open_ms
        found = calendar.after(start, open_ms)
        return NEVER if found is None else found


class View(NamedTuple):
    """What follows from facts and clock."""

    turns: list[Turn]
    settled: list[Settled]
    progress: Progress
    wake: int
    """When something will change though nothing happens."""
    over: bool
    """Whether it may be forgotten."""


def view(facts: list[Fact], clock: int, policy: Policy, summed: Progress | None = None) -> View:
    """What follows from facts in the order of pipeline.facts.order, seen at `clock`.

    A helpdesk's word of a later time waits for it, and a retraction: neither moves the posts' clock.
    """
    fold, heard = Fold(policy, summed), facts
    if facts and facts[-1].at > clock:
        heard = [fact for fact in facts if fact.at <= clock or fact.kind not in _TODAYS]
    for fact in unskewed(heard):
        fold.take(fact)
    seen = fold.seen_at(clock)
    if len(heard) == len(facts):
        return seen
    later = min(fact.at for fact in facts if fact.at > clock and fact.kind in _TODAYS)
    return seen._replace(wake=later if seen.over else min(seen.wake, later), over=False)


def unskewed(facts: list[Fact]) -> list[Fact]:
    """The facts in order, with no answer before its question, whatever the clocks say."""
    if len(facts) < 2:
        return facts
    asked = {fact.id: fact.at for fact in facts if fact.kind is Kind.ASKED}
    if all(fact.at >= asked.get(fact.parent, 0) for fact in facts):
        return facts
    shifted = [msgspec.structs.replace(fact, at=max(fact.at, asked.get(fact.parent, 0))) for fact in facts]
    return sorted(shifted, key=order)


class Fold:
    """Takes facts one by one, in the order in which they happened."""

    def __init__(self, policy: Policy, start: Progress | None = None) -> None:
        self.policy = policy
        self.now = _copy(start) if start is not None else Progress()
        self.turns: list[Turn] = [self.now.turn] if self.now.turn is not None else []
        self.settled: list[Settled] = []
        self._gone_at = -1
        self._whole = start is None or start.until < 0
        self._over = start is None

    def take(self, fact: Fact) -> None:
        """Go on by one fact."""
        kind = fact.kind
        self._pass_time(fact.at)
        if kind is Kind.WROTE or kind is Kind.MESSAGED:
            if self._is_elsewhere(fact):
                return
            self._messaged(fact)
        elif fact.marks & Mark.ADOPTED:
            pass
        elif fact.marks & Mark.GONE:
            self._gone_at = max(self._gone_at, fact.at if kind is Kind.ASKED else -1)
        elif kind is Kind.ASKED:
            self._asked(fact)
        elif kind is Kind.ANSWERED:
            self._answered(fact)
        else:
            self._said(fact)
        self.now.last = max(self.now.last, fact.at)
        self._over = False

    def seen_at(self, clock: int) -> View:
        """Let the time pass that no fact tells of."""
        now = self.now
        self._pass_time(clock)
        if self._gone_at >= 0 and not self.turns and self._whole:
            self.settled.append(Settled(Outcome.RETRACTED, self._gone_at, now.replies))
        return View(self.turns, self.settled, now, self._wake(clock), self._over)

    def _asked(self, fact: Fact) -> None:
        now, turn = self.now, self.now.turn
        now.asked += 1
        thanks = fact.marks & (Mark.THANKS | Mark.PERSON) == Mark.THANKS and (now.answered or now.said >= 0)
        wanted = fact.queue in self.policy.wanted and not thanks
        if not wanted and (turn is None or not turn.wanted):
            now.quiet_since = max(now.quiet_since, fact.at)
        if turn is None:
            if not thanks:
                self._open(fact, wanted)
        elif wanted and not turn.wanted:  # the wait begins with the first post that wants an answer
            self.turns.pop()
            self._open(fact, wanted)
            self.turns[-1].posts += turn.posts
        else:
            turn.posts += 1
        if fact.id == now.opener and now.turn is not None:
            now.turn.posts += now.more
            now.last = max(now.last, now.thinned)  # those that are only counted kept it from being forgotten

    def _is_elsewhere(self, fact: Fact) -> bool:
        """Whether a private message is about another conversation: this one has come to rest."""
        now, turn = self.now, self.now.turn
        if turn is None:
            given = fact.kind is Kind.MESSAGED and self._is_with_word(fact.at)
            return bool(now.asked) and not now.unsettled and not given
        return not turn.wanted and fact.at >= max(turn.opened, now.quiet_since) + self.policy.silent_after

    def _messaged(self, fact: Fact) -> None:
        if not self.now.asked or fact.marks & Mark.GONE:
            return  # the conversation began later: it was about something else
        if fact.kind is Kind.MESSAGED:
            self._answered(fact)
        else:
            self.now.channel = Channel.DM

    def _open(self, fact: Fact, wanted: bool) -> None:
        policy, queue = self.policy, fact.queue
        turn = Turn(fact.id, fact.at, queue, wanted, not self.now.answered, praise=bool(fact.marks & Mark.PRAISE))
        target = policy.targets.get(queue) if wanted else None
        if target is not None:
            turn.near_at = policy.after(queue, fact.at, int(target * policy.near))
            turn.due = policy.after(queue, fact.at, target)
        self.now.turn = turn
        self.now.said, self.now.closed = -1 if wanted else self.now.said, None
        self.turns.append(turn)

    def _answered(self, fact: Fact) -> None:
        now = self.now
        at = fact.at
        if not now.asked or fact.marks & Mark.BOT:
            return  # nobody asked, so nothing is answered and nothing comes to rest
        if self._is_with_word(at):
            self._answered_with_word(fact)
            return
        now.replies += 1
        now.unsettled = True
        now.quiet_since = max(now.quiet_since, at)
        if fact.marks & Mark.TO_DM or fact.kind is Kind.MESSAGED:
            now.channel = Channel.DM
        elif fact.marks & Mark.TO_EMAIL:
            now.channel = Channel.EMAIL
        if now.turn is not None:
            self._end_answered(fact)

    def _end_answered(self, fact: Fact) -> None:
        turn = self.now.turn
        assert turn is not None
        turn.answer, turn.who, turn.private = fact.id, fact.who, fact.kind is Kind.MESSAGED
        self._end(End.ANSWERED, max(fact.at, turn.opened))
        self.now.answered = True

    def _is_with_word(self, at: int) -> bool:
        """Whether an answer was given together with the helpdesk's word that ended it all: X makes the post later."""
        now = self.now
        return now.turn is None and now.said >= 0 and at <= now.said + self.policy.together

    def _answered_with_word(self, fact: Fact) -> None:
        """The turn that the word ended was answered; what the word made of the conversation stays."""
        now, turn = self.now, self.now.closed
        if turn is not None:
            if all(one is not turn for one in self.turns):
                self.turns.append(turn)  # it was summed up
            now.turn, now.closed = turn, None
            self._end_answered(fact)

    def _said(self, fact: Fact) -> None:
        """A helpdesk's word."""
        now = self.now
        if fact.kind is Kind.ASSIGNED:
            now.assignee = fact.who
        elif now.turn is None and not now.unsettled:
            return  # it is at rest already
        elif fact.kind is Kind.RESOLVED:
            self._close(End.RESOLVED, fact)
            elsewhere = fact.marks & Mark.ELSEWHERE
            self._settle(Outcome.RESOLVED_ELSEWHERE if elsewhere else Outcome.RESOLVED_ON_X, fact.at)
        elif fact.kind is Kind.HANDED_OFF:
            self._close(End.HANDED_OFF, fact)
            to = Channel.DM if fact.marks & Mark.TO_DM else Channel.EMAIL if fact.marks & Mark.TO_EMAIL else None
            now.channel = to or Channel.ELSEWHERE
            self._settle(_OUTCOME_OF[now.channel], fact.at)

    def _close(self, end: End, fact: Fact) -> None:
        turn = self.now.turn
        self.now.said, self.now.closed = fact.at, turn
        if turn is not None:
            turn.who = fact.who
            self._end(end, max(fact.at, turn.opened))

    def _end(self, end: End, at: int) -> None:
        turn = self.now.turn
        assert turn is not None
        turn.end, turn.ended = end, at
        turn.near, turn.breached = turn.near_at < at, turn.due < at
        self.now.turn = None

    def _settle(self, outcome: Outcome, at: int) -> None:
        now = self.now
        self.settled.append(Settled(outcome, at, now.replies))
        now.unsettled = False
        now.channel = Channel.X
        now.replies = 0

    def _pass_time(self, at: int) -> None:
        """What comes of it that nothing happened until then."""
        now, policy, turn = self.now, self.policy, self.now.turn
        if turn is not None and turn.wanted:
            turn.near, turn.breached = turn.near_at < at, turn.due < at
            if at >= now.last + policy.forget_open_after:
                self._end(End.EXPIRED, now.last + policy.forget_open_after)
                self._settle(Outcome.EXPIRED, now.last + policy.forget_open_after)
                self._forget()
            return
        if now.unsettled and at >= now.quiet_since + policy.silent_after:
            self._settle(_OUTCOME_OF[now.channel], now.quiet_since + policy.silent_after)
        if at >= now.last + policy.forget_after:
            if turn is not None:
                self._end(End.EXPIRED, now.last + policy.forget_after)
            self._forget()
        else:
            self._over = turn is None and not now.last

    def _forget(self) -> None:
        """A conversation that wakes up after this is a new one."""
        self._over = True
        now = self.now
        now.asked = now.replies = 0
        now.answered = now.unsettled = False
        now.said, now.closed = -1, None
        now.channel, now.assignee = Channel.X, ""

    def _wake(self, clock: int) -> int:
        now, policy, turn = self.now, self.policy, self.now.turn
        if turn is not None and turn.wanted:
            times = [now.last + policy.forget_open_after]
            times += [at + 1 for at in (turn.near_at, turn.due) if clock <= at < NEVER]
        else:
            times = [now.last + policy.forget_after]
            if now.unsettled:
                times.append(now.quiet_since + policy.silent_after)
        return min(times)


def _copy(progress: Progress) -> Progress:
    """Steps change it in place, and its turns."""
    turn, closed = (
        None if turn is None else msgspec.structs.replace(turn) for turn in (progress.turn, progress.closed)
    )
    return msgspec.structs.replace(progress, turn=turn, closed=closed)
