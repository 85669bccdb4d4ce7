"""`triage post`: checks everything, then posts until it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import KafkaError
from prometheus_client import CollectorRegistry, disable_created_metrics

from agents import clients, topics
from agents.health import Answer, HealthServer
from agents.one_for_all import OneForAll
from agents.poster import Parts, Poster
from agents.pulse import steady
from agents.reply_log import ReplyLog
from agents.reply_outputs import Outputs, Send
from agents.spans import spans
from agents.turns_seen import TurnsSeen
from agents.x_calls import accounts
from pipeline.clocks import Clock, SystemClock
from pipeline.errors import BrokerError
from pipeline.poster_metrics import PosterMetrics
from pipeline.settings import Settings
from pipeline.topics import CONVERSATIONS, POSTER_TOPICS, REPLIES, REPLIES_LOG

ACK_WITHIN_S = 130.0
"""The producer itself tries for two minutes."""


class Moves(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells that partitions have come or gone."""

    def __init__(self, on_move: Callable[[], None]) -> None:
        self._on_move = on_move

    def on_partitions_revoked(self, _: Iterable[Any]) -> None:
        """They are gone."""
        self._on_move()

    def on_partitions_assigned(self, _: Iterable[Any]) -> None:
        """They have come."""
        self._on_move()


def run_poster(
    settings: Settings,
    *,
    say: Callable[[str], None],
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    hook: Callable[[str, str], None] = lambda *_: None,
) -> None:
    """Check, then post until SIGTERM or SIGINT, or until `stop` is set.

    Raises:
        SettingsError: credentials are missing, or X does not take them.
        TopicsError, BrokerError: something is not as it must be.
    """
    clock = clock or SystemClock()
    found = accounts(settings, clock)
    disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter that nobody asks for
    topics.require(settings, POSTER_TOPICS)
    metrics = PosterMetrics(CollectorRegistry(), settings, clock.now)
    metrics.build.info({"version": version("tweet-triage")})
    stop = stop or threading.Event()
    with ExitStack() as stack:
        parts = _parts(settings, metrics, stack)._replace(accounts=found)
        for account in found.values():
            stack.callback(account.close)
        poster = Poster(settings, parts, clock=clock, hook=hook)
        parts.consumer.partitions_for_topic(settings.topics.name(REPLIES))  # to be known when they are divided
        parts.consumer.subscribe([settings.topics.name(REPLIES)], listener=Moves(poster.changed))
        stack.enter_context(_probes(settings, metrics, poster, say))
        stack.enter_context(_signals(stop))
        without = [brand.name for brand in settings.brands if brand.name not in found]
        if without:
            say(f"no tokens for {', '.join(without)}: their answers go to replies.dead")
        say("ready")
        poster.run(stop)


def _parts(settings: Settings, metrics: PosterMetrics, stack: ExitStack) -> Parts:
    producer = clients.producer(settings.kafka, linger_ms=0)
    stack.callback(producer.close, timeout=5)
    send = sender(producer, settings)
    follower = clients.consumer(settings.kafka)
    stack.callback(follower.close)
    turns = TurnsSeen(follower, settings.topics.name(CONVERSATIONS))
    turns.start()
    consumer = _group(settings)
    stack.callback(consumer.close, autocommit=False)
    settle_ms = round(1000 * (settings.poster.call_timeout_s + settings.poster.shown_after_s))
    made = spans(settings, "poster", group=settings.poster.group)
    if made is not None:
        stack.callback(made.close)
    reply_log = ReplyLog(lambda key, value: send(REPLIES_LOG, key, value, [], None), settle_ms=settle_ms)
    return Parts(
        consumer,
        lambda: clients.consumer(settings.kafka),
        Outputs(settings, send, turns),
        reply_log,
        turns,
        {},
        metrics,
        made,
    )


def sender(producer: KafkaProducer, settings: Settings) -> Send:
    """Sends one record and waits for all replicas."""

    def send(
        topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], partition: int | None
    ) -> None:
        name = settings.topics.name(topic)
        try:
            producer.send(name, value, key, headers=headers, partition=partition).get(timeout=ACK_WITHIN_S)
        except KafkaError as error:
            raise BrokerError(f"{name} does not take records ({error!r}): check the broker; start it again") from error

    return send


def _group(settings: Settings) -> KafkaConsumer:
    """In the poster's group, of which one member has all partitions."""
    session_ms = round(settings.worker.session_timeout_s * 1000)
    return clients.consumer(
        settings.kafka,
        group_id=settings.poster.group,
        group_instance_id=settings.worker.instance_id,
        partition_assignment_strategy=[OneForAll],
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=session_ms // 4,
    )


@contextmanager
def _probes(settings: Settings, metrics: PosterMetrics, poster: Poster, say: Callable[[str], None]) -> Any:
    def healthy() -> Answer:
        still = steady() - poster.turned_at
        return Answer(still < settings.worker.stalled_after_s + ACK_WITHIN_S, f"the loop went round {still:.0f} s ago")

    def ready() -> Answer:
        return Answer(fine=True, why="posting" if poster.active else "standing by: another process posts")

    host, port = settings.metrics.host, settings.metrics.port
    health = HealthServer(host, port, metrics.registry, healthy=healthy, ready=ready)
    if health.moved:
        say(f"port {port} is taken: /metrics is on {health.port}")
    say(f"metrics {health.address}/metrics")
    health.start()
    try:
        yield
    finally:
        health.stop()


@contextmanager
def _signals(stop: threading.Event) -> Any:
    """SIGTERM and SIGINT let it end in good order; signals reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
