"""Quix Streams: one message at a time, stock scikit-learn."""

from __future__ import annotations

import sys
from pathlib import Path
from time import time
from typing import Any

from quixstreams import Application, message_context

from benchmarks.contenders.stock import StockClassifier
from pipeline import settings as settings_module
from pipeline.decode import decode
from pipeline.posts import Post, Queue
from pipeline.route import Place, Router, topic_of
from pipeline.topics import TWEETS


def main(file: str) -> None:
    """Until SIGTERM."""
    settings = settings_module.load(Path(file))
    application = Application(
        broker_address=",".join(settings.kafka.bootstrap_servers),
        consumer_group=settings.worker.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        producer_extra_config={"linger.ms": 5, "batch.size": 900_000, "compression.type": "lz4"},
        loglevel="WARNING",
    )
    classifier = StockClassifier()
    router = Router(settings, classifier.model)

    def triage(value: bytes, key: Any, timestamp: int, _: Any) -> Any:  # noqa: ARG001 - Quix's signature
        context = message_context()
        [post] = decode([value], [timestamp])
        assert isinstance(post, Post)
        [verdict] = classifier.classify([post])
        place = Place(context.topic, context.partition, context.offset, timestamp)
        return router.route(post, verdict, place, int(time() * 1000))[0]

    source = application.topic(settings.topics.name(TWEETS), value_deserializer="bytes", key_deserializer="bytes")
    frame = application.dataframe(source).apply(triage, metadata=True)
    frame = frame.set_headers(lambda out, *_: out.headers)
    for queue in Queue:
        topic = application.topic(
            settings.topics.name(topic_of(queue)), value_serializer="bytes", key_serializer="bytes"
        )
        part = frame.filter(lambda out, queue=queue: out.queue is queue)
        part.apply(lambda out: out.value).to_topic(topic)
    application.run()


if __name__ == "__main__":
    main(sys.argv[1])
