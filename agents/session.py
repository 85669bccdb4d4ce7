"""One time of holding the lease: what is known is read from Kafka, then it listens until it is stopped or loses it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import NamedTuple

from kafka import KafkaProducer

from agents import clients, listener_state
from agents.errands import Errand, Errands
from agents.filling import Filling
from agents.listener_state import StateLog
from agents.listening import Listening, Parts
from agents.outlet import Outlet
from agents.remembering import remember
from agents.sources import Source
from agents.spans import Spans
from agents.spill import Spill, folder_of
from pipeline.backoff import Backoff, Cause
from pipeline.clocks import Clock
from pipeline.errors import BrokerError, TriageError
from pipeline.gap_book import GapBook
from pipeline.gaps import Checkpoint
from pipeline.listener_metrics import ListenerMetrics
from pipeline.quiet import Quiet
from pipeline.seen import Seen
from pipeline.settings import Settings
from pipeline.topics import TWEETS

log = logging.getLogger(__name__)

FOR_EVER_MS = 2**31 - 1
"""The producer never gives a record up by itself: sent again by us, it might stand there twice."""
LOOK_EVERY_S = 0.25
DRAIN_WITHIN_S = 10.0
JOIN_WITHIN_S = 10.0
FORGET_EVERY_S = 3600.0


class Tools(NamedTuple):
    """What errands are made with."""

    outlet: Outlet
    state: StateLog
    marks: dict[str, Checkpoint]
    """The checkpoints that were found."""


class Outside(NamedTuple):
    """What a session meets outside; passed in."""

    settings: Settings
    source: Source
    errands: Callable[[Tools], list[Errand]]
    """Makes what is done beside the stream and the gaps."""
    metrics: ListenerMetrics
    clock: Clock
    say: Callable[[str], None]
    spans: Spans | None = None


class Session:
    """Everything that runs while the lease is held.

    Raises (the constructor):
        TopicsError, BrokerError: what is known cannot be read, or no record can be sent.
    """

    def __init__(self, outside: Outside, backoff: Backoff | None = None) -> None:
        self._outside = outside
        settings, source, _, metrics, clock, say, _ = outside
        limits = settings.listener
        self._ended = Event()
        self._error: BaseException | None = None
        self._began = clock.now()
        known = listener_state.read(settings)
        self._checkpoint = known.checkpoints.get(source.name)
        self._producer = idempotent_producer(settings, say)
        self._state = StateLog(settings, self._producer)
        seen = Seen(limits.remembered_posts)
        self._remember(seen, [gap.since for gap in known.gaps if gap.closed_at is None])
        gaps = [gap for gap in known.gaps if gap.source == source.name]
        self.book = GapBook(source.name, gaps, metrics, self._state.gap)
        quiet = Quiet(share=limits.quiet_share, posts=limits.quiet_posts)
        folder = folder_of(
            limits.spill.folder, clients.cluster_of(settings.kafka), settings.topics.prefix, limits.group
        )
        self.outlet = Outlet(
            settings, self._producer, Spill(folder, limits.spill.bytes, limits.spill.kept_s), seen=seen,
            quiet=quiet, metrics=metrics, clock=clock, on_lost=self._lost, on_stop=self._stop_with,
            spans=outside.spans,
        )  # fmt: skip
        self.listening = Listening(
            Parts(source, self.outlet, self.book, quiet, metrics, clock, say), limits, self._attempts(backoff)
        )
        tools = Tools(self.outlet, self._state, known.checkpoints)
        filling = Filling(source, self.outlet, self.book, clock, limits.second_sweep_s, say)
        self.errands = Errands([filling, *outside.errands(tools)], clock, metrics)
        self._thread = Thread(target=self._listen, name="stream", daemon=True)

    def run(self, over: Callable[[], bool]) -> None:
        """Listen until `over` says so; then what was read is brought to Kafka, and the last checkpoint with it.

        Raises:
            SettingsError: the source will not let us in.
            BrokerError: Kafka does not take what is read.
        """
        clock = self._outside.clock
        self._open_restart()
        self.outlet.start(self._began if self._checkpoint is None else self._checkpoint.whole_until)
        self._thread.start()
        self.errands.start()
        checkpoint_at = forget_at = clock.monotonic()
        while not over() and not self._ended.is_set():
            clock.wait(self._ended, LOOK_EVERY_S)
            self.listening.look()
            if self.errands.failed is not None:
                self._stop_with(self.errands.failed)
            if clock.monotonic() >= checkpoint_at:
                checkpoint_at = clock.monotonic() + self._outside.settings.listener.checkpoint_s
                self._write_checkpoint()
            if clock.monotonic() >= forget_at:
                forget_at = clock.monotonic() + FORGET_EVERY_S
                for identity in self.book.forget(clock.now()):
                    self._state.forget_gap(identity)

    def close(self, *, held: bool) -> Backoff:
        """End; what was read goes to Kafka, and if the lease is still `held`, how far that is.

        Returns what is known of attempts to connect, for the next session.
        """
        self.listening.stop()
        self.errands.stop()
        self._thread.join(JOIN_WITHIN_S)
        if not held:
            self._state.close()
        whole = self.outlet.stop(DRAIN_WITHIN_S)
        if held:
            self._write_checkpoint()
        if not whole:
            self._outside.say("Kafka did not take all that was read: the next start looks for the rest")
        self._producer.close(timeout=DRAIN_WITHIN_S if whole else 0)
        return self.listening.backoff

    @property
    def error(self) -> BaseException | None:
        """What ended it, if something did."""
        return self._error

    def _remember(self, seen: Seen, since: list[float]) -> None:
        starts = since + ([] if self._checkpoint is None else [self._checkpoint.whole_until])
        if starts:
            margin = self._outside.settings.listener.late_s
            remember(self._outside.settings, min(starts) - margin, seen)

    def _attempts(self, own: Backoff | None) -> Backoff:
        """Attempts to connect of the listener before this one count too, and the limit that X told it holds.

        `own`: of an earlier time of holding the lease.
        """
        most, last = self._outside.settings.listener.connects_per_15_min, self._checkpoint
        if last is None:
            return own or Backoff(most=most)
        left = Backoff.resumed(last.attempts, last.not_before, self._began, most=most)
        return left if own is None else own.joined(left)

    def _open_restart(self) -> None:
        """All since the last checkpoint may be missing; and what could not be kept before can be kept again."""
        self.book.end(self._began, overflow=True)
        if self._checkpoint is not None and not self._outside.source.resumes:
            self.book.open(Cause.RESTART, self._checkpoint.whole_until, self._began)

    def _listen(self) -> None:
        error: BaseException | None = TriageError("the listening thread broke down; its log says why")
        try:
            last = self._checkpoint
            self.listening.run(*((None, None) if last is None else (last.place, last.whole_until)))
            error = None
        except TriageError as found:
            error = found
        finally:
            if error is not None:
                self._stop_with(error)

    def _lost(self, read_at: float | None) -> None:
        """Told by the outlet: a line could not be kept, or (None) lines can be kept again."""
        now = self._outside.clock.now()
        if read_at is None:
            self.book.end(now, overflow=True)
        else:
            self.book.lost(read_at - self._outside.settings.listener.late_s - self.outlet.lag_s, now)

    def _stop_with(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self._ended.set()

    def _write_checkpoint(self) -> None:
        """What was made a lateness before what is certain has come, and what is safe is in Kafka.

        Gaps have records of their own; a checkpoint never overtakes one that is not written yet.
        """
        self._state.retry()
        if not self._state.settled:
            return
        now, safe, last = self._outside.clock.now(), self.outlet.safe, self._checkpoint
        come = min(safe.read_at, self.listening.certain_until)
        whole_until = come - self._outside.settings.listener.late_s - self.outlet.lag_s
        place = safe.mark or self.listening.first_mark  # nothing comes before the first
        if last is not None:
            whole_until, place = max(whole_until, last.whole_until), place or last.place
        backoff = self.listening.backoff
        self._checkpoint = Checkpoint(whole_until, None, now, backoff.attempts, backoff.limited_until).at(place)
        self._state.checkpoint(self._outside.source.name, self._checkpoint)


def idempotent_producer(settings: Settings, say: Callable[[str], None]) -> KafkaProducer:
    """A producer that writes each record once, and says so.

    Raises:
        BrokerError: no broker answers, or idempotence is not on.
        TopicsError: there is no topic `tweets`.
    """
    producer: KafkaProducer = clients.producer(
        settings.kafka,
        linger_ms=settings.listener.linger_ms,
        delivery_timeout_ms=FOR_EVER_MS,
        metrics_enabled=False,  # its own metrics take most of its time, and nobody reads them
        reconnect_backoff_max_ms=1000,  # half a minute is long for a stream that waits
    )
    config = producer.config
    if not config["enable_idempotence"] or config["acks"] != -1:
        producer.close(timeout=0)
        raise BrokerError("the producer is not idempotent: the broker must be 0.11 or newer, and acks all")
    producer.partitions_for(settings.topics.name(TWEETS))
    say(f"to Kafka with enable_idempotence={config['enable_idempotence']}, acks=all (on the wire {config['acks']})")
    return producer
