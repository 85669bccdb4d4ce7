"""The responses agent: what happened to customers' waits in; told on, kept, acknowledged; then its offsets move.

Outputs go out before the states that they follow from: a worker that dies in between tells them again, under the same
ids. States go out one batch after the other: an older one never stands behind a newer one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

import msgspec
from aiokafka.structs import TopicPartition

from agents.backlogs import Backlogs
from agents.books import Books
from agents.fetch import Fetcher
from agents.sender import Package, Sender
from agents.spans import Spans
from agents.transport import Batch, Fetched
from pipeline.backlog import Counts
from pipeline.bookkeeping import Bookkeeper, Entry, Gone, Move, Out
from pipeline.dead import DeadLimit
from pipeline.errors import BadMessage, Overwritten, Reason, TooManyDead
from pipeline.kept import TOLD
from pipeline.response_metrics import ResponseMetrics
from pipeline.rewrite import read
from pipeline.settings import Settings
from pipeline.topics import CONVERSATIONS, HEARD_TOPICS, QUEUE_TOPICS, RESPONSES
from pipeline.turns import NEVER
from pipeline.waits import TICK, Waits

log = logging.getLogger(__name__)
T = TypeVar("T")

UNDER_WAY = 3
"""So many batches are taken at once: one is sent, one is worked on, one waits."""
REST_WITHIN_S = 5.0
"""So long a stop waits for the tick under way: the broker may be away."""
HELD_FOR_MS = 600_000
"""A topic that is not read to its end and does not move for so long holds the clock up no longer."""


class Voided(Exception):
    """The partitions of a batch were taken away while it was under way."""


class Parts(NamedTuple):
    """What the agent works with."""

    bookkeeper: Bookkeeper
    """What is decided."""
    books: Books
    """The state of our partitions."""
    sender: Sender
    """Where outputs and states go."""
    fetcher: Fetcher
    """Finds the records of posts that are written again."""
    backlogs: Backlogs
    """Is told who waits."""
    metrics: ResponseMetrics
    """Counts what is acknowledged."""
    thread: ThreadPoolExecutor
    """Where the books are worked on, one thing after the other."""
    spans: Spans | None = None
    """Takes those of records that are done."""


class Responses:
    """The body of the agent, and its clock.

    Args:
        settings: names, limits.
        parts: what it works with.
        place_of: up to where a partition is done, and its end as last seen (None: not known yet).
        clock: seconds since 1970.
        on_stop: is called with the error that ends it.
    """

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        *,
        place_of: Callable[[str, int], tuple[int, int | None]],
        clock: Callable[[], float],
        on_stop: Callable[[BaseException], None],
    ) -> None:
        self._name = settings.topics.name
        (self._keeper, self._books, self._sender, self._fetcher, self._backlogs, self._metrics, self._thread,
         self._spans) = parts  # fmt: skip
        self._place_of = place_of
        self._clock = clock
        self._on_stop = on_stop
        worker = settings.worker
        self._limit = DeadLimit(in_row=worker.dead_in_row, share=worker.dead_share, window=worker.dead_window)
        self._slots = asyncio.Semaphore(UNDER_WAY)
        self._judging = asyncio.Lock()
        self._sending = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._at_rest = asyncio.Event()
        self._read: dict[tuple[str, int], tuple[int, int, int]] = {}
        """By topic and partition: the next offset, the Kafka timestamp of the last record, and when that was (ms)."""
        self._assigned_at = 0
        self._under_way = 0
        self._stopped = False

    async def start(self) -> None:
        """Begin to tick."""
        self._ticker = asyncio.create_task(self._tick_on())

    async def rest(self) -> None:
        """Tick no more; return when the tick under way is through, or takes too long."""
        self._at_rest.set()
        if self._ticker is not None:
            await asyncio.wait([self._ticker], timeout=REST_WITHIN_S)

    async def stop(self) -> None:
        """End."""
        if self._ticker is not None:
            self._ticker.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def idle(self) -> bool:
        """Whether all that the books say is written."""
        return not self._under_way

    def assigned(self) -> None:
        """Reading goes on from the committed offsets."""
        self._read = {}
        self._assigned_at = self._now()

    # Batches.

    async def run(self, batches: AsyncIterator[Batch]) -> None:
        """Take batches as they come, a few at once."""
        async for batch in batches:
            await self._slots.acquire()
            batch.begin()
            task = asyncio.create_task(self._guarded(self._handle(batch, self._books.epoch), batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Any, batch: Batch | None = None) -> None:
        """No exception leaves: the first one stops the worker, and nothing of what is under way is committed."""
        try:
            await work
        except (asyncio.CancelledError, Voided):
            pass
        except BaseException as error:  # noqa: BLE001 - the one broad handler: stop, commit nothing of this
            log.error("stopping, what is under way is not committed: %r", error)  # noqa: TRY400 - no traceback: it may show ids
            self._stopped = True
            self._on_stop(error)
        finally:
            if batch is not None:
                batch.end()
                self._slots.release()

    async def _handle(self, batch: Batch, epoch: int) -> None:
        records, began = batch.records, self._clock()
        partitions = {record.partition for record in records}
        async with self._judging:
            books = await self._books.ready(partitions)
            if books.keys() != partitions:
                raise Voided  # it was fetched before they went to others
            with self._unwritten(epoch):
                entry = await self._in_thread(self._keeper.hear, records, books, self._now())
                if self._limit.passed_at(entry.broken) is not None:
                    raise TooManyDead(self._limit.says())
                await self._finish(entry, books)
                for record in records:
                    self._read[record.topic, record.partition] = (record.offset + 1, record.timestamp, self._now())
                sent = await self._in_turn(entry, epoch)
        await sent
        for topic, count in entry.heard.items():
            self._metrics.heard.labels(topic).inc(count)
        if self._spans is not None:
            self._spans.done(records, began, self._clock())
        batch.done()

    @contextmanager
    def _unwritten(self, epoch: int) -> Iterator[None]:
        """From here on the books say more than is written, until `_send` is through."""
        if epoch != self._books.epoch or self._stopped:
            raise Voided
        self._under_way += 1
        handed_over = False
        try:
            yield
            handed_over = True
        finally:
            if not handed_over:
                self._under_way -= 1

    async def _in_turn(self, entry: Entry, epoch: int) -> asyncio.Task[None]:
        """Send in the order of the calls, while the next batch is worked on."""
        task = asyncio.create_task(self._send(entry, epoch))
        await asyncio.sleep(0)  # let it take its turn before the next one can
        return task

    async def _send(self, entry: Entry, epoch: int) -> None:
        """Outputs, acknowledged, with what is told last; states, acknowledged; then it is counted.

        Whoever finds what is told and no states takes the facts from it, and does not write the other outputs again.
        """
        try:
            async with self._sending:
                self._must_be(epoch)
                await self._deliver([one for one in entry.outputs if one.topic != RESPONSES])
                self._must_be(epoch)
                told = await self._deliver([one for one in entry.outputs if one.topic == RESPONSES])
                self._must_be(epoch)
                await self._deliver([*entry.states, *await self._marks(entry, told)])
        finally:
            self._under_way -= 1
        self._metrics.count(entry.told)
        for reason, count in entry.dead.items():
            self._metrics.dead.labels(reason).inc(count)

    def _must_be(self, epoch: int) -> None:
        if epoch != self._books.epoch or self._stopped:
            raise Voided

    async def _deliver(self, records: Sequence[Out]) -> Package:
        async def pack() -> Package:
            return await asyncio.to_thread(self._package, records)

        package = await pack() if records else Package()
        await self._sender.send(package, pack)
        self._written(records, package)
        return package

    async def _marks(self, entry: Entry, told: Package) -> list[Out]:
        """Behind the last state of each partition: up to where of `responses` all that is told is kept now."""
        marks, name = [], self._name(RESPONSES)
        counts = Counter(record.partition for record in entry.outputs if record.topic == RESPONSES)
        for partition, count in counts.items():
            first = told.offsets[TopicPartition(name, partition)]
            known = first >= 0 and not told.repeated
            end = first + count if known else await self._fetcher.end(name, partition)
            self._books.told(partition, end)
            marks.append(Out(CONVERSATIONS, partition, TOLD, b"%d" % end))
        return marks

    def _package(self, records: Sequence[Out]) -> Package:
        package, now = Package(), self._now()
        places: dict[tuple[str, int], TopicPartition] = {}
        for topic, partition, key, value, headers in records:
            tp = places.get((topic, partition))
            if tp is None:
                tp = places[topic, partition] = TopicPartition(self._name(topic), partition)
            package.add(tp, now, key, value, headers)
        return package

    def _written(self, records: Sequence[Out], package: Package) -> None:
        """Move the books' positions over what we wrote; nobody else may have written in between."""
        counts = Counter(record.partition for record in records if record.topic == CONVERSATIONS)
        positions = self._books.positions
        for partition, count in counts.items():
            offset = package.offsets[TopicPartition(self._name(CONVERSATIONS), partition)]
            known = positions.get(partition)
            if package.repeated or offset < 0:
                positions[partition] = None
            elif known is not None and offset != known:
                raise Overwritten(
                    f"{self._name(CONVERSATIONS)}, partition {partition}: another worker wrote {offset - known} "
                    "records though the partition is ours; this one ends, to read them when it is started again"
                )
            else:
                positions[partition] = offset + count

    # Posts that are written again.

    async def _finish(self, entry: Entry, books: Mapping[int, Waits]) -> None:
        """Moves, one after the other, and then whatever is retracted."""
        for move in entry.moves:
            _add(entry, await self._move(move, books[move.record.partition]))
        for gone in entry.gone:
            found = await self._fetcher.at(self._name(gone.topic), *gone.whereabouts)
            if found is None or found.value is None:
                continue  # the topic does not keep it any more
            if _is_post(found, gone):
                entry.outputs.append(self._keeper.retract(gone, found.value, self._now()))
            else:
                log.warning("%s, partition %d, offset %d: not the record of the post that is gone; it is left as it is",
                            gone.topic, *gone.whereabouts)  # fmt: skip

    async def _move(self, move: Move, books: Waits) -> Entry:
        word, partition = move.word, move.record.partition
        post = (word.post_id or "").removeprefix("x:")
        known = await self._in_thread(books.find, word.customer, word.brand, post)
        record = await self._record_of(post, word.brand, partition, known)
        if record is None:
            error = BadMessage(Reason.NOT_FOUND, "the post is in none of this partition's queues (any more)")
            return self._keeper.bury(move.record, error)
        entry: Entry = await self._in_thread(self._keeper.move, move, known, record, books, self._now())
        if entry.outputs:
            self._metrics.moves.labels(self._metrics.brand(word.brand), word.to).inc()
        return entry

    async def _record_of(self, post: str, brand: str, partition: int, known: Any) -> bytes | None:
        """The newest routed record of a post: where the books say, else among what is not read yet."""
        if known is not None and known[1].place >= 0:
            gone = Gone(partition, known[1])
            found = await self._fetcher.at(self._name(gone.topic), *gone.whereabouts)
            if found is not None and _is_post(found, gone):
                return found.value
        newest: tuple[int, bytes] | None = None
        for topic in QUEUE_TOPICS[:-1]:
            name = self._name(topic)
            start = self._read.get((name, partition), (0, 0, 0))[0]
            for record in await self._fetcher.between(name, partition, start):
                routed = None if record.value is None else read(record.value)
                if routed is not None and (routed.external_id, routed.brand) == (f"x:{post}", brand):
                    newest = max(newest or (-1, b""), (routed.revision, record.value or b""))
        return None if newest is None else newest[1]

    # The clock.

    async def _tick_on(self) -> None:
        while not self._stopped and not self._at_rest.is_set():
            await self._guarded(self._tick())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._at_rest.wait(), 1.0)

    async def _tick(self) -> None:
        books = self._books.mine()
        if not books:
            self._metrics.waiting.say({})
            return
        async with self._judging:
            epoch, wall = self._books.epoch, self._now()
            until = {partition: self._until(partition, books[partition]) for partition in books}
            with self._unwritten(epoch):
                entry, now = await self._in_thread(self._look, books, until, wall)
                await self._finish(entry, books)
                sent = await self._in_turn(entry, epoch)
        await sent
        self._metrics.waiting.say(now)
        await self._backlogs.tell(wall)

    def _look(self, books: Mapping[int, Waits], until: Mapping[int, int], wall: int) -> tuple[Entry, Counts]:
        with self._metrics.tick_seconds.time():
            return self._keeper.tick(books, until, wall, TICK), self._backlogs.look(books)

    def _until(self, partition: int, books: Waits) -> int:
        """Up to when the partition's posts are read: what an unread answer may still change is not due yet."""
        until, now = NEVER, self._now()
        for topic in HEARD_TOPICS:
            name = self._name(topic)
            done, end = self._place_of(name, partition)
            offset, timestamp, moved_at = self._read.get((name, partition), (done, 0, self._assigned_at))
            if end is not None and max(offset, done) >= end:
                self._read[name, partition] = (offset, timestamp, now)
            elif now - moved_at < HELD_FOR_MS:
                until = min(until, books.clock(timestamp) if timestamp else 0)
        return until

    def _now(self) -> int:
        return int(self._clock() * 1000)

    async def _in_thread(self, step: Callable[..., T], *arguments: Any) -> T:
        """In the one thread of the books, so that heartbeats and probes go on."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, step, *arguments)


def _add(entry: Entry, more: Entry) -> None:
    """What a move came to, behind what was there: of one key the later state counts."""
    entry.outputs += more.outputs
    entry.states += more.states
    entry.told += more.told
    entry.dead.update(more.dead)


def _is_post(found: Fetched, gone: Gone) -> bool:
    """Whether a record is of the post that the books say stands there (a topic that was made again has others)."""
    try:
        record = read(found.value or b"")
    except msgspec.DecodeError:
        return False
    return record.external_id == f"x:{gone.fact.id}" and record.event_type == "routed"
