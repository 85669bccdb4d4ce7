"""Single records of our own topics by their place: for posts that are written again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import time
from typing import TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.structs import TopicPartition

from agents.transport import Fetched

log = logging.getLogger(__name__)
T = TypeVar("T")

WAIT_MS = 1_000
MOST = 5_000


def nothing_since(consumer: AIOKafkaConsumer, tp: TopicPartition, ms: int) -> bool:
    """Whether a fetch at the consumer's place in a partition was answered after `ms`, and brought nothing.

    That, and not silence, says that nothing stands there: a compaction may have left the end of a partition empty, and
    a broker may be slow. To be asked when `getmany` has brought nothing since `ms`.
    """
    return (consumer.last_poll_timestamp(tp) or 0) > ms


class Fetcher:
    """A consumer without a group, for one record at a time; while the broker is away it asks again and again.

    Args:
        consumer: makes one.
        again_s: how long after a question that got no answer.
    """

    def __init__(self, consumer: Callable[[], AIOKafkaConsumer], *, again_s: float = 1.0) -> None:
        self._new = consumer
        self._again_s = again_s
        self._consumer: AIOKafkaConsumer | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Nothing yet: most of the time it is not needed."""

    async def stop(self) -> None:
        """Disconnect."""
        await self._disconnect()

    async def at(self, topic: str, partition: int, offset: int) -> Fetched | None:
        """The record at a place; None where there is none any more.

        Raises:
            KafkaError: the broker refuses to tell.
        """
        found = await self.between(topic, partition, offset, offset + 1)
        return next((record for record in found if record.offset == offset), None)

    async def between(self, topic: str, partition: int, first: int, end: int | None = None) -> list[Fetched]:
        """The records from an offset up to, not with, another one, or to the end of the partition as it is now.

        Raises:
            KafkaError: the broker refuses to tell.
        """
        tp = TopicPartition(topic, partition)

        async def read(consumer: AIOKafkaConsumer) -> list[Fetched]:
            consumer.assign([tp])
            begin = (await consumer.beginning_offsets([tp]))[tp]
            last = (await consumer.end_offsets([tp]))[tp]
            at, until = max(first, begin), last if end is None else min(end, last)
            consumer.seek(tp, at)
            found: list[Fetched] = []
            asked = _ms()
            while at < until:
                got = (await consumer.getmany(timeout_ms=WAIT_MS, max_records=MOST)).get(tp, [])
                if got:
                    found += [record for record in got if record.offset < until]
                    at, asked = got[-1].offset + 1, _ms()
                elif nothing_since(consumer, tp, asked):
                    break
            return found

        return await self._answered(read)

    async def end(self, topic: str, partition: int) -> int:
        """The end of a partition as it is now.

        Raises:
            KafkaError: the broker refuses to tell.
        """
        tp = TopicPartition(topic, partition)

        async def ask(consumer: AIOKafkaConsumer) -> int:
            ends: dict[TopicPartition, int] = await consumer.end_offsets([tp])
            return ends[tp]

        return await self._answered(ask)

    async def _answered(self, ask: Callable[[AIOKafkaConsumer], Awaitable[T]]) -> T:
        """What the broker answers; that it is away is no reason to die, and what is asked decides what is written."""
        async with self._turn:
            while True:
                try:
                    return await ask(await self._started())
                except KafkaError as error:
                    if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                        raise
                    log.warning("the broker does not answer (%r): it is asked again", error)
                    await self._disconnect()
                    await asyncio.sleep(self._again_s)

    async def _disconnect(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = self._new()
            try:
                await consumer.start()
            except KafkaError:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer


def _ms() -> int:
    return int(time() * 1000)
