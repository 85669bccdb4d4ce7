"""Counts of what came out of the queues: what the demo's live view shows, and what adds up at its end."""

from __future__ import annotations

from collections import Counter, deque
from statistics import median
from typing import Any

import msgspec

from pipeline.dead import DeadLetter
from pipeline.posts import Queue
from pipeline.routed import RoutedPost

NEWEST = 8
"""So many of the newest posts are kept to be shown."""


class Tally:
    """Fed with routed records and dead letters in the order in which they are read; doubles are counted once."""

    def __init__(self) -> None:
        self.queues: Counter[Queue] = Counter()
        self.brands: Counter[str] = Counter()
        self.dead: Counter[str] = Counter()
        self.newest: deque[RoutedPost] = deque(maxlen=NEWEST)
        self.doubles = 0
        self._latencies: dict[Queue, list[float]] = {queue: [] for queue in Queue}
        self._waiting: dict[tuple[str, str], Queue] = {}
        self._seen: set[str] = set()
        self._sources: set[tuple[int, int]] = set()

    @property
    def rows(self) -> int:
        """Records of `tweets` that are in a queue, in posts.own or among the dead letters."""
        return len(self._sources)

    def add_routed(self, routed: RoutedPost, latency_s: float) -> None:
        """Count a record; `latency_s` is from the input's Kafka timestamp to the output's."""
        if self._is_double(routed.event_id, (routed.source.partition, routed.source.offset)):
            return
        self.queues[routed.queue] += 1
        self.brands[routed.brand] += 1
        self._latencies[routed.queue].append(latency_s)
        self.newest.append(routed)
        self._note_turn(routed)

    def add_dead(self, letter: DeadLetter) -> None:
        """Count a dead letter."""
        if not self._is_double(letter.id, (letter.partition, letter.offset)):
            self.dead[letter.reason.value] += 1

    def waiting(self) -> Counter[Queue]:
        """Customers whose last post in a queue no account of the brand has answered yet."""
        return Counter(self._waiting.values())

    def latency(self, queue: Queue | None = None, share: float = 0.5) -> float | None:
        """A quantile of the latencies in seconds, of one queue or of all; None before the first."""
        values = self._latencies[queue] if queue is not None else [v for some in self._latencies.values() for v in some]
        if not values:
            return None
        return median(values) if share == 0.5 else sorted(values)[min(len(values) - 1, int(share * len(values)))]

    def as_json(self, posts: int) -> str:
        """One line for programs; latencies in ms."""
        ms = {name: round(1000 * (self.latency(share=share) or 0), 1) for name, share in QUANTILES.items()}
        found: dict[str, Any] = {
            "posts": posts,
            "queues": {queue.value: self.queues[queue] for queue in Queue if queue is not Queue.OWN},
            "own": self.queues[Queue.OWN],
            "dead": dict(self.dead),
            "brands": dict(self.brands),
            "latency_ms": ms,
        }
        return msgspec.json.encode(found).decode()

    def _is_double(self, identity: str, source: tuple[int, int]) -> bool:
        self._sources.add(source)
        if identity in self._seen:
            self.doubles += 1
            return True
        self._seen.add(identity)
        return False

    def _note_turn(self, routed: RoutedPost) -> None:
        if routed.queue is Queue.OWN:
            self._waiting.pop((routed.brand, routed.parent_author_id or ""), None)
        elif routed.queue is not Queue.ENGAGEMENT:
            self._waiting[routed.brand, routed.author.external_id] = routed.queue


QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
