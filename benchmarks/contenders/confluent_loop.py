"""The hand-written loop: confluent-kafka, batches, stock scikit-learn, and the same routed record."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from time import time

from confluent_kafka import Consumer, Producer

from benchmarks.contenders.stock import StockClassifier
from pipeline import settings as settings_module
from pipeline.decode import decode
from pipeline.posts import Post
from pipeline.route import Place, Router, topic_of
from pipeline.topics import TWEETS

BATCH = 2000


def main(file: str) -> None:
    """Until SIGTERM."""
    settings = settings_module.load(Path(file))
    servers = ",".join(settings.kafka.bootstrap_servers)
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": settings.worker.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.min.bytes": 1,
            "queued.max.messages.kbytes": 65536,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 5,
            "batch.size": 900_000,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 500_000,
        }
    )
    classifier = StockClassifier()
    router = Router(settings, classifier.model)
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    consumer.subscribe([settings.topics.name(TWEETS)])
    while running:
        messages = consumer.consume(BATCH, 0.05)
        if not messages:
            continue
        now = int(time() * 1000)
        decoded = decode([message.value() for message in messages], [message.timestamp()[1] for message in messages])
        posts = [post for post in decoded if isinstance(post, Post)]
        for message, post, verdict in zip(messages, posts, classifier.classify(posts), strict=True):
            place = Place(message.topic(), message.partition(), message.offset(), message.timestamp()[1])
            for out in router.route(post, verdict, place, now):
                producer.produce(
                    settings.topics.name(topic_of(out.queue)), out.value, out.key, out.partition, headers=out.headers
                )
            producer.poll(0)
        producer.flush()
        consumer.commit(asynchronous=True)
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1])
