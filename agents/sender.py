"""Produces batches and waits for the broker's word on each; what fails is sent again, in place, until it is there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

log = logging.getLogger(__name__)

Out = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]]
"""Key, value, headers."""

MAX_BATCH_BYTES = 900_000
"""Under the default max.message.bytes of a topic, which counts a whole batch."""
BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Sender:
    """An idempotent producer of ready-made batches that keep their partition number.

    The producer retries by itself, in order and without doubles, for as long as the broker is away. What it gives up
    (a topic that refuses writes, a record that is too large) is sent again through a fresh producer, for the sequence
    numbers of the old one are spoilt by then.
    """

    def __init__(self, client: Mapping[str, Any], *, on_retry: Any = None) -> None:  # noqa: ANN401
        self._client = dict(client)
        self._on_retry = on_retry or (lambda: None)
        self._producer: AIOKafkaProducer | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Connect; fails when no broker answers."""
        self._producer = self._new_producer()
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect without waiting for what is under way: it is not committed, so it will be sent again."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _close(producer)

    async def send(self, outputs: Mapping[TopicPartition, Sequence[Out]], timestamp: int) -> None:
        """Return when the broker has acknowledged every record; `timestamp` in ms becomes theirs."""
        left = dict(outputs)
        for attempt in range(1_000_000_000):
            left = await self._try(left, timestamp)
            if not left:
                return
            self._on_retry()
            await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)])

    async def _try(self, outputs: Mapping[TopicPartition, Sequence[Out]], timestamp: int) -> dict[TopicPartition, Any]:
        """Send once; what was not acknowledged comes back."""
        async with self._turn:  # batches are handed over in the order in which they were made
            producer = self._producer
            assert producer is not None, "start() comes first"
            sent = {tp: await self._hand_over(producer, tp, outs, timestamp) for tp, outs in outputs.items()}
        failed = {tp: outputs[tp] for tp, futures in sent.items() if not await _acknowledged(tp, futures)}
        if failed:
            await self._replace(producer)
        return failed

    async def _hand_over(
        self, producer: AIOKafkaProducer, tp: TopicPartition, outs: Sequence[Out], timestamp: int
    ) -> list[asyncio.Future[Any]]:
        """One or more record batches for one partition; a future for each."""
        futures = []
        builder = producer.create_batch()
        append = builder.append
        for key, value, headers in outs:
            if append(timestamp=timestamp, key=key, value=value, headers=headers) is None:
                futures.append(await _submit(producer, builder, tp))
                builder = producer.create_batch()
                append = builder.append
                append(timestamp=timestamp, key=key, value=value, headers=headers)
        futures.append(await _submit(producer, builder, tp))
        return futures

    async def _replace(self, spoilt: AIOKafkaProducer) -> None:
        async with self._turn:
            if self._producer is spoilt:
                producer = self._new_producer()
                await producer.start()
                self._producer = producer
                await _close(spoilt)

    def _new_producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **self._client,
            acks="all",
            enable_idempotence=True,
            compression_type="snappy",  # a sixth of the bytes for half a microsecond a record, however small the batch
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=64 * 1024 * 1024,
            linger_ms=0,
            request_timeout_ms=30_000,
        )


async def _submit(producer: AIOKafkaProducer, builder: Any, tp: TopicPartition) -> asyncio.Future[Any]:  # noqa: ANN401
    builder.close()
    try:
        return await producer.send_batch(builder, tp.topic, partition=tp.partition)
    except KafkaError as error:
        failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        failed.set_exception(error)
        return failed


async def _acknowledged(tp: TopicPartition, futures: Sequence[asyncio.Future[Any]]) -> bool:
    """Whether the broker took every batch of the partition."""
    results = await asyncio.gather(*futures, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    for error in errors:
        if not isinstance(error, KafkaError):
            raise error
        log.warning("%s refused a batch: %r; it is sent again", tp, error)
    return not errors


async def _close(producer: AIOKafkaProducer) -> None:
    """Close without the flush, which waits for a broker that may be away."""
    closing = asyncio.ensure_future(producer.stop())
    done, _ = await asyncio.wait([closing], timeout=2.0)
    if not done:
        closing.cancel()
