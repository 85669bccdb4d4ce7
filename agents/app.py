"""create_app: the Faust app of the triage worker, with nothing done at import time and nothing discovered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import time
from typing import Any

import faust
from mode import CrashingSupervisor

from agents import clients
from agents.sender import Sender
from agents.transport import Transport
from agents.triage import Triage
from pipeline.classify import Classifier
from pipeline.metrics import Metrics
from pipeline.settings import Settings
from pipeline.topics import TWEETS

log = logging.getLogger(__name__)


class App(faust.App):
    """A Faust app on the batched transport, which knows why it stopped."""

    settings: Settings
    metrics: Metrics
    sender: Sender
    failure: BaseException | None = None
    stop_wanted: asyncio.Event

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self, loop=self.loop)

    async def on_first_start(self) -> None:
        """Make no data folder: nothing is kept on this machine."""

    def fail(self, error: BaseException) -> None:
        """Stop in order, because of an error; the first one counts."""
        self.failure = self.failure or error
        self.stop_wanted.set()


def create_app(
    settings: Settings, classifier: Classifier, metrics: Metrics, *, clock: Callable[[], float] = time
) -> App:
    """The app of one triage worker: one agent on the topic `tweets`."""
    app = App(**_faust_settings(settings))
    app.settings = settings
    app.metrics = metrics
    app.stop_wanted = asyncio.Event()
    retried = app.metrics.retries.labels("produce").inc
    app.sender = Sender(clients.aiokafka(settings.kafka), on_retry=retried)
    triage = Triage(settings, classifier, app.sender, app.metrics, clock=clock, on_stop=app.fail)
    tweets = app.topic(settings.topics.name(TWEETS), value_serializer="raw", key_serializer="raw")

    @app.agent(tweets, name="triage", concurrency=1)
    async def _(stream: Any) -> None:
        await triage.run(stream)

    @app.on_partitions_assigned.connect
    async def _(*_: Any, **__: Any) -> None:
        app.metrics.rebalances.inc()

    return app


def _faust_settings(settings: Settings) -> dict[str, Any]:
    """Faust's settings: nothing declared, served or discovered by it; raw bytes in; the first crash ends it."""
    worker = settings.worker
    return {
        "id": worker.group,
        "broker": [f"kafka://{server}" for server in settings.kafka.bootstrap_servers],
        "broker_credentials": clients.faust_credentials(settings.kafka),
        "broker_commit_interval": worker.commit_interval_s,
        "broker_session_timeout": worker.session_timeout_s,
        "broker_heartbeat_interval": worker.session_timeout_s / 4,
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
