"""Puts posts into `tweets`, as fast as possible or at a steady rate, at a tenth of what a worker needs to take them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import islice
from time import perf_counter, time

from aiokafka.structs import TopicPartition

from agents import clients
from agents.sender import Package, Sender
from benchmarks.posts import posts
from pipeline.settings import Settings
from pipeline.topics import TWEETS

STEP_S = 0.005
AT_ONCE = 20_000
Keyed = tuple[bytes, bytes]


def feed(settings: Settings, count: int, *, rate: float | None = None, skip: int = 0, brand_count: int = 5) -> int:
    """Produce so many posts, a customer always in the same partition; `rate` in posts a second, None: at once."""
    if skip + count <= 10 * AT_ONCE:
        made: Iterable[Keyed] = _made(skip + count, brand_count)[skip:]
    else:
        made = islice(posts(skip + count, brands=brand_count), skip, None)
    asyncio.run(_feed(settings, made, count, rate))
    return count


@lru_cache(maxsize=2)
def _made(count: int, brand_count: int) -> list[Keyed]:
    return list(posts(count, brands=brand_count))


async def _feed(settings: Settings, made: Iterable[Keyed], count: int, rate: float | None) -> None:
    sender = Sender(clients.aiokafka(settings.kafka), on_retry=lambda: None)
    await sender.start()
    coming = iter(made)
    started, sent, sending = perf_counter(), 0, set[asyncio.Task[None]]()
    while sent < count:
        due = sent + AT_ONCE if rate is None else int((perf_counter() - started) * rate) + 1
        run = list(islice(coming, min(due, count) - sent))
        sent += len(run)
        task = asyncio.create_task(_send(sender, settings, run))
        sending.add(task)
        task.add_done_callback(sending.discard)
        await (task if rate is None else asyncio.sleep(STEP_S))
    await asyncio.gather(*sending)
    await sender.stop()


async def _send(sender: Sender, settings: Settings, run: Sequence[Keyed]) -> None:
    async def again() -> Package:
        return _package(settings, run)

    await sender.send(_package(settings, run), again)


def _package(settings: Settings, run: Sequence[Keyed]) -> Package:
    topic, partitions, now = settings.topics.name(TWEETS), settings.topics.partitions, int(time() * 1000)
    package = Package()
    for key, value in run:
        package.add(TopicPartition(topic, int(key) % partitions), now, key, value, [])
    return package
