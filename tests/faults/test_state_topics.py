"""The clocks must survive outages, compaction, deletion and disorder: the state is what the pure model says."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from aiokafka import AIOKafkaProducer
from arena import Arena, Result, Run, metrics_of, terminate, wait_for
from clocks import judge, start, wait_until_read
from fixtures import _results, arena, fault_broker, long, report
from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from story import StoryFeed, compare

from agents import clients
from agents.broker import Broker
from agents.waiting import find
from pipeline.topics import CONVERSATIONS, KEYED, QUEUE_TOPICS

pause = threading.Event().wait
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("seconds", [5, 60])
def test_broker_away(arena: Arena, fault_broker: Broker, report: list[Result], seconds: int, long: bool) -> None:
    """Scenario 4: the broker is away for a while; the worker goes on by itself after it.

    For longer than the 40 s after which Kafka's clients give up what is under way; and it does not fill the disk with
    what it says of it.
    """
    away = seconds if long else min(seconds, 48)
    run = arena.run(f"state-broker-{seconds}s")
    feed = StoryFeed(run.settings)
    worker = start(run)
    feed.tell(200)
    wait_for(lambda: compare(run.settings).answered > 0, within=60, what="the first answers are told")

    fault_broker.stop()
    pause(away)
    fault_broker.start()
    feed.tell(200)

    judge(run, report, feed)
    assert 0 == worker.returncode, "it did not go on by itself until it was stopped in order"
    assert len(run.said().splitlines()) < 50 + 10 * away


def test_after_compaction_and_deletion(arena: Arena, report: list[Result]) -> None:
    """Scenario 16: nothing lies on the worker's disk; with the topic compacted and the inputs deleted, all is there."""
    run = arena.run("state-compacted", partitions=2)
    feed = StoryFeed(run.settings)
    worker = start(run)
    _compact_soon(run)
    for _ in range(4):
        feed.tell(100)
        pause(1.5)
    wait_until_read(run)
    terminate(worker, within=25)
    before = compare(run.settings)  # not while it ticks: what is told would change between the reads

    pause(3.0)
    compacted = _first_offsets(run)
    _compact_soon(run, back=True)
    _delete_inputs(run)
    again = start(run)
    wait_for(lambda: "ready" in run.said(), within=60, what="the worker is ready")
    waiting = _waiting(run)

    assert before.wrong == []
    assert compacted, "no record of conversations was compacted away"
    assert waiting == _waiting(run, fresh=True)
    report.append(Result(run.scenario, before.conversations, before.conversations, 0, before.twice, 0.0, passed=True))
    assert again.poll() is None
    feed.end()
    run.end()


def test_empty_and_marked_partitions(arena: Arena, report: list[Result]) -> None:
    """Scenario 17: a partition without states, and one that ends in transaction markers, are read to their ends."""
    run = arena.run("state-markers", partitions=3)
    asyncio.run(_end_in_markers(run))
    feed = StoryFeed(run.settings)
    feed.tell(100)

    started = time.monotonic()
    start(run)

    judge(run, report, feed)
    assert time.monotonic() - started < 60


def test_another_order_and_twice(arena: Arena, report: list[Result]) -> None:
    """Scenario 18: late, doubled, before their question: answers count once, and no time is negative."""
    run = arena.run("state-disorder")
    feed = StoryFeed(run.settings, seed=8)
    start(run)
    for _ in range(3):
        feed.tell(150)

    judge(run, report, feed)


def _compact_soon(run: Run, *, back: bool = False) -> None:
    admin = clients.admin(run.settings.kafka)
    name = run.settings.topics.name(CONVERSATIONS)
    lag = "3600000" if back else "0"
    config = {"segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01", "min.compaction.lag.ms": lag}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, config)])
    admin.close()


def _first_offsets(run: Run) -> bool:
    """Whether records of conversations are missing in the middle: they were compacted away."""
    consumer = clients.consumer(run.settings.kafka)
    offsets: dict[int, list[int]] = {}
    for record in clients.stored(consumer, run.settings.topics.name(CONVERSATIONS)):
        offsets.setdefault(record.partition, []).append(record.offset)
    consumer.close()
    return any(found[-1] - found[0] >= len(found) or found[0] > 0 for found in offsets.values())


def _delete_inputs(run: Run) -> None:
    admin, consumer = clients.admin(run.settings.kafka), clients.consumer(run.settings.kafka)
    names = [run.settings.topics.name(topic) for topic in (*QUEUE_TOPICS, KEYED)]
    tps = [TopicPartition(name, part) for name in names for part in range(run.partitions)]
    admin.delete_records(consumer.end_offsets(tps))
    admin.close()
    consumer.close()


def _waiting(run: Run, *, fresh: bool = False) -> float:
    """How many wait, by the worker's gauges or by the topic."""
    if fresh:
        return float(find(run.settings, brand=None, queue=None, limit=1, now=int(time.time() * 1000)).number)
    pause(3.0)
    lines = [line for line in metrics_of(run).splitlines() if line.startswith("triage_waiting{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


async def _end_in_markers(run: Run) -> None:
    """Partition 0 of conversations ends in the marker of a transaction that came to nothing."""
    producer = AIOKafkaProducer(**clients.aiokafka(run.settings.kafka), transactional_id=run.scenario)
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(run.settings.topics.name(CONVERSATIONS), None, b"x\x1fy\x1fz", partition=0)
        await producer.commit_transaction()
    finally:
        await producer.stop()
