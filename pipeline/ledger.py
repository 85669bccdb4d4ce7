"""Which records are under way, and so which offset may be committed: never past one that is not done."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

P = TypeVar("P", bound=Hashable)


class Span:
    """Records of one partition that are under way together: offsets from `first` up to, not with, `end`.

    `since` is the Kafka timestamp of the first, in ms.
    """

    __slots__ = ("done", "end", "first", "since")

    def __init__(self, first: int, end: int, since: int) -> None:
        self.first = first
        self.end = end
        self.since = since
        self.done = False


class Ledger(Generic[P]):
    """The spans under way by partition, in the order in which they were read.

    Spans may be done in any order; `committable` only ever passes over those at the head. What lies between two spans
    (offsets that a compaction or a transaction marker left empty) is passed with the span that follows it.
    """

    def __init__(self) -> None:
        self._spans: dict[P, deque[Span]] = {}

    def open(self, partition: P, first: int, end: int, since: int = 0) -> Span:
        """Note that the records are under way; `span.done = True` ends it."""
        span = Span(first, end, since)
        self._spans.setdefault(partition, deque()).append(span)
        return span

    def committable(self, partition: P) -> int | None:
        """The offset up to which all is done, or None where nothing new is; passed spans are forgotten."""
        spans = self._spans.get(partition)
        offset = None
        while spans and spans[0].done:
            offset = spans.popleft().end
        return offset

    def partitions(self) -> list[P]:
        """The partitions with spans that are not committed."""
        return [partition for partition, spans in self._spans.items() if spans]

    def waiting_since(self, partition: P) -> int | None:
        """Kafka timestamp in ms of the oldest span that is not done, or None where all is."""
        return next((span.since for span in self._spans.get(partition, ()) if not span.done), None)

    def forget(self, partitions: Iterable[P]) -> None:
        """Drop what is under way: the partitions were taken away, or will be read again from the committed offset."""
        for partition in list(partitions):
            self._spans.pop(partition, None)
