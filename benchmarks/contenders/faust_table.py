"""A plain Faust agent for each topic and one table: one event at a time, responses and states sent as Faust does it.

Nothing waits for the broker here (waiting for each response, it does 65 a second): Faust flushes before it commits.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import faust

from benchmarks.contenders.books import Books
from pipeline import settings as settings_module
from pipeline.settings import Settings
from pipeline.topics import OWN, QUEUE_TOPICS, RESPONSES


def main(file: str) -> None:
    """Until SIGTERM."""
    settings = settings_module.load(Path(file))
    app = _app(settings)
    books = Books(settings)
    table: Any = app.Table("waits", partitions=settings.topics.partitions, key_type=bytes, value_type=bytes)
    table.key_serializer = table.value_serializer = "raw"
    responses = settings.topics.name(RESPONSES)

    async def keep(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            key, heard = books.heard(message.value, message.offset)
            name = key.encoded()
            taken = books.take(key, heard, table.get(name))
            for out in taken.outputs:
                headers = dict(out.headers)
                await app.producer.send(responses, out.key, out.value, message.partition, None, headers)
            table[name] = taken.state

    for topic in (QUEUE_TOPICS[0], OWN):
        source = app.topic(settings.topics.name(topic), value_serializer="raw", key_serializer="raw")
        app.agent(source, name=topic)(keep)
    sys.argv = ["faust", "worker", "--loglevel=warn", "--without-web"]
    app.main()


def _app(settings: Settings) -> faust.App:
    return faust.App(
        settings.responses.group,
        broker=f"kafka://{settings.kafka.bootstrap_servers[0]}",
        value_serializer="raw",
        web_enabled=False,
        topic_partitions=settings.topics.partitions,  # and declared: the changelog must be there
        topic_disable_leader=True,
        table_standby_replicas=0,
        datadir="/tmp/faust-table",
    )


if __name__ == "__main__":
    main(sys.argv[1])
