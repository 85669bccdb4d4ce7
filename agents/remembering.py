"""What stands in `tweets` since a time, so that a listener that starts knows what has come already."""

from __future__ import annotations

from collections.abc import Callable

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from agents import clients
from pipeline.brands import Brands
from pipeline.errors import BrokerError, TopicsError
from pipeline.intake import is_new, take
from pipeline.seen import Seen
from pipeline.settings import Settings
from pipeline.topics import TWEETS


def remember(settings: Settings, since: float, seen: Seen) -> int:
    """Read the posts that Kafka took from `since` on (seconds since 1970) into `seen`; how many there were.

    Raises:
        TopicsError: there is no topic `tweets`.
        BrokerError: the broker does not answer.
    """
    consumer: KafkaConsumer = clients.consumer(settings.kafka)
    try:
        return _read(consumer, settings, round(since * 1000), seen)
    except KafkaError as error:
        raise BrokerError(f"tweets cannot be read ({error!r}): check the broker, and the right to read it") from error
    finally:
        consumer.close()


def _read(consumer: KafkaConsumer, settings: Settings, since_ms: int, seen: Seen) -> int:
    topic = settings.topics.name(TWEETS)
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise TopicsError(f"{topic} does not exist, or this user may not see it: run `triage topics create`")
    tps = [TopicPartition(topic, number) for number in sorted(numbers)]
    consumer.assign(tps)
    ends = consumer.end_offsets(tps)
    starts = consumer.offsets_for_times(dict.fromkeys(tps, since_ms))
    share = settings.listener.remembered_posts // len(tps)
    for tp in tps:
        found = starts.get(tp)
        consumer.seek(tp, ends[tp] if found is None else max(found.offset, ends[tp] - share))
    return _until(consumer, ends, Brands(settings.brands), seen)


def _until(consumer: KafkaConsumer, ends: dict[TopicPartition, int], brands: Brands, seen: Seen) -> int:
    count = 0
    left: Callable[[], bool] = lambda: any(consumer.position(tp) < end for tp, end in ends.items())  # noqa: E731
    while left():
        for records in consumer.poll(timeout_ms=500).values():
            for record in records:
                is_new(take(record.value or b"", brands), seen)
                count += 1
    return count
