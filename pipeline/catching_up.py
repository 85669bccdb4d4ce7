"""A restored state, brought to where it was lost: facts that came since are heard again, and what was told is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.desk import read_word, said
from pipeline.errors import BadMessage
from pipeline.heard import Heard, dated, message, retraction, routed
from pipeline.policies import Policies
from pipeline.posts_clock import PostsClock
from pipeline.retold import Retold, take_over
from pipeline.topics import DESK, KEYED, MESSAGES, RETRACTIONS
from pipeline.waits import Waits


class Input(NamedTuple):
    """A record that the responses worker had read; `topic` as declared."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: bytes | None


class CatchingUp:
    """Books of all partitions; nothing is told, for it was. The result depends on nothing but what is put in.

    Args:
        policies: the brands' rules.
        wall: no earlier than the last input, in ms.
    """

    def __init__(self, policies: Policies, wall: int) -> None:
        self._policies = policies
        self._wall = wall
        self._clock = PostsClock()
        self.books: dict[int, Waits] = {}

    def load(self, partition: int, key: bytes, value: bytes, timestamp: int) -> None:
        """Take a record of the backup."""
        self._of(partition).load(key, value, timestamp)

    def loaded(self) -> None:
        """All of them were taken."""
        for books in self.books.values():
            books.loaded()

    def hear(self, inputs: Iterable[Input]) -> None:
        """Take what came since, in the order of each partition."""
        facts: dict[int, list[Heard]] = {}
        for one in inputs:
            found = self._fact(one)
            if found is not None:
                facts.setdefault(one.partition, []).append(dated(found, one.timestamp))
        for partition, some in facts.items():
            self._of(partition).hear(some, self._wall)

    def told(self, partition: int, told: Iterable[Retold]) -> None:
        """Take what was told since the partition's mark: that stays said."""
        take_over(self._of(partition), told)

    def states(self) -> Mapping[tuple[int, bytes], bytes]:
        """By partition and key."""
        return {
            (partition, key): value for partition, books in self.books.items() for key, value in books.states.items()
        }

    def _of(self, partition: int) -> Waits:
        if partition not in self.books:
            self.books[partition] = Waits(self._policies, self._clock)
        return self.books[partition]

    def _fact(self, one: Input) -> Heard | None:
        """What it says of a wait; words to be keyed, and posts that a move writes again, have records of their own."""
        try:
            if one.topic == MESSAGES:
                return message(one.value, self._policies)
            if one.topic == RETRACTIONS:
                return retraction(one.value)
            if one.topic == KEYED:
                return said(read_word(one.value))
            return None if one.topic == DESK else routed(one.value, one.offset, self._policies)
        except BadMessage:
            return None
