"""What the poster tells: events in `responses`, dead letters in `replies.dead`; acknowledged when a call returns."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from agents.hashed import hashed
from agents.turns_seen import TurnsSeen
from pipeline import reply_events
from pipeline.dead import headers as dead_headers
from pipeline.errors import BadMessage
from pipeline.kept import Key
from pipeline.outbox import Item, Place
from pipeline.posting import Entry
from pipeline.replies import Whose, whose
from pipeline.reply_events import Event
from pipeline.route import Place as Source
from pipeline.settings import Settings
from pipeline.topics import REPLIES, REPLIES_DEAD, RESPONSES
from pipeline.traces import TRACE_HEADER, onward

Send = Callable[[str, bytes | None, bytes | None, list[tuple[str, bytes]], int | None], None]
"""Sends a record to a declared topic (key, value, headers, partition); returns when the broker has acknowledged it."""


class Outputs:
    """Tells helpdesks what came of answers.

    Args:
        settings: names, number of partitions.
        send: how a record goes out.
        turns: knows in which partition a customer's records are.
    """

    def __init__(self, settings: Settings, send: Send, turns: TurnsSeen) -> None:
        self._partitions = settings.topics.partitions
        self._grown = settings.topics.grown
        self._replies = settings.topics.name(REPLIES)
        self._send = send
        self._turns = turns
        self._onward = onward("poster", exporting=settings.traces.exported)

    def outcome(self, item: Item, entry: Entry, warnings: tuple[str, ...], asked_at: int) -> None:
        """What came of an answer, and where it failed, the answer itself."""
        key = item.whose  # a helpdesk may be mistaken in it
        reply = msgspec.structs.replace(
            item.reply, customer=key.customer or None, conversation_id=key.conversation or None
        )
        event = reply_events.outcome(reply, entry, warnings, self._turns.revision(key))
        self._tell(event, key, reply.partition, item.trace)
        if reply_events.is_dead(entry):
            why = reply_events.why(entry)
            self._dead(item.reply.id.encode(), item.value, item.places[0], why, asked_at, item.trace)

    def refusal(
        self,
        key: bytes | None,
        value: bytes | None,
        place: Place,
        error: BadMessage,
        timestamp: int,
        trace: bytes | None = None,
    ) -> Whose | None:
        """An answer that cannot be posted at all; whose it is, as far as it can be read."""
        known = whose(value)
        if known is not None:
            where = f"{place.topic}:{place.partition}:{place.offset}"
            named = Key(known.customer or "", known.brand, known.conversation_id or "")
            event = reply_events.refusal(known, error, timestamp, where, self._turns.revision(named))
            self._tell(event, named, known.partition, trace)
        self._dead(key, value, place, error, timestamp, trace)
        return known

    def _tell(self, event: Event, key: Key, named: int | None, trace: bytes | None) -> None:
        partition = self._turns.partition(key)
        if partition is None:
            fits = named is not None and 0 <= named < self._partitions and not self._grown
            partition = named if fits else hashed(event.key) % self._partitions
        headers = [*event.headers, *([] if trace is None else [(TRACE_HEADER, self._onward(trace))])]
        self._send(RESPONSES, event.key, event.value, headers, partition)

    def _dead(
        self,
        key: bytes | None,
        value: bytes | None,
        place: Place,
        error: BadMessage,
        timestamp: int,
        trace: bytes | None,
    ) -> None:
        where = Source(self._replies, place.partition, place.offset, timestamp, trace=trace)
        self._send(REPLIES_DEAD, key, value, dead_headers(error, where, "post"), None)
