"""The triage agent: batches of raw posts in; judged, routed, produced, acknowledged; then their offsets move."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import TypeVar

from aiokafka.structs import TopicPartition

from agents.sender import Out, Sender
from agents.transport import Batch
from pipeline.classify import Classifier
from pipeline.dead import DeadLimit, headers
from pipeline.errors import TooManyDead
from pipeline.metrics import Metrics
from pipeline.posts import Queue
from pipeline.route import Router, topic_of
from pipeline.settings import Settings
from pipeline.topics import DEAD
from pipeline.triage import Record, Triaged, triage, triage_singly

log = logging.getLogger(__name__)
T = TypeVar("T")

ATTEMPTS = 3
"""So often a batch is judged as a whole before its records are tried one by one."""


class Triage:
    """The body of the agent. Several batches are under way at once; they are judged and handed over in order."""

    def __init__(
        self,
        settings: Settings,
        classifier: Classifier,
        sender: Sender,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        on_stop: Callable[[BaseException], None],
    ) -> None:
        self._classifier = classifier
        self._router = Router(settings, classifier.model)
        self._sender = sender
        self._metrics = metrics
        self._clock = clock
        self._on_stop = on_stop
        self._name = settings.topics.name
        worker = settings.worker
        self._limit = DeadLimit(in_row=worker.dead_in_row, share=worker.dead_share, window=worker.dead_window)
        self._slots = asyncio.Semaphore(worker.in_flight)
        self._in_order = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="judge")
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def run(self, batches: AsyncIterator[Batch]) -> None:
        """Take batches as they come, as many at once as settings allow."""
        async for batch in batches:
            await self._slots.acquire()
            batch.begin()
            task = asyncio.create_task(self._handle(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _handle(self, batch: Batch) -> None:
        """One batch from bytes to committed; no exception leaves, for Faust would then commit what is not done."""
        try:
            await self._triage_and_send(batch)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the one broad handler: stop, commit nothing of this batch
            log.error("stopping, the batch is not committed: %r", error)  # noqa: TRY400 - a traceback may show text
            self._stopped = True
            self._on_stop(error)
        finally:
            batch.end()
            self._slots.release()

    async def _triage_and_send(self, batch: Batch) -> None:
        async with self._in_order:
            if self._stopped:
                return
            triaged = await self._judge(batch.records)
            passed = self._limit.passed_at(triaged.broken)
            if passed is not None:
                self._stopped = True
                triaged = await self._judge(batch.records[: passed + 1])
            outputs = _by_partition(triaged, self._name)
            sending = asyncio.create_task(self._sender.send(outputs, self._now()))
            await asyncio.sleep(0)  # let the sender take its turn before the next batch can
        await sending
        self._count(triaged)
        batch.done_before(len(triaged.records))
        if passed is not None:
            raise TooManyDead(self._limit.says())

    async def _judge(self, records: list[Record]) -> Triaged:
        """Triage in the worker thread, so that heartbeats go on however slow the classifier is."""
        for attempt in range(ATTEMPTS):
            started = perf_counter()
            try:
                triaged = await self._in_thread(partial(triage, records, self._classifier, self._router, self._now()))
            except Exception as error:  # noqa: BLE001 - any failure is tried again in place, then record by record
                log.warning("triage of %d records failed (%s), attempt %d", len(records), type(error).__name__, attempt)
                self._metrics.retries.labels("classify").inc()
                await asyncio.sleep(0.1 * 2**attempt)
            else:
                self._metrics.classify_seconds.observe(perf_counter() - started)
                return triaged
        return await self._in_thread(partial(triage_singly, records, self._classifier, self._router, self._now()))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _count(self, triaged: Triaged) -> None:
        metrics = self._metrics
        now = self._clock()
        metrics.posts.inc(len(triaged.records))
        metrics.batch_posts.observe(len(triaged.records))
        metrics.route_latency.observe_all([now - record.timestamp / 1000 for record in triaged.records])
        metrics.ingest_lag.observe_all(triaged.ingest_lag_s)
        for (brand, queue, stage), count in Counter((o.brand, o.queue, o.stage) for o in triaged.outgoing).items():
            metrics.routed.labels(brand, queue.value).inc(count)
            metrics.stages.labels(stage.value).inc(count)
            if queue is Queue.REVIEW:
                metrics.review.labels(stage.value).inc(count)
        for dead in triaged.dead:
            metrics.dead.labels(dead.error.reason.value).inc()


def _by_partition(triaged: Triaged, name: Callable[[str], str]) -> dict[TopicPartition, list[Out]]:
    """Outputs by topic and partition; each keeps the partition number of its input."""
    outputs: dict[TopicPartition, list[Out]] = {}
    by_queue: dict[tuple[Queue, int], list[Out]] = {}
    for outgoing in triaged.outgoing:
        by_queue.setdefault((outgoing.queue, outgoing.partition), []).append(outgoing[4:])
    for (queue, partition), outs in by_queue.items():
        outputs[TopicPartition(name(topic_of(queue)), partition)] = outs
    for dead in triaged.dead:
        outs = outputs.setdefault(TopicPartition(name(DEAD), dead.record.partition), [])
        outs.append((dead.record.key, dead.record.value, headers(dead.error, dead.place, dead.step)))
    return outputs
