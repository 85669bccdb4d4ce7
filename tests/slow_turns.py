"""The slow, obviously right model of turns: the clock goes on by one, and at each instant the rules are asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.facts import Fact, Kind, Mark
from pipeline.turns import Policy


def slow(facts: Iterable[Fact], clock: int, policy: Policy) -> tuple[list[dict[str, object]], list[tuple[str, int]]]:
    """The turns and outcomes at `clock`, all times being small whole numbers; every queue is always open."""
    now = _Now(policy)
    for instant in range(clock + 1):
        now.silence(instant)
        for fact in _in_order([fact for fact in _as_it_stands(facts) if fact.at == instant]):
            now.hear(fact)
    if now.gone_at is not None and not now.turns:
        now.outcomes.append(("RETRACTED", now.gone_at))
    for turn in now.turns:
        end = clock if turn["end"] == "WAITING" else turn["ended"]
        turn["breached"] = turn["wanted"] and end - turn["opened"] > policy.targets.get(turn["queue"], 10**9)
    return now.turns, now.outcomes


def _as_it_stands(facts: Iterable[Fact]) -> list[Fact]:
    """Of each thing the version that stands, at the time at which it happened, not before what it answers."""
    versions: dict[str, list[Fact]] = {}
    for fact in facts:
        versions.setdefault(fact.id, []).append(fact)
    stand = []
    for several in versions.values():
        real = [fact for fact in several if fact.kind is not Kind.GONE] or several
        best = max(real, key=lambda fact: (fact.marks & Mark.PERSON, fact.revision))
        gone = Mark.GONE if any(fact.marks & Mark.GONE for fact in several) else 0
        stand.append(Fact(min(fact.at for fact in real), best.kind, best.id, best.queue, best.marks | gone, 0,
                          best.who, best.parent))  # fmt: skip
    asked = {fact.id: fact.at for fact in stand if fact.kind is Kind.ASKED}
    return [
        Fact(max(fact.at, asked.get(fact.parent, 0)), fact.kind, fact.id, fact.queue, fact.marks, 0, fact.who)
        for fact in stand
    ]


def _in_order(facts: list[Fact]) -> list[Fact]:
    return sorted(facts, key=lambda fact: (fact.kind, fact.id))


class _Now:
    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.turns: list[dict[str, Any]] = []
        self.outcomes: list[tuple[str, int]] = []
        self.open: dict[str, Any] | None = None
        self.answered_before = False
        self.to_settle = False
        self.quiet_since = 0
        self.last: int | None = None
        self.channel = "X"
        self.asked = 0
        self.gone_at: int | None = None
        self.done_at: int | None = None
        """When a helpdesk said that it is done, or goes on elsewhere, and no wait began since."""
        self.done: dict[str, Any] | None = None
        """The wait that this ended."""

    def silence(self, instant: int) -> None:
        """What happens because nothing happened for long."""
        if self.last is None:
            return
        if self.open is not None and self.open["wanted"]:
            if instant == self.last + self.policy.forget_open_after:
                self.open |= {"end": "EXPIRED", "ended": instant}
                self.settle("EXPIRED", instant)
                self.forget()
            return
        if self.to_settle and instant == self.quiet_since + self.policy.silent_after:
            by_channel = {"X": "RESOLVED_SILENT", "DM": "MOVED_TO_DM", "EMAIL": "MOVED_TO_EMAIL"}
            self.settle(by_channel.get(self.channel, "RESOLVED_ELSEWHERE"), instant)
        if instant == self.last + self.policy.forget_after:
            if self.open is not None:
                self.open |= {"end": "EXPIRED", "ended": instant}
            self.forget()

    def forget(self) -> None:
        """What comes next is a new conversation."""
        self.open = None
        self.to_settle = self.answered_before = False
        self.done_at = self.done = None
        self.asked = 0
        self.channel = "X"

    def settle(self, outcome: str, instant: int) -> None:
        """The conversation comes to rest."""
        self.outcomes.append((outcome, instant))
        self.to_settle = False
        self.channel = "X"

    def hear(self, fact: Fact) -> None:
        """Something happens."""
        private = fact.kind in (Kind.WROTE, Kind.MESSAGED)
        belongs = fact.kind is Kind.MESSAGED and self.is_just_done(fact.at)
        if private and self.asked and not self.is_going_on(fact.at) and not belongs:
            return
        self.last = fact.at
        if fact.marks & Mark.GONE:
            if fact.kind is Kind.ASKED:
                self.gone_at = fact.at
        elif fact.kind is Kind.ASKED:
            self.asked += 1
            self.ask(fact)
        elif fact.kind in (Kind.WROTE, Kind.MESSAGED, Kind.ANSWERED) and not self.asked:
            return
        elif fact.kind in (Kind.ANSWERED, Kind.MESSAGED):
            if not fact.marks & Mark.BOT and not self.was_just_done(fact):
                self.answer(fact)
        elif fact.kind is Kind.WROTE:
            self.channel = "DM"
        elif self.open is not None or self.to_settle:
            self.say(fact)

    def say(self, fact: Fact) -> None:
        """A helpdesk's word."""
        if fact.kind is Kind.RESOLVED:
            self.end_by_word("RESOLVED", fact)
            self.settle("RESOLVED_ELSEWHERE" if fact.marks & Mark.ELSEWHERE else "RESOLVED_ON_X", fact.at)
        elif fact.kind is Kind.HANDED_OFF:
            self.end_by_word("HANDED_OFF", fact)
            dm, email = fact.marks & Mark.TO_DM, fact.marks & Mark.TO_EMAIL
            self.settle("MOVED_TO_DM" if dm else "MOVED_TO_EMAIL" if email else "RESOLVED_ELSEWHERE", fact.at)

    def end_by_word(self, how: str, fact: Fact) -> None:
        """The wait is over, and an answer that was given in the same step may still come."""
        self.done, self.done_at = self.open, fact.at
        self.end(how, fact)

    def is_just_done(self, instant: int) -> bool:
        """Whether a helpdesk's word ended it a moment ago, and nobody waits since."""
        return self.open is None and self.done_at is not None and instant <= self.done_at + self.policy.together

    def was_just_done(self, fact: Fact) -> bool:
        """An answer that belongs to the word: it answers the wait that the word ended, and changes nothing else."""
        if not self.is_just_done(fact.at):
            return False
        if self.done is not None:
            self.done |= {"end": "ANSWERED", "ended": fact.at, "answer": fact.id}
            self.done = None
            self.answered_before = True
        return True

    def is_going_on(self, instant: int) -> bool:
        """Whether a private message may be about it: somebody waits, or it has not come to rest yet."""
        if self.open is None:
            return self.to_settle
        lately = instant - max(self.open["opened"], self.quiet_since) < self.policy.silent_after
        return bool(self.open["wanted"]) or lately

    def ask(self, fact: Fact) -> None:
        """A customer's post."""
        says_thanks = bool(fact.marks & Mark.THANKS) and not fact.marks & Mark.PERSON
        thanks = says_thanks and (self.answered_before or self.done_at is not None)
        wanted = fact.queue in self.policy.wanted and not thanks
        if not wanted and (self.open is None or not self.open["wanted"]):
            self.quiet_since = max(self.quiet_since, fact.at)
        if thanks and self.open is None:
            self.quiet_since = fact.at
        elif self.open is None or (wanted and not self.open["wanted"]):
            if self.open is not None:
                self.turns.remove(self.open)
            self.open = {
                "post": fact.id, "opened": fact.at, "queue": fact.queue, "wanted": wanted,
                "first": not self.answered_before, "end": "WAITING", "ended": 0, "answer": "",
            }  # fmt: skip
            self.turns.append(self.open)
            self.done_at, self.done = None if wanted else self.done_at, None

    def answer(self, fact: Fact) -> None:
        """Somebody of the brand answers."""
        self.to_settle = True
        self.quiet_since = fact.at
        if fact.marks & Mark.TO_DM or fact.kind is Kind.MESSAGED:
            self.channel = "DM"
        elif fact.marks & Mark.TO_EMAIL:
            self.channel = "EMAIL"
        if self.open is not None:
            self.open["answer"] = fact.id
            self.end("ANSWERED", fact)
            self.answered_before = True

    def end(self, how: str, fact: Fact) -> None:
        """The wait is over."""
        if self.open is not None:
            self.open |= {"end": how, "ended": fact.at}
            self.open = None
