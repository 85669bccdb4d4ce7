"""The first id of a post whose edit is named: the state knows posts by it, a record's url shows the newest."""

from __future__ import annotations

import msgspec
from kafka import KafkaConsumer

from agents import clients
from pipeline.settings import Settings
from pipeline.topics import QUEUE_TOPICS


class _Names(msgspec.Struct, gc=False):
    external_id: str = ""
    url: str = ""


_decode = msgspec.json.Decoder(_Names).decode


def first_id(consumer: KafkaConsumer, settings: Settings, identity: str) -> str:
    """The first id of the post that has this one as an edit, by the routed records; itself where there is none.

    Raises:
        TopicsError, BrokerError: they cannot be read.
    """
    end = f"/{identity}"
    for topic in QUEUE_TOPICS:
        for record in clients.stored(consumer, settings.topics.name(topic)):
            if record.value is not None and end.encode() in record.value and (first := _first(record.value, end)):
                return first
    return identity


def _first(value: bytes, end: str) -> str:
    try:
        names = _decode(value)
    except msgspec.DecodeError:  # not ours
        return ""
    return names.external_id.removeprefix("x:") if names.url.endswith(end) else ""
