"""`triage worker`, and how each app of ours runs: everything is checked; then it runs until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from importlib.metadata import version
from time import monotonic, time
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP
from prometheus_client import CollectorRegistry, disable_created_metrics

from agents import topics
from agents.app import App, create_app
from agents.classifiers import Counted, load_classifier
from agents.health import Answer, HealthServer
from agents.leaving import leave
from pipeline.errors import BrokerError
from pipeline.metrics import Metrics
from pipeline.settings import Settings
from pipeline.topics import TRIAGE_TOPICS

log = logging.getLogger(__name__)

STOP_WITHIN_S = 20.0
"""A stop that takes longer is cut off: what is not committed will be read again."""


def run_worker(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Check, then triage until SIGTERM or SIGINT.

    Raises:
        TopicsError, ModelError, BrokerError: something is not as it must be before the first record.
        TooManyDead: so much is broken that the worker stopped by itself.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter that nobody asks for
    metrics = Metrics(CollectorRegistry())
    classifier = load_classifier(settings, Counted(metrics))
    topics.require(settings, TRIAGE_TOPICS)
    model = classifier.model
    metrics.model.info({"name": model.name, "version": model.version, "sha256": model.sha256})
    say(f"model {model.name} {model.version}")
    if not settings.brands:
        say("the settings have no brands: all posts count as `other`; is it the right file (-s FILE, TRIAGE_SETTINGS)?")
    run(lambda: create_app(settings, classifier, metrics), say)


def run(create: Callable[[], App], say: Callable[[str], None]) -> None:
    """Run an app, made in its event loop, until it is told to stop; raise why it failed, if it did."""
    tune_interpreter()

    async def serve_new() -> None:
        await serve(create(), say)

    asyncio.run(serve_new())


def tune_interpreter() -> None:
    """Set the interpreter up for batches: measured, half as many posts a second without it.

    The garbage collector would walk through all that was imported, again and again, for objects that hold no cycles;
    and the event loop would wait 5 ms for the interpreter's lock after every read and write, while a batch is judged.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)
    sys.setswitchinterval(0.0005)


async def serve(app: App, say: Callable[[str], None]) -> None:
    """Run the app and its probes until the app is told to stop, or fails; then raise why."""
    settings, metrics = app.settings, app.metrics
    metrics.build.info({"version": version("tweet-triage")})
    progress = Progress(app, settings.worker.stalled_after_s)
    health = HealthServer(
        settings.metrics.host, settings.metrics.port, metrics.registry, healthy=progress.healthy, ready=progress.ready
    )
    if health.moved:
        say(f"port {settings.metrics.port} is taken: /metrics is on {health.port}")
    say(f"metrics {health.address}/metrics")
    health.start()
    try:
        await _run_until_stopped(app, progress, say)
    finally:
        health.stop()
    if isinstance(app.failure, KafkaError):
        raise BrokerError(f"the broker refused what cannot be done without it: {app.failure!r}") from app.failure
    if app.failure is not None:
        raise app.failure


async def _run_until_stopped(app: App, progress: Progress, say: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.stop_wanted.set)
    try:
        for edge in app.edges:
            await edge.start()
    except KafkaError as error:
        raise BrokerError(f"cannot connect to {app.settings.kafka.bootstrap_servers}: {error}") from error
    await app.start()
    ticking = asyncio.create_task(_tick(progress))  # not before: there is no consumer yet to be looked at
    say("ready")
    crashed = asyncio.create_task(app._crashed.wait())  # noqa: SLF001 - mode has no public way to wait for it
    wanted = asyncio.create_task(app.stop_wanted.wait())
    await asyncio.wait([crashed, wanted], return_when=asyncio.FIRST_COMPLETED)
    for task in (crashed, wanted, ticking):
        task.cancel()
    if app.crashed and app.failure is None:
        app.failure = app.crash_reason
    await _stop(app)


async def _stop(app: App) -> None:
    """Drain, commit, leave the group; a broker that is away does not hold the stop up."""
    await app.rest()
    stopping = asyncio.create_task(app.stop())
    done, _ = await asyncio.wait([stopping], timeout=STOP_WITHIN_S)
    if not done:
        log.warning("the stop was cut off after %.0f s; what is not committed will be read again", STOP_WITHIN_S)
        stopping.cancel()
    if app.leaves and app.settings.worker.instance_id is not None:
        await leave(app.settings, app.conf.id)
    for edge in reversed(app.edges):
        await edge.stop()


async def _tick(progress: Progress) -> None:
    while True:
        await asyncio.sleep(1.0)
        await progress.tick()


class Progress:
    """Whether offsets move while there is lag; a broker that is away is no reason to be restarted."""

    def __init__(self, app: App, patience_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._app = app
        self._patience_s = patience_s
        self._clock = clock
        self._moved_at = clock()
        self._committed: dict[TP, int] = {}

    async def tick(self) -> None:
        """Once a second: look at the offsets, set the gauges."""
        consumer: Any = self._app.consumer
        metrics = self._app.metrics
        metrics.connections.set(consumer.connections())
        assigned = consumer.assignment()
        committed: dict[TP, int] = {tp: consumer.done_until(tp) for tp in assigned}
        metrics.forget_partitions((tp.topic, tp.partition) for tp in self._committed if tp not in assigned)
        lagging = False
        for tp, offset in committed.items():
            try:
                end = consumer.highwater(tp) or offset
            except AssertionError:  # aiokafka's word for a partition that was taken away since we asked
                continue
            since = consumer.ledger.waiting_since(tp)
            lagging = lagging or end > offset
            labels = (tp.topic, str(tp.partition))
            metrics.committed_offset.labels(*labels).set(offset)
            metrics.end_offset.labels(*labels).set(end)
            metrics.lag_seconds.labels(*labels).set(0 if since is None else time() - since / 1000)
        if committed != self._committed or not lagging or not await asyncio.to_thread(self._broker_answers):
            self._moved_at = self._clock()
        self._committed = committed

    def healthy(self) -> Answer:
        """For /healthz."""
        still = self._clock() - self._moved_at
        return Answer(still < self._patience_s, f"offsets moved, or there was nothing to do, {still:.0f} s ago")

    def ready(self) -> Answer:
        """For /readyz: the app is, and a broker can be reached."""
        answer = self._app.ready()
        if answer.fine and not self._broker_answers():
            return Answer(fine=False, why="no broker can be reached: what comes waits for it")
        return answer

    def _broker_answers(self) -> bool:
        return any(map(_answers, self._app.settings.kafka.bootstrap_servers))


def _answers(server: str) -> bool:
    """Whether somebody takes a connection there."""
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=1).close()
    except OSError:
        return False
    return True
