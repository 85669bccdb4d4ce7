"""Reads a contender's outputs back and checks them, in the peers' environment, whose client reads every compression.

`-m benchmarks.read_back SETTINGS [--same-model]` prints one JSON object; `read_back` runs it so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks.check import Checked, Expected, Output, check
from models.classifier import StageClassifier
from pipeline import settings as settings_module
from pipeline.settings import Settings
from pipeline.topics import QUEUE_TOPICS, TWEETS

ROOT = Path(__file__).parents[1]
SAME_MODEL = "--same-model"


def read_back(python: Path, file: Path, *, same_model: bool) -> Checked:
    """Check all that a contender with these settings wrote; `same_model`: its verdicts must be the worker's too."""
    options = [SAME_MODEL] if same_model else []
    command = [str(python), "-m", "benchmarks.read_back", str(file), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment, cwd=ROOT)
    return msgspec.json.decode(done.stdout, type=Checked)


def main(file: str, *, same_model: bool) -> Checked:
    """Compare each record on the broker with the one that ought to stand there."""
    settings = settings_module.load(Path(file))
    inputs = {(one.partition, one.offset): (one.value, one.timestamp) for one in read(settings, [TWEETS])}
    ours = StageClassifier.load(settings.model) if same_model else None
    outputs = (
        Output(one.topic, one.partition, one.key, one.value, one.headers) for one in read(settings, QUEUE_TOPICS)
    )
    return check(Expected(settings, inputs, ours), outputs)


class Read(msgspec.Struct):
    """One record as it stands on the broker."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def read(settings: Settings, names: Sequence[str]) -> Iterator[Read]:
    """Every record of some topics, from beginning to end."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition  # only the peers have it

    servers = ",".join(settings.kafka.bootstrap_servers)
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "read_back", "enable.auto.commit": False})
    topics = [settings.topics.name(name) for name in names]
    partitions = range(settings.topics.partitions)
    tps = [TopicPartition(topic, number, OFFSET_BEGINNING) for topic in topics for number in partitions]
    left = sum(consumer.get_watermark_offsets(tp)[1] for tp in tps)
    consumer.assign(tps)
    while left > 0:
        for one in consumer.consume(5000, 1.0):
            if one.error():
                raise KafkaException(one.error())
            left -= 1
            place = (one.topic(), one.partition(), one.offset(), one.timestamp()[1])
            yield Read(*place, one.key(), one.value(), one.headers() or [])
    consumer.close()


if __name__ == "__main__":
    print(msgspec.json.encode(main(sys.argv[1], same_model=SAME_MODEL in sys.argv)).decode())
