"""Latency at a steady rate: from the input's Kafka timestamp to the routed record's."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime

import msgspec
from kafka import TopicPartition

from agents import clients
from benchmarks.arena import Arena, Outputs
from benchmarks.feed import Feeder
from pipeline.routed import RoutedPost
from pipeline.settings import Settings
from pipeline.topics import QUEUE_TOPICS

FIRST = 200
"""The first posts wait for the group and for the feeder's connection; they are not counted."""


def latencies(arena: Arena, rates: Mapping[str, float], *, seconds: float) -> dict[str, dict[str, float]]:
    """p50, p99 and p99.9 in ms for each rate; one worker, or two where one would not do."""
    return {name: _at(arena, rate, seconds, 2 if name == "half" else 1) for name, rate in rates.items()}


def _at(arena: Arena, rate: float, seconds: float, workers: int) -> dict[str, float]:
    settings, file = arena.settings()
    command = [sys.executable, "-m", "agents", "--settings", str(file), "worker"]
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(workers)]
    try:
        with Feeder(settings) as feeder:
            feeder.feed(FIRST, rate=100)
            _wait(settings, FIRST)
            count = feeder.feed(int(rate * seconds), rate=rate)
        _wait(settings, FIRST + count)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)
    return _quantiles(_measured(settings))


def _wait(settings: Settings, count: int) -> None:
    outputs = Outputs(settings)
    deadline = time.monotonic() + 120
    while outputs.count() < count and time.monotonic() < deadline:
        time.sleep(0.1)
    outputs.close()


def _measured(settings: Settings) -> list[float]:
    """In ms, without the first posts."""
    consumer = clients.consumer(settings.kafka)
    tps = [
        TopicPartition(settings.topics.name(name), part)
        for name in QUEUE_TOPICS
        for part in range(settings.topics.partitions)
    ]
    consumer.assign(tps)
    consumer.seek_to_beginning(*tps)
    ends = consumer.end_offsets(tps)
    decoder = msgspec.json.Decoder(RoutedPost)
    found = []
    while any(consumer.position(tp) < ends[tp] for tp in tps):
        for records in consumer.poll(timeout_ms=500, max_records=5000).values():
            for record in records:
                at = datetime.fromisoformat(decoder.decode(record.value).ingested_at).timestamp() * 1000
                found.append((at, record.timestamp - at))
    consumer.close()
    return [latency for _, latency in sorted(found)[FIRST:]]


def _quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        name: ordered[min(len(ordered) - 1, int(share * len(ordered)))]
        for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
    }
