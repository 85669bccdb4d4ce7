"""Checkpoints and gaps in the topic `listener.state`: the newest of each name counts, and only that is written."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any, Protocol

import msgspec
from kafka import KafkaConsumer

from agents import clients
from pipeline.gaps import Checkpoint, Gap
from pipeline.settings import Settings
from pipeline.topics import LISTENER_STATE

CHECKPOINT = "checkpoint/"
GAP = "gap/"
_encode = msgspec.json.Encoder().encode


class Producer(Protocol):
    """What is needed of kafka-python's producer."""

    def send(self, topic: str, value: bytes | None, key: bytes) -> Any:
        """Take a record; the future that it gives tells what became of it."""


class Known(msgspec.Struct):
    """What the topic says at a start."""

    checkpoints: dict[str, Checkpoint] = {}
    gaps: list[Gap] = []


def read(settings: Settings) -> Known:
    """All that is known.

    Raises:
        TopicsError: there is no such topic.
        BrokerError: the broker does not answer.
    """
    consumer: KafkaConsumer = clients.consumer(settings.kafka)
    try:
        newest = clients.newest(consumer, settings.topics.name(LISTENER_STATE))
    finally:
        consumer.close()
    return known({place.key.decode(): kept.value for place, kept in newest.items()})


def known(records: Mapping[str, bytes]) -> Known:
    """What records of the topic say, by name; what has another form was written by a newer version, and is left."""
    found = Known()
    for name, value in records.items():
        try:
            if name.startswith(CHECKPOINT):
                found.checkpoints[name.removeprefix(CHECKPOINT)] = msgspec.json.decode(value, type=Checkpoint)
            elif name.startswith(GAP):
                found.gaps.append(msgspec.json.decode(value, type=Gap))
        except msgspec.DecodeError:
            continue
    return found


class StateLog:
    """Writes states, one at a time of each name: while Kafka is away only the newest waits."""

    def __init__(self, settings: Settings, producer: Producer) -> None:
        self._topic = settings.topics.name(LISTENER_STATE)
        self._producer = producer
        self._lock = Lock()
        self._waiting: dict[str, bytes | None] = {}
        self._on_the_way: set[str] = set()
        self._closed = False

    def checkpoint(self, name: str, checkpoint: Checkpoint) -> None:
        """Write how far a source is."""
        self._put(CHECKPOINT + name, _encode(checkpoint))

    def gap(self, gap: Gap) -> None:
        """Write a gap as it is now."""
        self._put(GAP + gap.id, _encode(gap))

    def forget_gap(self, identity: str) -> None:
        """Delete a gap's record."""
        self._put(GAP + identity, None)

    @property
    def settled(self) -> bool:
        """Whether Kafka has all of it."""
        with self._lock:
            return not self._waiting and not self._on_the_way

    def _put(self, name: str, value: bytes | None) -> None:
        with self._lock:
            if self._closed:
                return
            self._waiting[name] = value
        self._go_on(name)

    def _go_on(self, name: str) -> None:
        with self._lock:
            if name in self._on_the_way or name not in self._waiting:
                return
            value = self._waiting.pop(name)
            self._on_the_way.add(name)
        future = self._producer.send(self._topic, value=value, key=name.encode())
        future.add_callback(self._done, name)
        future.add_errback(self._failed, name, value)

    def _done(self, name: str, _metadata: object) -> None:
        with self._lock:
            self._on_the_way.discard(name)
        self._go_on(name)

    def _failed(self, name: str, value: bytes | None, _error: object) -> None:
        """It is written again with the next change of it, or by `retry`."""
        with self._lock:
            self._on_the_way.discard(name)
            self._waiting.setdefault(name, value)

    def close(self) -> None:
        """Write nothing more: the lease is another one's."""
        with self._lock:
            self._closed = True
            self._waiting.clear()

    def retry(self) -> None:
        """Send again what failed."""
        with self._lock:
            names = list(self._waiting)
        for name in names:
            self._go_on(name)
