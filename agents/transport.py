"""The batched transport: one Faust event a fetched batch of all partitions, and offsets that never pass open work.

Faust costs some 90 µs an event, so an event here is all that one fetch brought. Faust's own bookkeeping of acknowledged
offsets loses records (its `_new_offset` skips a gap at the head) and cannot be mended by overriding `ack`, which its
compiled stream inlines; so it is left idle, and commits are taken from a pipeline.ledger.Ledger instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import Any, cast

import faust
import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from pipeline.ledger import Ledger
from pipeline.settings import Worker

BUILT_ON = "0.15.3"
"""The transport reaches into Faust: another release needs the fault suite again."""

NOTE_EVERY_S = 0.2
"""So often it is noted how far all partitions are passed on: after each fetch it would cost more than small ones do."""
DRAIN_SHARE = 0.6
"""Of the session timeout, at most, a rebalance or a stop waits for the work under way."""


class Fetched(msgspec.Struct, gc=False):
    """What is needed of a record: aiokafka's own has eleven frozen fields, which cost 2 µs to set."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of a fetched partition, without a call for each that is passed on."""

    def __iter__(self) -> Iterator[Fetched]:
        return cast(Iterator[Fetched], self._records_iterator)

    def _consumer_record(self, tp: TP, record: Any) -> Fetched:
        return Fetched(
            tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value, record.headers
        )


fetcher.PartitionRecords = PartitionRecords  # aiokafka has no other way to say so; it is pinned, and a test looks


class Batch:
    """What one fetch brought: the records of all partitions, one after the other, each run a span of the ledger."""

    __slots__ = ("_consumer", "_spans", "records")

    def __init__(self, consumer: Consumer, found: Mapping[TP, list[Fetched]]) -> None:
        self._consumer = consumer
        opened = consumer.ledger.open
        self._spans = [
            (opened(tp, run[0].offset, run[-1].offset + 1, run[0].timestamp), len(run)) for tp, run in found.items()
        ]
        self.records = [record for run in found.values() for record in run]
        consumer.delivered |= {tp: run[-1].offset + 1 for tp, run in found.items()}

    def begin(self) -> None:
        """Say that work on the batch begins: a rebalance waits for it."""
        self._consumer.at_work.add(self)

    def done(self) -> None:
        """Say that every output is acknowledged: the offsets may move."""
        self.done_before(len(self.records))

    def done_before(self, index: int) -> None:
        """Say so of the records before `index` only: offsets move up to that record, and no further."""
        start = 0
        for span, count in self._spans:
            if start < index < start + count:
                span.end = self.records[index].offset
            span.done = index > start
            start += count
        self.end()

    def end(self) -> None:
        """Say that work has ended; what was not said to be done will be read again."""
        self._consumer.at_work.discard(self)
        self._consumer.batch_ended.set()


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread with our limits on what a fetch may bring."""

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_bytes = cast(Consumer, self.consumer).options.fetch_bytes  # noqa: SLF001 - not among Faust's settings
        consumer._fetch_max_wait_ms = 500  # noqa: SLF001
        if getattr(self.app, "co_partitioned", False):
            # Faust has round robin over all partitions of all topics: partition p of one topic here, of another there.
            consumer._partition_assignment_strategy = (RangePartitionAssignor,)  # noqa: SLF001
        return consumer

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek every assigned partition to its committed offset, or to its beginning where there is none.

        aiokafka's own passes over a partition that has no committed offset yet: its position stays where it is, and
        what was fetched and dropped is never read again.
        """
        found: Mapping[TP, int] = await self.call_thread(self._seek_all)
        return found

    def next_fetched(self, tp: TP) -> int | None:
        """The offset that is fetched next, where that is known."""
        assignment = self._ensure_consumer()._subscription.subscription.assignment  # noqa: SLF001 - its own waits for it
        state = assignment.state_value(tp)
        return state.position if state is not None and state.has_valid_position else None

    async def _seek_all(self) -> Mapping[TP, int]:
        consumer = self._ensure_consumer()
        offsets: Mapping[TP, int] = await consumer.seek_to_committed()
        fresh = [tp for tp, offset in offsets.items() if not offset]
        if fresh:
            await consumer.seek_to_beginning(*fresh)
        return offsets


