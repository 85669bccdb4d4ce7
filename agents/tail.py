"""`triage tail`: what a helpdesk would read from a queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import msgspec
from kafka import KafkaConsumer, TopicPartition

from agents import clients
from agents.interrupts import Interrupts
from pipeline.errors import TopicsError
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
    """One routed record as a line: time, priority, brand, deadline, confidence, who and what."""
    routed = _decode(value)
    due = f"due {routed.deadline_at[11:16]}" if routed.deadline_at else "no deadline"
    sure = f"{routed.classification.stage.value} {routed.classification.confidence:.2f}"
    return f"{routed.created_at[11:19]} {routed.priority.value:6} {routed.brand} {due}, {sure}  {routed.subject}"


def _stored(consumer: KafkaConsumer, topic: str) -> Iterator[bytes]:
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise TopicsError(f"{topic} does not exist: run `triage topics create`")
    tps = [TopicPartition(topic, number) for number in sorted(numbers)]
    consumer.assign(tps)
    consumer.seek_to_beginning(*tps)
    ends = consumer.end_offsets(tps)
    found = []
    while any(consumer.position(tp) < ends[tp] for tp in tps):
        for records in consumer.poll(timeout_ms=500).values():
            found += [(record.timestamp, record.value) for record in records]
    return iter([value for _, value in sorted(found)])


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
