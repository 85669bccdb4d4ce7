"""The lease while Kafka is away; who gets it from whom is tested with the listener, on the real broker."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import KafkaConnectionError

from agents import clients
from agents.lease import Lease
from pipeline.settings import Settings


class Consumer:
    """Is assigned the partition, then cannot reach the broker, then sees whether the lease is held still."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.held: list[bool] = []
        self._polls = 0

    def subscribe(self, _topics: list[str], *, listener: Any) -> None:
        """Keep who is told."""
        self._told = listener

    def partitions_for_topic(self, _topic: str) -> set[int]:
        """One."""
        return {0}

    def poll(self, *, timeout_ms: int) -> dict[str, object]:
        """One step of the story."""
        assert self.lease is not None
        self._polls += 1
        if self._polls == 1:
            self._told.on_partitions_assigned([timeout_ms])
        elif self._polls == 2:
            raise KafkaConnectionError("111 ECONNREFUSED")
        else:
            self.held.append(self.lease.held())
            self.lease._ending.set()
        return {}

    def close(self) -> None:
        """Nothing is open."""


def test_a_broker_that_is_away_does_not_take_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listener slows down and spills instead of hanging up."""
    consumer = Consumer()
    monkeypatch.setattr(clients, "consumer", lambda *_, **__: consumer)
    lease = consumer.lease = Lease(Settings())

    lease.start()
    lease._thread.join(10)

    assert [True] == consumer.held
