"""The one thread that sends: from the read loop's queue to Kafka, within a budget of bytes; spilled to disk beyond it.

The read loop only puts. Whatever is sent is kept in order until Kafka has acknowledged it, so that it is known up to
when all that came is in Kafka; a record that Kafka fails is sent again. What neither Kafka nor the disk takes is
counted, forgotten and told, so that it can be looked for.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from kafka.errors import AuthorizationError, KafkaError, MessageSizeTooLargeError

from agents.line import Line, Parcel, Ticket, traced
from agents.spans import Spans
from agents.spill import Spill
from pipeline.brands import Brands
from pipeline.clocks import Clock
from pipeline.errors import BrokerError, TriageError
from pipeline.intake import Taken, is_new, take
from pipeline.listener_metrics import ListenerMetrics
from pipeline.outbox import Place
from pipeline.quiet import Quiet
from pipeline.seen import Seen
from pipeline.settings import Settings
from pipeline.topics import API_HEADER, TWEETS
from pipeline.traces import going_on, of

log = logging.getLogger(__name__)

TURN_S = 0.05
"""At least so often the thread looks at what was acknowledged."""
MOST_A_TURN = 500
OVERHEAD = 200
"""Bytes that a record takes beside its value."""
RESEND_AFTER_S = 0.2
FATAL = (AuthorizationError,)


class CannotSend(Exception):
    """Raised inside the thread when Kafka will never take our records."""


class Producer(Protocol):
    """What is needed of kafka-python's producer."""

    def send(self, topic: str, value: bytes, key: bytes | None, headers: list[tuple[str, bytes]],
             partition: int | None) -> Any:  # fmt: skip
        """Take a record; the future that it gives tells what became of it."""


class Safe(NamedTuple):
    """Up to when all that was read is in Kafka."""

    read_at: float
    """Seconds since 1970."""
    mark: str | None


class Flight:
    """A record on its way."""

    __slots__ = ("began", "done", "mark", "parcel", "read_at", "size", "ticket")

    def __init__(self, parcel: Parcel, read_at: float, began: float | None, mark: str | None,
                 ticket: Ticket | None) -> None:  # fmt: skip
        self.parcel = parcel
        self.read_at = read_at
        self.began = began
        self.mark = mark
        self.ticket = ticket
        self.size = len(parcel.value) + OVERHEAD
        self.done = False


