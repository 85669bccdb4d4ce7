"""The sender, with producers that do as they are told: what one gives up is sent again, however long that takes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, LeaderNotAvailableError
from aiokafka.structs import TopicPartition

from agents import sender
from agents.sender import Package, Sender

PLACE = TopicPartition("queue.review", 0)


class Producer:
    """Cannot connect, or gives up what it is given, or takes it."""

    def __init__(self, does: str) -> None:
        self.does = does
        self.closed = False

    async def start(self) -> None:
        """Connect."""
        if self.does == "cannot connect":
            raise KafkaConnectionError("no broker")

    async def send_batch(self, *_: Any, **__: Any) -> asyncio.Future[Any]:
        """Give up or take."""
        future = asyncio.get_running_loop().create_future()
        if self.does == "gives up":
            future.set_exception(LeaderNotAvailableError())
        else:
            future.set_result(SimpleNamespace(offset=7))
        return future

    async def stop(self) -> None:
        """Close."""
        self.closed = True


class Scripted(Sender):
    """A sender with these producers, one after the other."""

    def __init__(self, *does: str) -> None:
        self.retries = 0
        super().__init__({}, on_retry=self._count)
        self.producers = [Producer(one) for one in does]
        self._coming = iter(self.producers)

    def _new_producer(self) -> Any:
        return next(self._coming)

    def _count(self) -> None:
        self.retries += 1


def _package() -> Package:
    package = Package()
    package.add(PLACE, 1_700_000_000_000, b"key", b"value", [])
    return package


async def _again() -> Package:
    return _package()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "BACKOFF_S", (0.001,))


def test_a_broker_that_is_away_for_long_ends_nothing() -> None:
    """What the producer gave up waits until a broker answers, and each producer but the last is closed."""
    scripted = Scripted("gives up", "cannot connect", "cannot connect", "takes")
    package = _package()

    async def send() -> None:
        await scripted.start()
        await scripted.send(package, _again)

    asyncio.run(send())

    assert {PLACE: 7} == package.offsets
    assert package.repeated
    assert 1 == scripted.retries
    assert [True, True, True, False] == [producer.closed for producer in scripted.producers]


def test_a_stop_ends_the_waiting() -> None:
    """A worker that is told to stop while no broker answers does not connect any more."""
    scripted = Scripted("gives up", *["cannot connect"] * 1000)

    async def stop_meanwhile() -> None:
        await scripted.start()
        sending = asyncio.create_task(scripted.send(_package(), _again))
        await asyncio.sleep(0.02)
        await scripted.stop()
        await sending

    with pytest.raises(KafkaError, match="stopped"):
        asyncio.run(stop_meanwhile())


def test_where_no_broker_answers_it_is_asked_four_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not at once again, as aiokafka would; where one answers, nothing waits."""
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    async def update(answers: bool) -> bool:
        return answers

    monkeypatch.setattr(asyncio, "sleep", nap)
    patiently = sender._patient(update)

    async def ask() -> list[bool]:
        return [await patiently(answers) for answers in (False, True)]

    found = asyncio.run(ask())

    assert [False, True] == found
    assert [0.25] == naps
