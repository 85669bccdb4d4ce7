"""The state of the partitions that this worker has: read from `conversations` before the first record is judged.

Reading goes on in a task beside the consumer, whose heartbeats it does not hold up; whoever wants a partition's books
waits until they are read. What was read stays when the partition goes: if it comes back, only what was written in the
meantime is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, time
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from agents.fetch import nothing_since
from agents.transport import Fetched
from pipeline.retold import Retold, take_over
from pipeline.waits import Waits

log = logging.getLogger(__name__)

AT_ONCE = 5_000
"""So many records are read before others may use the thread."""
AGAIN_S = 1.0


class Gauge(Protocol):
    """What is told of the reading."""

    def set(self, value: float) -> None:
        """Replace what was told."""


class Books:
    """Waits by partition, as they come and go.

    Args:
        new: makes empty ones.
        consumer: makes a consumer that belongs to no group.
        topic: the name of `conversations` on the broker.
        tail: the records of `responses` of a partition from an offset on.
        thread: where all books are worked on, one thing after the other.
        standby: partitions to read along while others have them, so that they can be taken over at once.
        on_stop: is called with the error that ends the reading.
        recovering: how many of our partitions are not read yet.
        seconds: how long the last reading took.
    """

    def __init__(
        self,
        new: Callable[[], Waits],
        consumer: Callable[[], AIOKafkaConsumer],
        topic: str,
        tail: Callable[[int, int], Awaitable[Sequence[Fetched]]],
        thread: ThreadPoolExecutor,
        *,
        standby: Sequence[int],
        on_stop: Callable[[BaseException], None],
        recovering: Gauge,
        seconds: Gauge,
    ) -> None:
        self._new = new
        self._consumer = consumer
        self._topic = topic
        self._tail = tail
        self._thread = thread
        self._standby = standby
        self._on_stop = on_stop
        self._recovering = recovering
        self._seconds = seconds
        self._books: dict[int, Waits] = {}
        self.positions: dict[int, int | None] = {}
        """Up to which offset of the topic the books are what it says; None: not known any more."""
        self.epoch = 0
        """Another one with each assignment: what was worked out in an earlier one counts for nothing."""
        self._assigned: dict[int, asyncio.Event] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=5)

    def assign(self, partitions: Iterable[int]) -> None:
        """These partitions are ours now, and no others; `ready` says when their books are read."""
        self.epoch += 1
        self._assigned = {partition: asyncio.Event() for partition in partitions}
        self._recovering.set(len(self._assigned))
        self._changed.set()

    def revoke(self, *, clean: bool) -> None:
        """None is ours any more; `clean`: all that the books say is written."""
        self.epoch += 1
        if not clean:
            for partition in self._assigned:
                self._drop(partition)
        self._assigned = {}
        self._recovering.set(0)
        self._changed.set()

    async def ready(self, partitions: Iterable[int]) -> dict[int, Waits]:
        """The books of partitions, once they are read; of those that are not ours (any more) none."""
        found = {}
        for partition in partitions:
            event = self._assigned.get(partition)
            if event is not None:
                await event.wait()
                if event is self._assigned.get(partition):
                    found[partition] = self._books[partition]
        return found

    def mine(self) -> dict[int, Waits]:
        """The books that are read, of our partitions."""
        return {partition: self._books[partition] for partition, event in self._assigned.items() if event.is_set()}

    def told(self, partition: int, end: int) -> None:
        """All that `responses` tells of the partition before this offset is kept."""
        books = self._books.get(partition)
        if books is not None:
            books.told_until = end

    def all_read(self) -> bool:
        """Whether the books of all our partitions are read."""
        return all(event.is_set() for event in self._assigned.values())

    def _drop(self, partition: int) -> None:
        self._books.pop(partition, None)
        self.positions.pop(partition, None)

    def _wanted(self) -> list[int]:
        """What there is to read: ours that are not read yet; on standby also those of others."""
        unread = [partition for partition, event in self._assigned.items() if not event.is_set()]
        return unread + [partition for partition in self._standby if partition not in self._assigned]

    async def _run(self) -> None:
        """Read whatever is wanted, as long as we live; the broker may be away for a while."""
        while True:
            self._changed.clear()
            try:
                await self._read(self._wanted())
            except KafkaError as error:
                log.warning("the state cannot be read just now: %r", error)
                await asyncio.sleep(AGAIN_S)
                continue
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - a state that cannot be read must not be written over
                self._on_stop(error)
                return
            await self._changed.wait()

    async def _read(self, wanted: Sequence[int]) -> None:
        """Until all of ours are read; or, with others to read along, until something else is wanted."""
        if not wanted:
            return
        consumer = self._consumer()
        await consumer.start()
        try:
            await self._read_with(consumer, wanted)
        finally:
            await consumer.stop()

    async def _read_with(self, consumer: AIOKafkaConsumer, wanted: Sequence[int]) -> None:
        started, heard_at = monotonic(), time()
        ends = await self._seek(consumer, wanted)
        reading, quiet = set(wanted), set[int]()
        while not self._changed.is_set():
            for partition in sorted(reading & self._assigned.keys()):
                if (self.positions.get(partition) or 0) >= ends[partition]:
                    reading.discard(partition)  # from here on we write it, and must not read it back
                    await self._finish(partition, started)
            if not reading:
                return
            found = await consumer.getmany(timeout_ms=500, max_records=AT_ONCE)
            if found:
                await self._in_thread(self._load, {tp: some for tp, some in found.items() if tp.partition in reading})
                heard_at, quiet = time(), set()
                continue
            for partition in quiet & reading:  # a compaction may have left its end empty
                self.positions[partition] = max(self.positions.get(partition) or 0, ends[partition])
            # the answer that brought nothing of one partition may have been full of others', which the next poll shows
            quiet = {tp.partition for tp in consumer.assignment() if nothing_since(consumer, tp, int(heard_at * 1000))}

    async def _seek(self, consumer: AIOKafkaConsumer, wanted: Sequence[int]) -> dict[int, int]:
        """Go to where each partition's books end, new ones at its beginning; the ends of the partitions as of now."""
        tps = [TopicPartition(self._topic, partition) for partition in wanted]
        consumer.assign(tps)
        begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        for tp in tps:
            partition = tp.partition
            if self.positions.get(partition) is None or partition not in self._books:
                self._books[partition] = self._new()
                self.positions[partition] = begins[tp]
            consumer.seek(tp, max(self.positions[partition] or 0, begins[tp]))
        return {tp.partition: end for tp, end in ends.items()}

    def _load(self, found: dict[TopicPartition, Sequence[Any]]) -> None:
        for tp, records in found.items():
            books = self._books.get(tp.partition)
            if books is not None:
                for record in records:
                    books.load(record.key, record.value, record.timestamp)
                self.positions[tp.partition] = records[-1].offset + 1

    async def _finish(self, partition: int, started: float) -> None:
        event, books = self._assigned.get(partition), self._books[partition]
        told = await self._tail(partition, books.told_until or 0)
        await self._in_thread(take_over, books, [Retold(record.value, record.headers) for record in told])
        await self._in_thread(books.loaded)
        if event is not None and event is self._assigned.get(partition):
            event.set()
            self._seconds.set(monotonic() - started)
            self._recovering.set(sum(not one.is_set() for one in self._assigned.values()))

    def _in_thread(self, act: Callable[..., None], *arguments: Any) -> Awaitable[None]:
        return asyncio.get_running_loop().run_in_executor(self._thread, act, *arguments)
