"""`replies.log`: how far each answer is, read when the work is taken over, written before each step."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from kafka import KafkaConsumer

from agents import clients
from pipeline.kept import Key
from pipeline.outbox import Route, call_route
from pipeline.posting import Entry, State, decode, encode
from pipeline.replies import Reply
from pipeline.request_counts import RequestCount


class ReplyLog:
    """What stands in replies.log, by answer.

    Args:
        write: sends key and value to the topic, and returns when they are acknowledged.
        settle_ms: a call may reach X so long after it was made.
    """

    def __init__(self, write: Callable[[bytes, bytes], None], *, settle_ms: int) -> None:
        self._write = write
        self._settle_ms = settle_ms
        self.entries: dict[str, Entry] = {}
        self.taken: set[str] = set()
        """The ids on X that are answers of ours."""
        self._conversations: dict[tuple[str, str, str], set[str]] = {}
        self._posts: dict[tuple[str, str], set[str]] = {}
        self._counts: dict[Route, RequestCount] = {}

    def read(self, consumer: KafkaConsumer, topic: str) -> None:
        """Read it all; what was known before is forgotten."""
        newest: dict[
            tuple[int, bytes], Entry
        ] = {}  # by partition: where topics have grown, the old one has a tombstone
        for record in clients.stored(consumer, topic):
            place = record.partition, record.key or b""
            if record.value is None:
                newest.pop(place, None)
                continue
            try:
                newest[place] = decode(record.value)
            except msgspec.DecodeError:  # not ours; there is nothing to be known from it
                continue
        self.entries, self.taken, self._counts = {}, set(), {}
        self._conversations, self._posts = {}, {}
        for entry in sorted(newest.values(), key=lambda one: one.at):
            self._take(entry)
            if entry.state is State.POSTED and entry.remaining is not None:
                self.count(entry).answered(
                    entry.remaining, entry.reset_at, 0
                )  # only what is answered from now on shows
            elif entry.state is State.SENDING:
                self.count(entry).doubt(entry.id, entry.at)

    def write(self, entry: Entry) -> None:
        """Write an entry; returns when the broker has acknowledged it."""
        self._write(entry.id.encode(), encode(entry))
        self._take(entry)

    def count(self, entry: Entry) -> RequestCount:
        """X's count of calls such as this answer's."""
        return self._counts.setdefault(call_route(entry), RequestCount(self._settle_ms))

    def of(self, reply: Reply, whose: Key) -> list[Entry]:
        """The answers to a post, and all others in its conversation, by the brand of a reply."""
        to_it = self._posts.get((reply.brand, reply.parent or ""), set())
        there = self._conversations.get((reply.brand, whose.customer, whose.conversation), set())
        return [self.entries[one] for one in to_it | there]

    def _take(self, entry: Entry) -> None:
        self.entries[entry.id] = entry
        if entry.answer_id:
            self.taken.add(entry.answer_id)
        if entry.customer:
            key = (entry.brand, entry.customer, entry.conversation_id)
            self._conversations.setdefault(key, set()).add(entry.id)
        if entry.post_id:
            self._posts.setdefault((entry.brand, entry.post_id), set()).add(entry.id)
