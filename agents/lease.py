"""One active listener: who is assigned the one partition of `listener.lease` by Kafka's own group, listens."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaConnectionError, KafkaError

from agents import clients
from agents.pulse import steady
from pipeline.settings import Settings

log = logging.getLogger(__name__)

LEASE = "listener.lease"
POLL_MS = 200


class Lease:
    """Polls on a thread of its own; a standstill longer than the session lasts counts as lost, as it does for Kafka.

    Args:
        settings: group, session, broker.
        clock: seconds, of the time in which the machine slept too.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = steady) -> None:
        self._settings = settings
        self._clock = clock
        self._limit_s = settings.listener.session_timeout_s * 0.75  # one heartbeat may be that old already
        self._ending = Event()
        self._assigned = False
        self._polled = clock()
        self.held_event = Event()
        """Set while it is held."""
        self.lost_event = Event()
        """Set when it was lost; cleared by whoever begins to listen."""
        self._thread = Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Join the group."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the group at once, so that the next one takes over without waiting."""
        self._ending.set()
        self._thread.join(self._settings.listener.session_timeout_s + 10)

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def held(self) -> bool:
        """Whether we may listen and write."""
        if self._assigned and self._clock() - self._polled > self._limit_s:
            log.warning("this process, or the way to Kafka, stood still: the lease counts as lost")
            self._lose()
        return self._assigned

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._take_part()
            except KafkaError as error:
                log.warning("the lease cannot be asked for: %r", error)
                self._lose()
                self._ending.wait(1.0)

    def _take_part(self) -> None:
        timeout_ms = int(self._settings.listener.session_timeout_s * 1000)
        consumer: KafkaConsumer = clients.consumer(
            self._settings.kafka,
            group_id=self._settings.topics.name(self._settings.listener.group),
            session_timeout_ms=timeout_ms,
            heartbeat_interval_ms=timeout_ms // 4,
            max_poll_interval_ms=timeout_ms * 2,
            reconnect_backoff_max_ms=1000,
            partition_assignment_strategy=[CooperativeStickyAssignor],  # who has it keeps it when another one joins
        )
        topic = self._settings.topics.name(LEASE)
        try:
            consumer.subscribe([topic], listener=_Told(self))
            consumer.partitions_for_topic(
                topic
            )  # kafka-python forgets to join again if it learns of them while it joins
            while not self._ending.is_set():
                self._poll(consumer)
                self.held()  # a standstill before this poll is noticed before it is forgotten
                self._polled = self._clock()
        finally:
            self._lose()
            consumer.close()

    def _poll(self, consumer: KafkaConsumer) -> None:
        """A broker that is away is no reason to hang up: nobody else can be assigned the partition meanwhile."""
        try:
            consumer.poll(timeout_ms=POLL_MS)
        except KafkaConnectionError as error:  # most polls then say nothing, some say this
            log.warning("Kafka is away, the lease is kept: %r", error)
            self._ending.wait(POLL_MS / 1000)

    def gain(self) -> None:
        """Kafka assigned us the partition."""
        self._polled = self._clock()
        self._assigned = True
        self.held_event.set()

    def _lose(self) -> None:
        if self._assigned:
            self._assigned = False
            self.held_event.clear()
            self.lost_event.set()


class _Told(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def on_partitions_revoked(self, revoked: object) -> None:
        """Another listener may begin."""
        if revoked:
            self._lease._lose()  # noqa: SLF001 - one class in two parts

    def on_partitions_assigned(self, assigned: object) -> None:
        """We are the one, if the partition is among them."""
        if assigned:
            self._lease.gain()

    def on_partitions_lost(self, lost: object) -> None:
        """Kafka has given it to another one."""
        self.on_partitions_revoked(lost)
