"""The Faust apps of our programs, with nothing done at import time and nothing discovered; create_app: triage's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import time
from typing import Any, Protocol, TypeVar

import faust
from mode import CrashingSupervisor

from agents import clients
from agents.health import Answer
from agents.sender import Sender
from agents.spans import spans
from agents.transport import Transport
from agents.triage import Triage
from pipeline.classify import Classifier
from pipeline.metrics import Metrics, Streaming
from pipeline.settings import Settings
from pipeline.topics import TWEETS

log = logging.getLogger(__name__)

HEARTBEAT_S = 0.5
"""A member hears with its next heartbeat that the partitions are divided anew; until then all wait for it."""
A = TypeVar("A", bound="App")


class Edge(Protocol):
    """What an app needs beside Faust: started before it, stopped after it."""

    async def start(self) -> None:
        """Connect, begin."""

    async def stop(self) -> None:
        """Disconnect, end."""


class App(faust.App):
    """A Faust app on the batched transport, which knows why it stopped."""

    settings: Settings
    metrics: Streaming
    edges: list[Edge]
    """In the order in which they start; they stop the other way round."""
    leaves: bool = False
    """Whether it leaves its group when it stops in order, though it is a static member: where taking over is cheap."""
    co_partitioned = False
    """Whether partition p of all its topics goes to one worker."""
    failure: BaseException | None = None
    stop_wanted: asyncio.Event

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self, loop=self.loop)

    async def on_first_start(self) -> None:
        """Make no data folder: nothing is kept on this machine."""

    async def rest(self) -> None:
        """Finish what was begun besides the batches; nothing, unless an app has such work."""

    def fail(self, error: BaseException) -> None:
        """Stop in order, because of an error; the first one counts."""
        self.failure = self.failure or error
        self.stop_wanted.set()

    def ready(self) -> Answer:
        """For /readyz."""
        if not self.started or not self.consumer.assignment():
            return Answer(fine=False, why="no partitions assigned yet")
        return Answer(fine=True, why="group joined, topics fine")


def new_app(settings: Settings, group: str, metrics: Streaming, *, kind: type[A]) -> A:
    """An app that does nothing yet, in its own group; it counts its rebalances."""
    app = kind(**_faust_settings(settings, group))
    app.settings = settings
    app.metrics = metrics
    app.edges = []
    app.stop_wanted = asyncio.Event()

    @app.on_partitions_assigned.connect
    async def _(*_: Any, **__: Any) -> None:
        metrics.rebalances.inc()

    return app


def create_app(
    settings: Settings, classifier: Classifier, metrics: Metrics, *, clock: Callable[[], float] = time
) -> App:
    """The app of one triage worker: one agent on the topic `tweets`."""
    app = new_app(settings, settings.worker.group, metrics, kind=App)
    app.leaves = True
    sender = Sender(clients.aiokafka(settings.kafka), on_retry=metrics.retries.labels("produce").inc)
    app.edges.append(sender)
    made = spans(settings, "triage", group=settings.worker.group)
    app.edges += [made] if made is not None else []
    triage = Triage(settings, classifier, sender, metrics, clock=clock, on_stop=app.fail, spans=made)
    tweets = app.topic(settings.topics.name(TWEETS), value_serializer="raw", key_serializer="raw")

    @app.agent(tweets, name="triage", concurrency=1)
    async def _(stream: Any) -> None:
        await triage.run(stream)

    return app


def _faust_settings(settings: Settings, group: str) -> dict[str, Any]:
    """Faust's settings: nothing declared, served or discovered by it; raw bytes in; the first crash ends it."""
    worker = settings.worker
    return {
        "id": group,
        "broker": [f"kafka://{server}" for server in settings.kafka.bootstrap_servers],
        "broker_credentials": clients.faust_credentials(settings.kafka),
        "broker_commit_interval": worker.commit_interval_s,
        "broker_session_timeout": worker.session_timeout_s,
        "broker_heartbeat_interval": min(HEARTBEAT_S, worker.session_timeout_s / 4),
        "broker_request_timeout": max(30.0, worker.session_timeout_s),
        "broker_max_poll_records": worker.batch_posts,
        "broker_max_poll_interval": 300.0,
        "broker_check_crcs": True,
        "consumer_group_instance_id": worker.instance_id,
        "consumer_max_fetch_size": 1024 * 1024,
        "consumer_auto_offset_reset": "earliest",
        "stream_buffer_maxsize": 1,
        "stream_wait_empty": True,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 0,
        "store": "memory://",
        "value_serializer": "raw",
        "web_enabled": False,
        "agent_supervisor": CrashingSupervisor,
        "worker_redirect_stdouts": False,
        "autodiscover": False,
    }