class Consumer(driver.Consumer):
    """Faust's consumer, reading batches and committing from the ledger."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        assert faust.__version__ == BUILT_ON, f"Faust {faust.__version__}: the transport is built on {BUILT_ON}"
        self.ledger: Ledger[TP] = Ledger()
        self.at_work: set[Batch] = set()
        self.batch_ended = asyncio.Event()
        self.delivered: dict[TP, int] = {}
        """By partition the offset behind the last record that was passed on."""
        self._passed: dict[TP, int] = {}
        """By partition the offset that is fetched next, as it was when all that was fetched had been passed on."""
        self._epoch = 0
        self._seeks = 0
        self._noted_at = 0.0
        self.options: Worker = cast(Any, self.app).settings.worker
        self.committed_at = monotonic()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # What Faust asks when it commits.

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in self.ledger.partitions() if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self.ledger.committable(tp)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        committed: bool = await super()._commit(offsets)
        if committed:
            self.committed_at = monotonic()
        return committed

    async def wait_empty(self) -> None:
        """Wait, not longer than a session lasts, for the batches under way; then commit what is done."""
        deadline = monotonic() + self.options.session_timeout_s * DRAIN_SHARE
        while self.at_work and (left := deadline - monotonic()) > 0:
            self.batch_ended.clear()
            try:
                await asyncio.wait_for(self.batch_ended.wait(), timeout=left)
            except TimeoutError:
                self.log.warning("%d batches are still under way: they will be read again", len(self.at_work))
        await self.commit_and_end_transactions()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was under way in partitions that another worker has now."""
        await super().on_partitions_revoked(revoked)
        self.ledger.forget(revoked)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust's look at standstill only logs, and fails while a rebalance is under way; ours is /healthz."""

    async def perform_seek(self) -> None:
        """Read again from the committed offsets; whatever was fetched before its end counts for nothing.

        The epoch changes on both sides of the wait: a fetch that began in the middle is void too, for it may have moved
        a position that the seek then moved back, or the other way round.
        """
        self._seeks += 1
        self._void_what_was_fetched()
        try:
            await super().perform_seek()
        finally:
            self._void_what_was_fetched()
            self._seeks -= 1

    def _void_what_was_fetched(self) -> None:
        self._epoch += 1
        self.ledger.forget(self.ledger.partitions())
        self.delivered, self._passed = {}, {}

    def done_until(self, tp: TP) -> int:
        """Up to where all is done: the committed offset; once that is all that came, the offset that is fetched next.

        Before the first record and behind the last there may be offsets without any: what is kept no longer, what
        somebody deleted, the end of a transaction. Nothing can be done, or committed, for them.
        """
        committed: int = self._committed_offset[tp] or 0
        return committed if committed < self.delivered.get(tp, 0) else max(committed, self._passed.get(tp, 0))

    def _note_positions(self) -> None:
        """To be called when all that was fetched is passed on; while a seek is under way positions mean nothing."""
        if not self._seeks and monotonic() - self._noted_at > NOTE_EVERY_S:
            self._noted_at = monotonic()
            thread = cast(ConsumerThread, self._thread)
            found = {tp: thread.next_fetched(tp) for tp in self.assignment()}
            self._passed = {tp: position for tp, position in found.items() if position is not None}

    def connections(self) -> int:
        """How many connections to brokers are open."""
        thread: Any = self._thread
        client: Any = thread._ensure_consumer()._client  # noqa: SLF001 - aiokafka tells nobody
        return sum(connection.connected() for connection in list(client._conns.values()))  # noqa: SLF001

    # How records come in.

    async def _drain_messages(self, fetcher: Any) -> None:
        while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001
            await self.sleep(0)
            epoch, records = self._epoch, await self._fetch()
            if records:
                await self._deliver(records)
            if epoch == self._epoch:
                self._note_positions()

    async def _fetch(self) -> dict[TP, list[Fetched]]:
        """Records by partition; a small catch waits `linger_ms` for company."""
        epoch = self._epoch
        found, active = await self._wait_next_records(timeout=1.0)
        records = dict(found or {})
        if records and sum(map(len, records.values())) < self.options.batch_posts // 8:
            await asyncio.sleep(self.options.linger_ms / 1000)
            for tp, more in (await self._getmany(active_partitions=active, timeout=0)).items():
                records.setdefault(tp, []).extend(more)
        if records and (epoch != self._epoch or not self.flow_active):
            await self._seek_back()
            return {}
        return records

    async def _seek_back(self) -> None:
        """A rebalance came in between: records that are dropped were passed by the position, so it must go back."""
        epoch = self._epoch
        while epoch == self._epoch and not self.should_stop:
            try:
                await self.perform_seek()
            except (KafkaError, AssertionError) as error:  # not assigned just now: the assignment to come seeks too
                self.log.info("cannot seek yet: %r", error)
                self._epoch = epoch
                await asyncio.sleep(0.1)

    async def _deliver(self, found: Mapping[TP, list[Fetched]]) -> None:
        tp, run = next(iter(found.items()))
        message = _message(tp, run[-1], Batch(self, found), self.app.consumer_generation_id)
        await self.wait_first(self.callback(message), self.suspend_flow.wait())


class Transport(driver.Transport):
    """Faust's aiokafka transport with the consumer above."""

    Consumer = Consumer


def _message(tp: TP, last: Fetched, batch: Batch, generation: int) -> ConsumerMessage:
    """A batch dressed as a message of its first partition, which is all that Faust needs to deliver it."""
    at = last.timestamp / 1000
    value: Any = batch  # the raw codec passes it on as it is
    return ConsumerMessage(
        tp.topic, tp.partition, last.offset, at, 0, None, None, value, None, 0, 0, tp,
        generation_id=generation,
    )  # fmt: skip
