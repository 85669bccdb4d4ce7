"""The hand-written loop: confluent-kafka, batches, stock scikit-learn, and the same routed record."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from time import time
from typing import Any

from confluent_kafka import Consumer, Producer

from benchmarks.contenders.stock import StockClassifier
from pipeline import settings as settings_module
from pipeline.decode import decode
from pipeline.posts import Post, Queue
from pipeline.route import Place, Router, topic_of
from pipeline.settings import Settings
from pipeline.topics import TWEETS

BATCH = 2000


def main(file: str, classifier: StockClassifier) -> None:
    """Until SIGTERM."""
    settings = settings_module.load(Path(file))
    consumer, producer = _clients(settings)
    router = Router(settings, classifier.model)
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    consumer.subscribe([settings.topics.name(TWEETS)])
    while running:
        messages = consumer.consume(BATCH, 0.05)
        if messages:
            _triage(messages, classifier, router, settings, producer)
            producer.flush()
            consumer.commit(asynchronous=True)
    consumer.close()


def _triage(
    messages: list[Any], classifier: StockClassifier, router: Router, settings: Settings, producer: Producer
) -> None:
    now = int(time() * 1000)
    decoded = decode([message.value() for message in messages], [message.timestamp()[1] for message in messages])
    posts = [post for post in decoded if isinstance(post, Post)]
    names = {queue: settings.topics.name(topic_of(queue)) for queue in Queue}
    for message, post, verdict in zip(messages, posts, classifier.classify(posts), strict=True):
        place = Place(message.topic(), message.partition(), message.offset(), message.timestamp()[1])
        for out in router.route(post, verdict, place, now):
            producer.produce(names[out.queue], out.value, out.key, out.partition, headers=out.headers)
        producer.poll(0)


def _clients(settings: Settings) -> tuple[Consumer, Producer]:
    servers = ",".join(settings.kafka.bootstrap_servers)
    reading = {
        "group.id": settings.worker.group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "queued.max.messages.kbytes": 65_536,
    }
    writing = {
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 5,
        "batch.size": 900_000,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 500_000,
    }
    return Consumer({"bootstrap.servers": servers} | reading), Producer({"bootstrap.servers": servers} | writing)


if __name__ == "__main__":
    main(sys.argv[1], StockClassifier())
