"""Invented people of a helpdesk: after a moment they answer some of those who wait."""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random

from pipeline.posts import Queue
from pipeline.replies import Reply
from pipeline.routed import RoutedPost

ANSWERED = frozenset({Queue.REACTIVE, Queue.PROACTIVE, Queue.REVIEW})
SHARE = 0.2
"""Of those who wait, so many get an answer ..."""
THINKING_S = (0.5, 3.0)
"""... after so long."""
WORDS = (
    "Hi {name}, sorry about that. We look into it at once.",
    "Thank you for telling us, {name}. A colleague takes care of it today.",
    "That should not happen, {name}. We are on it and come back to you here.",
    "Hello {name}, we have found the cause and it is being mended.",
)


class Helpdesk:
    """Takes what stands in the queues and says, when it is time, what is answered.

    Args:
        chance: who is answered, when, and how.
    """

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._thinking: list[tuple[float, str, RoutedPost]] = []
        self._known: set[tuple[str, str]] = set()
        self._unsaid: dict[tuple[str, str], list[str]] = {}

    def read(self, routed: RoutedPost, now: float) -> None:
        """A post in a queue; of a conversation one post at most is answered. `now` in seconds, of any clock."""
        conversation = routed.brand, routed.conversation_id
        wanted = routed.queue in ANSWERED and routed.reply_allowed and routed.event_type == "routed"
        if not wanted or conversation in self._known:
            return
        self._known.add(conversation)
        if self._chance.random() < SHARE:
            heappush(self._thinking, (now + self._chance.uniform(*THINKING_S), routed.event_id, routed))

    def due(self, now: float, at: str) -> list[Reply]:
        """The answers whose time has come; `at` is the time that they bear."""
        found = []
        while self._thinking and self._thinking[0][0] <= now:
            _, identity, routed = heappop(self._thinking)
            if (words := self._words(routed)) is not None:
                found.append(_answer(identity, routed, words, at))
        return found

    @property
    def idle(self) -> bool:
        """Whether nobody is thinking."""
        return not self._thinking

    def _words(self, routed: RoutedPost) -> str | None:
        """What this person has not heard from this brand yet: X refuses a text that it has already. None: all heard."""
        unsaid = self._unsaid.setdefault((routed.brand, routed.author.external_id), list(WORDS))
        return unsaid.pop(self._chance.randrange(len(unsaid))) if unsaid else None


def _answer(identity: str, routed: RoutedPost, words: str, at: str) -> Reply:
    name = routed.author.name or routed.author.handle or "there"
    return Reply(
        identity, "reply", routed.brand, words.format(name=name[:40]), at, routed.external_id,
        routed.author.external_id, routed.conversation_id, routed.reply_allowed, by="demo",
        partition=routed.source.partition,
    )  # fmt: skip
