"""A post's routed record, where it still stands in its queue, for commands that look."""

from __future__ import annotations

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from pipeline.facts import QUEUES, Fact, whereabouts
from pipeline.route import topic_of
from pipeline.routed import RoutedPost
from pipeline.settings import Settings

WITHIN_MS = 5_000
_routed = msgspec.json.Decoder(RoutedPost).decode


def read_routed(consumer: KafkaConsumer, settings: Settings, partition: int, fact: Fact) -> RoutedPost | None:
    """The record of a customer's post; None: it is not there any more, or this user may not read it."""
    if fact.place < 0:
        return None
    partition, offset = whereabouts(fact.place, partition)
    tp = TopicPartition(settings.topics.name(topic_of(QUEUES[fact.queue])), partition)
    try:
        consumer.assign([tp])
        if offset < consumer.beginning_offsets([tp])[tp]:
            return None
        consumer.seek(tp, offset)
        found = consumer.poll(timeout_ms=WITHIN_MS, max_records=1).get(tp, [])
    except KafkaError:
        return None
    if not found or found[0].offset != offset:
        return None
    try:
        return _routed(found[0].value or b"")
    except msgspec.DecodeError:
        return None
