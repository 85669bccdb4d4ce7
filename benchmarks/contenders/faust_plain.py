"""A plain Faust agent: one event a post, stock scikit-learn, each send awaited."""

from __future__ import annotations

import sys
from pathlib import Path
from time import time
from typing import Any

import faust

from benchmarks.contenders.stock import StockClassifier
from pipeline import settings as settings_module
from pipeline.decode import decode
from pipeline.posts import Post
from pipeline.route import Place, Router, topic_of
from pipeline.topics import TWEETS


def main(file: str) -> None:
    """Until SIGTERM."""
    settings = settings_module.load(Path(file))
    app = faust.App(
        settings.worker.group,
        broker=f"kafka://{settings.kafka.bootstrap_servers[0]}",
        value_serializer="raw",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        datadir="/tmp/faust-plain",
    )
    classifier = StockClassifier()
    router = Router(settings, classifier.model)
    source = app.topic(settings.topics.name(TWEETS), value_serializer="raw", key_serializer="raw")

    @app.agent(source)
    async def _(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            [post] = decode([message.value], [int(message.timestamp * 1000)])
            assert isinstance(post, Post)
            [verdict] = classifier.classify([post])
            place = Place(message.topic, message.partition, message.offset, int(message.timestamp * 1000))
            for out in router.route(post, verdict, place, int(time() * 1000)):
                topic = settings.topics.name(topic_of(out.queue))
                await app.producer.send_and_wait(topic, out.key, out.value, out.partition, None, dict(out.headers))

    sys.argv = ["faust", "worker", "--loglevel=warn", "--without-web"]
    app.main()


if __name__ == "__main__":
    main(sys.argv[1])
