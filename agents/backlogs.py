"""Tells the other workers who waits in our partitions, and, if partition 0 is ours, everybody what that means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from aiokafka.structs import TopicPartition

from agents.fetch import Fetcher
from agents.sender import Package, Sender
from pipeline import cloud_events
from pipeline.backlog import Board, Counts, Place, Record, alarmed, counts, record, total
from pipeline.response_metrics import ResponseMetrics
from pipeline.responses import Response, encode
from pipeline.settings import Settings
from pipeline.topics import RESPONSES, WAITING
from pipeline.waits import Waits


class Backlogs:
    """Counts of who waits, and the board of all of them."""

    def __init__(self, settings: Settings, sender: Sender, fetcher: Fetcher, metrics: ResponseMetrics) -> None:
        self._waiting = TopicPartition(settings.topics.name(WAITING), 0)
        self._responses = TopicPartition(settings.topics.name(RESPONSES), 0)
        self._limit = settings.responses.backlog
        self._sender = sender
        self._fetcher = fetcher
        self._metrics = metrics
        self._parts: dict[int, Counts] = {}
        self._said: dict[int, Counts] = {}
        self._board: Board | None = None
        self._next = 0
        self._places: set[Place] = set()

    def look(self, books: Mapping[int, Waits]) -> Counts:
        """Who waits in our partitions, with brands as the metrics name them."""
        self._parts = {partition: counts(one) for partition, one in books.items()}
        return total(self._parts.values(), self._metrics.brand)

    async def tell(self, now: int) -> None:
        """Write what changed since the last look; judge if that is our part. `now` in ms."""
        self._said = {partition: said for partition, said in self._said.items() if partition in self._parts}
        news = {partition: part for partition, part in self._parts.items() if self._said.get(partition) != part}
        await self._write([record(partition, part) for partition, part in news.items()], now)
        self._said |= news
        if 0 in self._parts:
            await self._judge(now)
        else:
            self._board, self._next = None, 0
            self._metrics.backlog.clear()

    async def _judge(self, now: int) -> None:
        board = self._board or Board(self._limit)
        for found in await self._fetcher.between(self._waiting.topic, 0, self._next):
            board.read(found.key or b"", found.value)
            self._next = found.offset + 1
        self._board = board
        kept, told = board.look(now)
        await self._write([one for one in kept if one.value is not None], now)
        for one in kept:
            board.read(*one)
        await self._tell(told, now)
        await self._write([*(one for one in kept if one.value is None), *board.told()], now)
        for one in board.told():
            board.read(*one)
        alarms = alarmed(board.totals(), self._limit, self._metrics.brand)
        self._places |= alarms.keys()  # where nobody waits any more is a place too
        for place in self._places:
            self._metrics.backlog.labels(*place).set(alarms.get(place, False))

    async def _tell(self, told: Sequence[Response], now: int) -> None:
        def package() -> Package:
            made = Package()
            for one in told:
                headers = cloud_events.headers(cloud_events.RESPONSE, one.brand, one.event_id, one.brand, one.at)
                made.add(self._responses, now, one.brand.encode(), encode(one), headers)
            return made

        await self._send(package, told)

    async def _write(self, records: Sequence[Record], now: int) -> None:
        def package() -> Package:
            made = Package()
            for key, value in records:
                made.add(self._waiting, now, key, value, [])
            return made

        await self._send(package, records)

    async def _send(self, package: Callable[[], Package], records: Sequence[object]) -> None:
        async def again() -> Package:
            return package()

        if records:
            await self._sender.send(package(), again)
