"""Puts posts into `tweets`, as fast as possible or at a steady rate, at a tenth of what a worker needs to take them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import cycle, islice
from time import perf_counter, time
from typing import Self

from aiokafka.structs import TopicPartition

from agents import clients
from agents.sender import Package, Sender
from benchmarks.placed import Placed
from benchmarks.posts import posts
from pipeline.settings import Settings
from pipeline.topics import TWEETS

STEP_S = 0.005
AT_ONCE = 20_000
MADE = 200_000
"""So many different posts are made; whoever wants more gets them again."""
Keyed = tuple[bytes, bytes]


class Feeder:
    """One producer; a customer's posts always go to the same partition."""

    def __init__(self, settings: Settings, *, count: int = MADE, brand_count: int = 5) -> None:
        self._settings = settings
        self._coming: Iterator[Keyed] = cycle(_made(min(count, MADE), brand_count))
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        logging.getLogger("aiokafka.producer.sender").setLevel(logging.CRITICAL)  # new topics have no leader at first
        self._sender = Sender(clients.aiokafka(self._settings.kafka), on_retry=lambda: None)
        self._runner.run(self._sender.start())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._sender.stop())
        self._runner.close()

    def feed(self, count: int, rate: float | None = None) -> int:
        """Produce the next so many posts, `rate` a second (None: at once); returns when all are acknowledged."""
        self._runner.run(self._feed(count, rate))
        return count

    async def _feed(self, count: int, rate: float | None) -> None:
        started, sent, sending = perf_counter(), 0, set[asyncio.Task[None]]()
        while sent < count:
            due = sent + AT_ONCE if rate is None else int((perf_counter() - started) * rate) + 1
            run = list(islice(self._coming, min(due, count) - sent))
            sent += len(run)
            task = asyncio.create_task(self._send(run))
            sending.add(task)
            task.add_done_callback(sending.discard)
            await (task if rate is None else asyncio.sleep(STEP_S))
        await asyncio.gather(*sending)

    async def _send(self, run: Sequence[Keyed]) -> None:
        async def again() -> Package:
            return self._package(run)

        await self._sender.send(self._package(run), again)

    def _package(self, run: Sequence[Keyed]) -> Package:
        topics, now = self._settings.topics, int(time() * 1000)
        topic = topics.name(TWEETS)
        package = Package()
        for key, value in run:
            package.add(TopicPartition(topic, int(key) % topics.partitions), now, key, value, [])
        return package


def fill(settings: Settings, records: Iterable[Placed]) -> None:
    """Put records where our workers would; returns when all are acknowledged."""
    logging.getLogger("aiokafka.producer.sender").setLevel(logging.CRITICAL)
    asyncio.run(_fill(settings, iter(records)))


async def _fill(settings: Settings, records: Iterator[Placed]) -> None:
    sender = Sender(clients.aiokafka(settings.kafka), on_retry=lambda: None)
    await sender.start()
    try:
        while run := list(islice(records, AT_ONCE)):

            async def again(run: Sequence[Placed] = run) -> Package:
                return _packed(settings, run)

            await sender.send(_packed(settings, run), again)
    finally:
        await sender.stop()


def _packed(settings: Settings, run: Sequence[Placed]) -> Package:
    package, now = Package(), int(time() * 1000)
    for topic, partition, key, value, headers in run:
        package.add(TopicPartition(settings.topics.name(topic), partition), now, key, value, list(headers))
    return package


@lru_cache(maxsize=2)
def _made(count: int, brand_count: int) -> list[Keyed]:
    return list(posts(count, brands=brand_count))
