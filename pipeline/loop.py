"""What came of posts on their whole way: heard, routed, answered, posted, and clocks stopped by what X showed."""

from __future__ import annotations

from statistics import median
from typing import Any

import msgspec

from pipeline.replies import Reply
from pipeline.responses import ReplyState, Response
from pipeline.tally import Tally


class Loop:
    """Fed with what is asked and with the records of `responses`, in whatever order they come."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.published = 0
        """Posts of the crowd."""
        self.heard = 0
        """Posts that X has sent to the listener, the brands' own among them."""
        self.routed: set[str] = set()
        """Posts in the queues, and in posts.own."""
        self.asked: dict[str, Reply] = {}
        self.outcomes: dict[str, str] = {}
        """By answer: posted, failed, held or unknown."""
        self.not_posted: dict[str, str] = {}
        """Why, by answer."""
        self._on_x: dict[str, str] = {}
        self._stopped: dict[tuple[str, str], tuple[str, bool, float]] = {}

    def add_response(self, response: Response) -> None:
        """Take an outcome of an answer, or a turn that was answered."""
        reply, turn = response.reply, response.turn
        if reply is not None and reply.id in self.asked:
            self._add_outcome(reply)
        elif turn is not None and turn.state == "answered" and turn.answer_id and turn.wait_s is not None:
            self._stopped[response.brand, turn.post_id] = turn.answer_id, turn.first, turn.wait_s

    def _add_outcome(self, reply: ReplyState) -> None:
        self.outcomes[reply.id] = reply.state
        self.not_posted.pop(reply.id, None)
        if reply.state != "posted":
            self.not_posted[reply.id] = ": ".join(filter(None, (reply.state, reply.reason, reply.detail)))
        if reply.answer_id is not None:
            self._on_x[reply.answer_id] = reply.id

    @property
    def posted(self) -> int:
        """Answers that are on X."""
        return sum(outcome == "posted" for outcome in self.outcomes.values())

    @property
    def stopped(self) -> int:
        """Clocks that were stopped by an answer that went the whole way: to X, and back through the listener."""
        return len({answer for answer, _, _ in self._stopped.values() if answer in self._on_x})

    @property
    def first_response_s(self) -> float | None:
        """The median first response, of those that went the whole way; None: there is none."""
        waits = [wait for answer, first, wait in self._stopped.values() if first and answer in self._on_x]
        return median(waits) if waits else None

    @property
    def settled(self) -> bool:
        """Whether nothing is under way: all that X sent is routed, what is on X has stopped its clock."""
        told = len(self.outcomes) == len(self.asked)
        return len(self.routed) >= self.heard and told and self.stopped >= self.posted

    def counts(self) -> dict[str, Any]:
        """All of it, for programs."""
        first = self.first_response_s
        return {
            "published": self.published,
            "heard": self.heard,
            "routed": len(self.routed),
            "asked": len(self.asked),
            "answered": self.posted,
            "not_posted": self.not_posted,
            "clocks_stopped": self.stopped,
            "median_first_response_s": None if first is None else round(first, 3),
        }

    def as_json(self) -> str:
        """One line."""
        queues = msgspec.json.decode(self.tally.as_json(len(self.routed)))
        return msgspec.json.encode(self.counts() | queues).decode()
