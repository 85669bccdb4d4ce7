"""Single records by their place, from a broker that is away now and then."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError
from aiokafka.structs import TopicPartition

from agents.fetch import Fetcher
from agents.transport import Fetched


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


class SlowConsumer(FakeConsumer):
    """Its partition has records 3 and 4 and ends at 7; each is there after some polls that no fetch was answered in."""

    def __init__(self, polls: int) -> None:
        super().__init__([])
        self._polls, self._place, self._answered = polls, 0, 0
        self._records = [Fetched("responses", 0, offset, 0, None, b"", []) for offset in (3, 4)]

    def assign(self, tps: list[Any]) -> None:
        """Take a partition."""

    def seek(self, _: Any, offset: int) -> None:
        """Go to a place in it."""
        self._place = offset

    async def beginning_offsets(self, tps: list[Any]) -> dict[Any, int]:
        """Where partitions begin."""
        return dict.fromkeys(tps, 0)

    async def getmany(self, **_: int) -> dict[Any, list[Fetched]]:
        """The next record, after some polls in vain; behind the last one fetches are answered with nothing."""
        if self._polls:
            self._polls -= 1
            return {}
        found = [one for one in self._records if one.offset >= self._place][:1]
        if found:
            self._polls, self._place = 3, found[0].offset + 1
            return {TopicPartition("responses", 0): found}
        self._answered = 2**62
        return {}

    def last_poll_timestamp(self, _: Any) -> int | None:
        """When a fetch was answered last."""
        return self._answered or None


@pytest.mark.parametrize("polls", [0, 3])
def test_a_slow_broker_is_waited_for(polls: int) -> None:
    """That nothing came for a while is no end: all is read, up to where fetches are answered with nothing."""
    found = asyncio.run(Fetcher(lambda: SlowConsumer(polls)).between("responses", 0, 0))

    assert [3, 4] == [record.offset for record in found]


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
