"""A listener of this process between the fake X and the real Kafka, for tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

from patience import PATIENCE
from prometheus_client import CollectorRegistry

from agents import clients, topics
from agents.fake_x import FakeX
from agents.listener import LISTENER_TOPICS, Listener
from pipeline.clocks import Clock
from pipeline.listener_metrics import ListenerMetrics
from pipeline.settings import Brand, Settings
from pipeline.settings_listener import Listener as Limits
from pipeline.settings_listener import Spill
from pipeline.settings_x import X, XAccount


def until(condition: Callable[[], object], what: str, within: float = 30.0) -> None:
    """Wait for something that happens in other threads."""
    deadline = monotonic() + within * PATIENCE
    while not condition():
        assert monotonic() < deadline, f"not within {within:g} s: {what}"
        Event().wait(0.02)


def settings_for(base: Settings, fake: FakeX, folder: Path, **limits: Any) -> Settings:
    """Settings of one brand, acme, on the fake X; its topics are made."""
    access = fake.access(fake.world.user("Acme"))
    account = XAccount.model_validate(
        {"access_token": access.access_token, "access_token_secret": access.access_secret}
    )
    x = X.model_validate(
        {
            "bearer_token": access.bearer,
            "consumer_key": access.consumer_key,
            "consumer_secret": access.consumer_secret,
            "base_url": fake.base_url,
        }
    )
    made = base.model_copy(
        update={
            "brands": (Brand(name="acme", handles=("Acme",), aliases=("Acme Air",), x=account),),
            "x": x,
            "listener": Limits.model_validate({"spill": Spill(folder=folder / "spill"), "checkpoint_s": 0.3} | limits),
        }
    )
    topics.create(made, list(LISTENER_TOPICS))
    return made


class Running:
    """A listener on a thread of its own."""

    def __init__(self, settings: Settings, clock: Clock, follow: Path | None = None) -> None:
        self.settings = settings
        self.said: list[str] = []
        self.registry = CollectorRegistry()
        self.error: BaseException | None = None
        metrics = ListenerMetrics(self.registry, settings.listener.prices, clock.now)
        self.listener = Listener(settings, follow=follow, metrics=metrics, clock=clock, say=self.said.append)
        self._stopping = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.listener.run(self._stopping)
        except Exception as error:  # noqa: BLE001 - shown by the test
            self.error = error

    def value(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.registry.get_sample_value(name, labels) or 0.0

    @property
    def connected(self) -> bool:
        """Whether the stream is open."""
        return self.value("triage_stream_connected") == 1

    def stop(self, within: float = 40) -> None:
        """Stop in order."""
        self._stopping.set()
        self._thread.join(within)
        assert not self._thread.is_alive()


@contextmanager
def running(settings: Settings, clock: Clock, follow: Path | None = None) -> Iterator[Running]:
    """A listener that is stopped in the end."""
    one = Running(settings, clock, follow)
    try:
        yield one
    finally:
        one.stop()


def values(settings: Settings, topic: str) -> list[Any]:
    """The records of a topic that have a key, as JSON."""
    return [json.loads(record.value) for record in records(settings, topic) if record.key and record.value]


def records(settings: Settings, topic: str) -> list[Any]:
    """The records of a topic."""
    consumer = clients.consumer(settings.kafka)
    try:
        return list(clients.stored(consumer, settings.topics.name(topic)))
    finally:
        consumer.close()


def ids(settings: Settings) -> list[str]:
    """The first ids of the posts in `tweets`."""
    return [
        (one["data"].get("edit_history_tweet_ids") or [one["data"]["id"]])[0]
        for one in values(settings, "tweets")
        if "data" in one
    ]


def gaps(settings: Settings) -> list[Any]:
    """The gaps' records as they stand, the oldest first."""
    newest = {record.key: record.value for record in records(settings, "listener.state")}
    found = [json.loads(value) for key, value in newest.items() if key.startswith(b"gap/") and value is not None]
    return sorted(found, key=lambda gap: gap["opened_at"])
