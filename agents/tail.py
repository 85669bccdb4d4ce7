"""`triage tail`: what a helpdesk would read from a queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import msgspec
from kafka import KafkaConsumer

from agents import clients
from agents.interrupts import Interrupts
from agents.shown import shown
from pipeline.posts import Queue
from pipeline.route import topic_of
from pipeline.routed import RoutedPost
from pipeline.settings import Settings

_decode = msgspec.json.Decoder(RoutedPost).decode
KEPT_IDS = 100_000
"""So many event ids are kept, to show each event once."""


def tail(
    settings: Settings, queue: Queue, *, follow: bool, limit: int, as_json: bool, say: Callable[[str], None]
) -> None:
    """The newest records of a queue, oldest first; with `follow` also what comes, until Ctrl-C."""
    consumer = clients.consumer(settings.kafka)
    try:
        newest: deque[bytes] = deque(maxlen=limit)
        for value in _once(_stored(consumer, settings.topics.name(topic_of(queue)))):
            newest.append(value)
        for value in newest:
            say(value.decode() if as_json else line(value))
        with Interrupts() as interrupts:
            while follow:
                for value in _once(_polled(consumer)):
                    say(value.decode() if as_json else line(value))
                interrupts.check()
    finally:
        consumer.close()


def line(value: bytes) -> str:
    """One routed record as a line; times are UTC."""
    routed = _decode(value)
    due = f"due {_time(routed.deadline_at)[:-4]}Z" if routed.deadline_at else "no deadline"
    sure = f"{routed.classification.stage.value} {routed.classification.confidence:.2f}"
    changed = f" revision {routed.revision}" if routed.revision else ""
    when = shown(_time(routed.created_at))
    what = "(retracted)" if routed.event_type == "retracted" else routed.subject
    return f"{when} {routed.priority.value:6} {shown(routed.brand)} {shown(due)}, {sure}{changed}  {shown(what)}"


def _time(at: str) -> str:
    """Of an RFC 3339 time in UTC: day and time to the second."""
    return f"{at[5:10]} {at[11:19]}Z"


def _stored(consumer: KafkaConsumer, topic: str) -> Iterator[bytes]:
    """By when the posts were written, whichever partition they are in."""
    found = [(_decode(one.value).created_at, one.timestamp, one.value) for one in clients.stored(consumer, topic)]
    return iter([value for *_, value in sorted(found)])


def _polled(consumer: KafkaConsumer) -> Iterator[bytes]:
    for records in consumer.poll(timeout_ms=500).values():
        for record in records:
            yield record.value


def _once(values: Iterator[bytes]) -> Iterator[bytes]:
    seen: set[str] = set()
    for value in values:
        event = _decode(value).event_id
        if event not in seen:
            seen.add(event)
            yield value
