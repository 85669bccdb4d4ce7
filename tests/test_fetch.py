"""Single records by their place, from a broker that is away now and then."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError

from agents.fetch import Fetcher


class FakeConsumer:
    """Fails as often as it is told to, over all consumers that are made; then says that a partition ends at 7."""

    def __init__(self, fails: list[KafkaError]) -> None:
        self._fails = fails
        self.stopped = False

    async def start(self) -> None:
        """Connect."""
        if self._fails and isinstance(self._fails[0], KafkaConnectionError):
            raise self._fails.pop(0)

    async def stop(self) -> None:
        """Disconnect."""
        self.stopped = True

    async def end_offsets(self, tps: list[Any]) -> dict[Any, int]:
        """Where partitions end."""
        if self._fails:
            raise self._fails.pop(0)
        return dict.fromkeys(tps, 7)


def _end(fails: list[KafkaError]) -> tuple[int, list[FakeConsumer]]:
    made: list[FakeConsumer] = []

    def new() -> FakeConsumer:
        made.append(FakeConsumer(fails))
        return made[-1]

    return asyncio.run(Fetcher(new, again_s=0.0).end("responses", 0)), made


def test_a_broker_that_is_away_is_asked_again() -> None:
    """Whether it cannot be reached or gives no answer in time; each time by a consumer of its own."""
    end, made = _end([KafkaConnectionError("away"), KafkaTimeoutError("40 s"), KafkaConnectionError("away")])

    assert 7 == end
    assert [True, True, True, False] == [one.stopped for one in made]


def test_a_refusal_is_final() -> None:
    """What it will never tell is not asked for ever."""
    with pytest.raises(TopicAuthorizationFailedError):
        _end([TopicAuthorizationFailedError("responses")])
