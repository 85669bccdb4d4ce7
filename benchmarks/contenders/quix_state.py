"""Quix Streams: both topics as one dataframe, one message at a time, the state in its RocksDB with a changelog."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from quixstreams import Application, message_context

from benchmarks.contenders.books import Books, Output
from pipeline import settings as settings_module
from pipeline.settings import Settings
from pipeline.topics import OWN, QUEUE_TOPICS, RESPONSES


def main(file: str) -> None:
    """Until SIGTERM."""
    settings = settings_module.load(Path(file))
    application = _application(settings, tempfile.mkdtemp(dir=Path(file).parent))
    books = Books(settings)

    def keep(value: bytes, *rest: Any) -> list[Output]:  # Quix adds key, timestamp, headers and state
        state = rest[-1]  # of the message's key, which is the customer
        key, heard = books.heard(value, message_context().offset)
        name = f"{key.brand}\x1f{key.conversation}"
        taken = books.take(key, heard, state.get_bytes(name))
        state.set_bytes(name, taken.state)
        return taken.outputs

    questions, answers = (
        application.topic(settings.topics.name(name), value_deserializer="bytes", key_deserializer="bytes")
        for name in (QUEUE_TOPICS[0], OWN)
    )
    frame = application.dataframe(questions).concat(application.dataframe(answers))
    frame = frame.apply(keep, stateful=True, metadata=True, expand=True)
    frame = frame.set_headers(lambda out, *_: out.headers)
    responses = application.topic(settings.topics.name(RESPONSES), value_serializer="bytes", key_serializer="bytes")
    frame.apply(lambda out: out.value).to_topic(responses)  # the key stays, and by it the partition
    application.run()


def _application(settings: Settings, folder: str) -> Application:
    return Application(
        broker_address=",".join(settings.kafka.bootstrap_servers),
        consumer_group=settings.responses.group,
        auto_offset_reset="earliest",
        producer_extra_config={"linger.ms": 5, "batch.size": 900_000, "compression.type": "lz4"},
        state_dir=folder,
        loglevel="WARNING",
    )


if __name__ == "__main__":
    main(sys.argv[1])