class Outlet:
    """Takes lines from one reader and parcels from others.

    Args:
        settings: names, budgets.
        producer: idempotent, and never giving up by itself.
        spill: where lines wait while Kafka is away.
        seen: which posts have come; touched by this thread only, once it is started.
        quiet: is told how many posts came.
        metrics: counts what is acknowledged.
        clock: tells the time.
        on_lost: is told when a line that could not be kept was read; and None when lines can be kept again.
        on_stop: is called with an error that makes going on pointless.
        spans: is told of what begins a trace and is acknowledged.
    """

    def __init__(
        self,
        settings: Settings,
        producer: Producer,
        spill: Spill,
        *,
        seen: Seen,
        quiet: Quiet,
        metrics: ListenerMetrics,
        clock: Clock,
        on_lost: Callable[[float | None], None],
        on_stop: Callable[[BaseException], None],
        spans: Spans | None = None,
    ) -> None:
        self._settings = settings.listener
        self._name = settings.topics.name
        self._brands = Brands(settings.brands)
        self._producer = producer
        self._spill = spill
        self._seen = seen
        self._quiet = quiet
        self._metrics = metrics
        self._clock = clock
        self._on_lost, self._on_stop = on_lost, on_stop
        self._spans, self._sampled = spans, settings.traces.sampled
        self._lines: SimpleQueue[Line] = SimpleQueue()
        self._parcels: SimpleQueue[tuple[Parcel, Ticket]] = SimpleQueue()
        self._flights: deque[Flight] = deque()
        self._failed: SimpleQueue[tuple[Flight, BaseException]] = SimpleQueue()
        self._waits: deque[float] = deque()
        self._lags: list[float] = []
        self._room = Event()
        self._put = self._took = self._sent = self._freed = 0  # bytes; each is written by one thread
        self._losing = self._aborted = False
        self._ending = Event()
        self._safe = Safe(clock.now(), None)
        self.lag_s = 0.0
        """created_at of the last post of the stream to its line read."""
        self.beat = clock.monotonic()
        """When the thread last came round."""
        self._thread = Thread(target=self._run, name="outlet", daemon=True)

    # What others call.

    def start(self, whole_until: float) -> None:
        """Begin to send; until now all that was read before `whole_until` is in Kafka."""
        self._safe = Safe(whole_until, None)
        self._thread.start()

    def put(self, value: bytes, api: bytes = b"stream", mark: str | None = None) -> None:
        """Hand a line over; returns at once, unless the sending thread is far behind: then the reading slows down."""
        while self._put - self._took > self._settings.hand_over_bytes and not self._ending.is_set():
            self._clock.sleep(0.01)
        self._put += len(value)
        self._lines.put(Line(value, api, self._clock.now(), perf_counter(), mark))

    def deliver(self, parcels: Sequence[Parcel]) -> Ticket:
        """Have records sent after the lines of the stream, never spilled; the ticket tells when Kafka has them."""
        ticket = Ticket(len(parcels))
        for parcel in parcels:
            self._parcels.put((parcel, ticket))
        return ticket

    @property
    def safe(self) -> Safe:
        """Up to when all that was read is in Kafka."""
        return self._safe

    @property
    def spilling(self) -> bool:
        """Whether lines wait on disk."""
        return not self._spill.empty

    def stop(self, within_s: float) -> bool:
        """Send what is left, and end; whether Kafka has all of it."""
        self._ending.set()
        self._thread.join(within_s)
        self._aborted = True
        self._thread.join(10)
        self._spill.close()
        return not self._flights and self._spill.empty

    def abort(self) -> None:
        """End at once: another listener has the lease."""
        self._aborted = True
        self._ending.set()

    # The thread.

    def _run(self) -> None:
        ended: TriageError = BrokerError("the sending thread of the listener broke down; its log says why")
        try:
            while not self._is_over():
                self._turn()
        except (KafkaError, CannotSend) as error:
            ended = BrokerError(f"Kafka does not take what the listener reads, so it stops: {error}")
        finally:
            if not self._is_over():
                self._on_stop(ended)

    def _is_over(self) -> bool:
        done = self._lines.empty() and not self._flights and self._spill.empty
        return self._aborted or (self._ending.is_set() and done)

    def _turn(self) -> None:
        """Send what has come, settle what was acknowledged."""
        began = self._clock.now()
        lines = self._next_lines()
        for line in lines:
            self._took += len(line.value)
            self._line(line)
        self._from_spill()
        self._some_parcels()
        self._resend()
        self._settle(began, idle=not lines)
        self.beat = self._clock.monotonic()

    def _next_lines(self) -> list[Line]:
        """What waits, MOST_A_TURN at most."""
        lines: list[Line] = []
        try:
            lines.append(self._lines.get(timeout=TURN_S if self._parcels.empty() else 0.001))
            while len(lines) < MOST_A_TURN:
                lines.append(self._lines.get_nowait())
        except Empty:
            pass
        return lines

    def _line(self, line: Line) -> None:
        """Send a line, or spill it where others wait already or the budget is used up."""
        if not self._spill.empty or not self._has_room(len(line.value) + OVERHEAD):
            self._keep_on_disk(line)
        else:
            self._send_line(line)

    def _keep_on_disk(self, line: Line) -> None:
        if self._spill.append(line):
            return
        self._metrics.lost.labels("no_room").inc()
        self._losing = True
        self._on_lost(line.read_at)

    def _kept(self) -> None:
        """A line goes to Kafka; with nothing before it on disk, the time in which lines were lost is over."""
        if self._losing and self._spill.empty:
            self._losing = False
            self._on_lost(None)

    def _has_room(self, size: int) -> bool:
        """Whether the budget has room; waits a little: that slows the listener down."""
        if self._fits(size):
            return True
        until = perf_counter() + self._settings.slow_for_s
        while not self._fits(size) and not self._ending.is_set() and (left := until - perf_counter()) > 0:
            self._room.clear()
            self._room.wait(min(left, TURN_S))
            self._resend()
        return self._fits(size)

    def _fits(self, size: int) -> bool:
        under_way = self._sent - self._freed
        return not under_way or under_way + size <= self._settings.in_flight_bytes  # alone, the largest goes too

    def _send_line(self, line: Line) -> None:
        taken = take(line.value, self._brands)
        self._notice(line, taken)
        parcel = Parcel(TWEETS, taken.key, line.value, ((API_HEADER, line.api),), post=taken)
        flight = Flight(parcel, line.read_at, line.began, line.mark, None)
        self._kept()
        if not is_new(taken, self._seen):
            self._metrics.repeated.inc()
            flight.done, flight.size = True, 0
            self._flights.append(flight)  # its mark has its place in the order
            return
        self._flights.append(flight)
        flight.parcel = traced(parcel, self._sampled)
        self._send(flight)

    def _notice(self, line: Line, taken: Taken) -> None:
        if taken.created_at is not None and line.began is not None:
            self.lag_s = max(0.0, line.read_at - taken.created_at / 1000)
            self._lags.append(self.lag_s)

    def _send(self, flight: Flight) -> None:
        """Give a record to the producer, whose thread tells the end of it."""
        topic, key, value, headers, partition, post = flight.parcel
        self._sent += flight.size
        try:
            future = self._producer.send(
                self._name(topic), value=value, key=key, headers=list(headers), partition=partition
            )
        except MessageSizeTooLargeError:
            self._metrics.lost.labels("too_big").inc()
            with going_on(of(headers)):
                log.error("a record of %d bytes is larger than the topic takes; it is lost", len(value))  # noqa: TRY400
            if post is not None and post.key is not None:
                self._seen.forget(post.first_id)
            self._sent -= flight.size
            flight.done, flight.size = True, 0
            if flight.ticket is not None:
                flight.ticket.one(fresh=False)
            self._on_lost(flight.read_at)
            self._losing = True
        except KafkaError as error:
            self._failed.put((flight, error))
        else:
            future.add_callback(self._acknowledged, flight)
            future.add_errback(self._refused, flight)

    def _from_spill(self) -> None:
        """What waits on disk, as far as the budget goes."""
        for _ in range(MOST_A_TURN):
            line = self._spill.peek()
            if line is None or not self._fits(len(line.value) + OVERHEAD):
                return
            self._spill.pop()
            self._send_line(line)

    def _some_parcels(self) -> None:
        """What others found, while nothing of the stream waits."""
        for _ in range(MOST_A_TURN):
            if not self._spill.empty or not self._lines.empty() or not self._fits(OVERHEAD):
                return
            try:
                parcel, ticket = self._parcels.get_nowait()
            except Empty:
                return
            if parcel.post is not None and not is_new(parcel.post, self._seen):
                self._metrics.repeated.inc()
                ticket.one(fresh=False)
                continue
            flight = Flight(traced(parcel, self._sampled), self._clock.now(), None, None, ticket)
            self._flights.append(flight)
            self._send(flight)

    def _resend(self) -> None:
        """What Kafka failed; in its own time, for a broker that fails at once is not to be hammered."""
        failed: list[Flight] = []
        while True:
            try:
                flight, error = self._failed.get_nowait()
            except Empty:
                break
            if isinstance(error, FATAL):
                raise CannotSend(repr(error)) from error
            with going_on(of(flight.parcel.headers)):
                log.warning("a record of %s is sent again: %r", flight.parcel.topic, error)
            failed.append(flight)
        if failed:
            self._clock.sleep(RESEND_AFTER_S)
            self._metrics.resent.inc(len(failed))
            for flight in failed:
                self._sent -= flight.size
                self._send(flight)

    def _settle(self, now: float, *, idle: bool) -> None:
        """Move on over what is acknowledged, and tell the metrics."""
        flights, mark, counts = self._flights, self._safe.mark, dict[str, int]()
        read_at = self._safe.read_at
        while flights and flights[0].done:
            flight = flights.popleft()
            mark = flight.mark or mark
            read_at = max(read_at, flight.read_at) if flight.ticket is None else read_at
            if flight.size:
                counts[flight.parcel.topic] = counts.get(flight.parcel.topic, 0) + 1
        if idle and not flights and self._spill.empty:
            read_at = max(read_at, now)  # whatever was read before this turn is through
        self._safe = Safe(read_at, mark)
        self._tell(counts)

    def _tell(self, counts: dict[str, int]) -> None:
        metrics = self._metrics
        for topic, count in counts.items():
            metrics.kept.labels(topic).inc(count)
        metrics.in_flight.set(self._sent - self._freed)
        metrics.spilled.set(self._spill.bytes)
        if self._lags:
            self._quiet.count(len(self._lags), self._clock.monotonic())
            metrics.ingest_lag.observe_all(self._lags)
            self._lags.clear()
        if self._waits:
            metrics.hand_over.observe_all([self._waits.popleft() for _ in range(len(self._waits))])

    # Called by the producer's thread.

    def _acknowledged(self, flight: Flight, metadata: Any) -> None:
        if self._spans is not None:
            place = Place(metadata.topic, metadata.partition, metadata.offset)
            self._spans.sent(of(flight.parcel.headers), place, flight.read_at, self._clock.now())
        if flight.began is not None:
            self._waits.append(perf_counter() - flight.began)
        self._land(flight)

    def _refused(self, flight: Flight, error: BaseException) -> None:
        self._failed.put((flight, error))

    def _land(self, flight: Flight) -> None:
        self._freed += flight.size
        flight.done = True
        if flight.ticket is not None:
            flight.ticket.one(fresh=True)
        self._room.set()
