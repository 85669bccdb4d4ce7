"""Produces record batches and waits for the broker's word on each; what fails is made and sent again, in place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import TopicPartition

log = logging.getLogger(__name__)

COMPRESSION = "snappy"
"""A sixth of the bytes for half a microsecond a record, however small the batch; every client reads it."""
MAX_BATCH_BYTES = 900_000
"""Under the default max.message.bytes of a topic, which counts a whole batch."""
BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
ASK_AGAIN_S = 0.25
"""So long after no broker said who has a partition."""


class RecordBatch(BatchBuilder):  # type: ignore[misc]
    """aiokafka's batch, with a shorter way for records that are bytes already."""

    def add(self, timestamp: int, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> bool:
        """Append a record; False, and closed, where it does not fit."""
        if self._builder.append(self._relative_offset, timestamp, key, value, headers) is None:
            self.close()
            return False
        self._relative_offset += 1
        return True


class Package:
    """Records to be sent, as record batches by topic and partition; filled in any thread."""

    def __init__(self) -> None:
        self.batches: dict[TopicPartition, list[RecordBatch]] = {}
        self.offsets: dict[TopicPartition, int] = {}
        """Where the first record of each partition stands, once the broker has acknowledged it; -1: unknown."""
        self.repeated = False
        """Whether some of it may stand there twice."""

    def add(
        self,
        tp: TopicPartition,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> None:
        """Append a record; a full batch is followed by a new one."""
        batches = self.batches.get(tp)
        if batches is None:
            batches = self.batches[tp] = [_new_batch()]
        if not batches[-1].add(timestamp, key, value, headers):
            batches.append(_new_batch())
            batches[-1].add(timestamp, key, value, headers)


class Sender:
    """An idempotent producer of ready-made batches that keep their partition number.

    The producer retries by itself, in order and without doubles, while the broker is away for half a minute. What it
    gives up (the broker is away for longer, a topic refuses writes, a record is too large) is made and sent again
    through a fresh producer, for the sequence numbers of the old one are spoilt by then.
    """

    def __init__(
        self, client: Mapping[str, Any], *, on_retry: Callable[[], None], may_send: Callable[[], None] = lambda: None
    ) -> None:
        """`may_send` is asked before each attempt; what it raises ends the sending."""
        self._client = dict(client)
        self._on_retry = on_retry
        self._may_send = may_send
        self._producer: AIOKafkaProducer | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Connect; raises aiokafka's KafkaConnectionError when no broker answers."""
        producer = self._new_producer()
        await producer.start()
        self._producer = producer

    async def stop(self) -> None:
        """Disconnect without waiting for what is under way: it is not committed, so it will be sent again."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _close(producer)

    async def send(self, package: Package, make_again: Callable[[], Awaitable[Package]]) -> None:
        """Return when the broker has acknowledged every record; batches of a package go out in order of the calls.

        `package.offsets` then says where each partition's first record stands.
        """
        failed = await self._try(package)
        attempt = 0
        while failed:
            self._on_retry()
            await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
            attempt += 1
            package.repeated = True
            made = await make_again()
            made.batches = {tp: made.batches[tp] for tp in failed}
            failed = await self._try(made)
            package.offsets |= made.offsets

    async def _try(self, package: Package) -> list[TopicPartition]:
        """Send once; the partitions where not all was acknowledged come back."""
        async with self._turn:
            producer = self._producer
            if producer is None:
                raise KafkaError("the sender is stopped")
            self._may_send()
            sent = {tp: [await _submit(producer, batch, tp) for batch in some] for tp, some in package.batches.items()}
        failed = []
        for tp, futures in sent.items():
            offset = await _acknowledged(tp, futures)
            if offset is None:
                failed.append(tp)
            else:
                package.offsets[tp] = offset
        if failed:
            await self._replace(producer)
        return failed

    async def _replace(self, spoilt: AIOKafkaProducer) -> None:
        """Another producer, once the broker answers: that it is away is no reason to die."""
        async with self._turn:
            attempt = 0
            while self._producer is spoilt:
                producer = self._new_producer()
                try:
                    await producer.start()
                except KafkaError as error:
                    log.warning("the broker cannot be reached (%r): what is under way waits for it", error)
                    await _close(producer)
                    await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])
                    attempt += 1
                    continue
                self._producer = producer
                await _close(spoilt)

    def _new_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._client,
            acks="all",
            enable_idempotence=True,
            compression_type=COMPRESSION,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=64 * 1024 * 1024,
            linger_ms=0,
            request_timeout_ms=30_000,
        )
        producer.client._metadata_update = _patient(producer.client._metadata_update)  # noqa: SLF001 - it has no setting
        return producer


def _patient(update: Callable[..., Awaitable[bool]]) -> Callable[..., Awaitable[bool]]:
    """With a batch that has no leader aiokafka asks for brokers again at once: 1,500 times a second, all logged."""

    async def patiently(*arguments: Any) -> bool:
        done = await update(*arguments)
        if not done:
            await asyncio.sleep(ASK_AGAIN_S)
        return done

    return patiently


def _new_batch() -> RecordBatch:
    return RecordBatch(
        MAX_BATCH_BYTES, DefaultRecordBatch.CODEC_SNAPPY, is_transactional=False, key_serializer=None,
        value_serializer=None,
    )  # fmt: skip


async def _submit(producer: AIOKafkaProducer, batch: BatchBuilder, tp: TopicPartition) -> asyncio.Future[Any]:
    batch.close()
    try:
        future: asyncio.Future[Any] = await producer.send_batch(batch, tp.topic, partition=tp.partition)
    except KafkaError as error:
        future = asyncio.get_running_loop().create_future()
        future.set_exception(error)
    return future


async def _acknowledged(tp: TopicPartition, futures: Sequence[asyncio.Future[Any]]) -> int | None:
    """The offset of the first record, once the broker took every batch of the partition; None: it refused one.

    -1 where the broker only says that it has them already.
    """
    results = await asyncio.gather(*futures, return_exceptions=True)
    taken = [result for result in results if not isinstance(result, BaseException)]
    for error in results:
        if isinstance(error, KafkaError):
            place = {"topic": tp.topic, "partition": tp.partition}
            log.warning("a batch was refused: %r; it is sent again", error, extra=place)
        elif isinstance(error, BaseException):
            raise error
    if len(taken) < len(results):
        return None
    return -1 if taken[0] is None else int(taken[0].offset)


async def _close(producer: AIOKafkaProducer) -> None:
    """Close without the flush, which waits for a broker that may be away."""
    closing = asyncio.ensure_future(producer.stop())
    done, _ = await asyncio.wait([closing], timeout=2.0)
    if not done:
        closing.cancel()
