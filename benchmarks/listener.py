"""How fast a line of X's stream is in Kafka: `python -m benchmarks.listener [POSTS_A_SECOND SECONDS]`.

The fake X publishes from a process of its own, the listener runs in this one, Kafka is the embedded one. Latency is
that of a line read to its acknowledgement; at the end every post is counted in the topic.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

from prometheus_client import CollectorRegistry

from agents import clients, topics
from agents.broker import Broker
from agents.fake_x import FakeX
from agents.listener import LISTENER_TOPICS, Listener
from pipeline.clocks import SystemClock
from pipeline.listener_metrics import ListenerMetrics
from pipeline.settings import Brand, Settings, Topics
from pipeline.settings_kafka import Kafka
from pipeline.settings_listener import Listener as Limits
from pipeline.settings_listener import Spill
from pipeline.settings_x import X
from pipeline.topics import TWEETS

TEXT = "@Acme my bag {number} did not arrive in Oslo and nobody answers me, what shall I do now?"
USERS = 2000


class Values:
    """In place of a histogram: all of them."""

    def __init__(self) -> None:
        self.all: list[float] = []

    def observe_all(self, values: Sequence[float]) -> None:
        """Keep them."""
        self.all += values

    def at(self, share: float) -> float:
        """A quantile, in milliseconds."""
        ordered = sorted(self.all)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)


def publish(pipe: Connection, rate: float, seconds: float) -> None:
    """The other process: a fake X that publishes so much when it is told to."""
    with FakeX() as fake:
        users = [fake.world.user(f"user{number}") for number in range(USERS)]
        pipe.send((fake.base_url, fake.access(fake.world.user("Acme")).bearer))
        pipe.recv()
        began, number = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            while number < passed * rate:
                fake.world.publish(TEXT.format(number=number), author=users[number % USERS])
                number += 1
            time.sleep(0.002)
        pipe.send(number)
        pipe.recv()


def _measure(settings: Settings, pipe: Connection) -> dict[str, Any]:
    """Listen while the other one publishes."""
    metrics = ListenerMetrics(CollectorRegistry(), settings.listener.prices, time.time)
    values = Values()
    listener = Listener(settings, follow=None, metrics=metrics, clock=SystemClock(), say=print)
    stopping = Event()
    thread = Thread(target=listener.run, args=(stopping,))
    thread.start()
    _until(lambda: metrics.registry.get_sample_value("triage_stream_connected") == 1)
    metrics.hand_over = values  # type: ignore[assignment] # it is only told of values
    cpu = time.process_time()
    pipe.send("begin")
    published = pipe.recv()
    cpu = time.process_time() - cpu
    _until(lambda: len(values.all) >= published)
    stopping.set()
    thread.join()
    pipe.send("end")
    found = _ids(settings)
    return {
        "published": published, "in_topic": len(found), "lost": published - len(set(found)),
        "p50_ms": values.at(0.5), "p99_ms": values.at(0.99), "p999_ms": values.at(0.999),
        "cpu_us_a_post": round(cpu / published * 1e6),
    }  # fmt: skip


def _until(condition: Any, within: float = 120.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("it took too long")
        time.sleep(0.05)


def _ids(settings: Settings) -> list[str]:
    consumer = clients.consumer(settings.kafka)
    try:
        return [
            json.loads(record.value)["data"]["id"] for record in clients.stored(consumer, settings.topics.name(TWEETS))
        ]
    finally:
        consumer.close()


def throughput(bootstrap: str, folder: Path, rate: float, seconds: float) -> dict[str, Any]:
    """So many posts a second for so many seconds, on a broker that runs."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=publish, args=(theirs, rate, seconds), daemon=True)
    process.start()
    base_url, bearer = ours.recv()
    settings = Settings(
        brands=(Brand(name="acme", handles=("Acme",)),),
        kafka=Kafka(bootstrap_servers=(bootstrap,)),
        topics=Topics(prefix=f"rate{rate:g}."),
        x=X.model_validate({"bearer_token": bearer, "base_url": base_url}),
        listener=Limits(spill=Spill(folder=folder / "spill")),
    )
    topics.create(settings, list(LISTENER_TOPICS))
    found = {"posts_per_s": rate, "seconds": seconds} | _measure(settings, ours)
    process.join()
    return found


def main(rate: float = 300.0, seconds: float = 30.0) -> None:
    """Print one JSON object."""
    with TemporaryDirectory() as folder, Broker(Path(folder) / "broker", log=print, port=19992) as broker:
        print(json.dumps(throughput(broker.bootstrap, Path(folder), rate, seconds)))


if __name__ == "__main__":
    main(*map(float, sys.argv[1:3]))
