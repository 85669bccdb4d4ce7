"""The triage agent: batches of raw posts in; judged, routed, produced, acknowledged; then their offsets move."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter

from agents.pack import Packed, pack
from agents.sender import Package, Sender
from agents.spans import Spans
from agents.transport import Batch
from pipeline.classify import Classifier
from pipeline.dead import DeadLimit
from pipeline.errors import TooManyDead
from pipeline.metrics import Metrics
from pipeline.posts import Queue
from pipeline.route import Router
from pipeline.settings import Settings
from pipeline.triage import Record, Triaged, triage, triage_singly

log = logging.getLogger(__name__)
Judge = Callable[..., Triaged]

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
        spans: Spans | None = None,
    ) -> None:
        self._classifier = classifier
        self._router = Router(settings, classifier.model, classifier.second)
        self._sender = sender
        self._metrics = metrics
        self._clock = clock
        self._on_stop = on_stop
        self._spans = spans
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
        records: Sequence[Record] = batch.records
        began = self._clock()
        async with self._in_order:
            if self._stopped:
                return
            packed = await self._judge(records)
            passed = self._limit.passed_at(packed.broken)
            if passed is not None:
                self._stopped = True
                records = records[: passed + 1]
                packed = await self._judge(records)
            sending = asyncio.create_task(self._sender.send(packed.package, lambda: self._package(records)))
            await asyncio.sleep(0)  # let the sender take its turn before the next batch can
        await sending
        self._count(records, packed)
        if self._spans is not None:
            self._spans.done(records, began, self._clock())
        batch.done_before(len(records))
        if passed is not None:
            raise TooManyDead(self._limit.says())

    async def _package(self, records: Sequence[Record]) -> Package:
        """The same records once more, for a batch that the broker refused."""
        return (await self._judge(records)).package

    async def _judge(self, records: Sequence[Record]) -> Packed:
        """Triage and pack; a batch that fails is tried again, then record by record, so that the good ones go on."""
        for attempt in range(ATTEMPTS):
            started = perf_counter()
            try:
                packed = await self._in_thread(triage, records)
            except Exception as error:  # noqa: BLE001 - whatever the classifier raises is tried again in place
                log.warning("triage of %d records failed: %s, attempt %d", len(records), type(error).__name__, attempt)
                self._metrics.retries.labels("classify").inc()
                await asyncio.sleep(0.1 * 2**attempt)
            else:
                self._metrics.classify_seconds.observe(perf_counter() - started)
                return packed
        return await self._in_thread(triage_singly, records)

    async def _in_thread(self, step: Judge, records: Sequence[Record]) -> Packed:
        """In a thread of its own, so that heartbeats and probes go on however slow the classifier is."""
        now = int(self._clock() * 1000)
        bound = partial(step, classifier=self._classifier, router=self._router, now=now)
        work = partial(pack, records, bound, self._name, now)
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _count(self, records: Sequence[Record], packed: Packed) -> None:
        metrics = self._metrics
        now = self._clock()
        metrics.posts.inc(len(records))
        metrics.batch_posts.observe(len(records))
        metrics.route_latency.observe_all([now - record.timestamp / 1000 for record in records])
        metrics.ingest_lag.observe_all(packed.ingest_lag_s)
        for (brand, queue, stage), count in packed.routed.items():
            metrics.routed.labels(brand, queue.value).inc(count)
            metrics.stages.labels(stage.value).inc(count)
            if queue is Queue.REVIEW:
                metrics.review.labels(stage.value).inc(count)
        for reason, count in packed.dead.items():
            metrics.dead.labels(reason.value).inc(count)
