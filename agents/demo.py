"""`triage demo`: a real Kafka, a real worker, posts that the project wrote, and what becomes of them, live."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.request import urlopen

import msgspec
import yaml
from kafka import KafkaConsumer, TopicPartition
from rich.console import Console, Group

from agents import clients, live, topics
from agents.broker import Broker
from agents.children import Child, ChildFailed, child
from agents.interrupts import Interrupts
from agents.ports import free_port
from agents.screen import Options, Screen
from models.second import available
from pipeline import dead
from pipeline import settings as settings_module
from pipeline.routed import RoutedPost
from pipeline.settings import Settings
from pipeline.tally import QUANTILES, Tally
from pipeline.topics import DEAD, QUEUE_TOPICS

SAMPLE = Path(__file__).parent / "sample"
POSTS = SAMPLE / "posts.jsonl"
METRICS_PORT = 9464
QUIET_S = 60.0
"""Without any news for so long the demo gives up and says what is missing."""

_routed = msgspec.json.Decoder(RoutedPost).decode


def run_demo(options: Options, out: Console) -> bool:
    """Run it to its end; Ctrl-C ends it at once. Nothing is left running or lying about. True: it was interrupted.

    Raises:
        BrokerError, TopicsError, ChildFailed: with what to do.
    """
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tweet-triage-")))
        broker = stack.enter_context(Broker(folder / "kafka", log=lambda line: out.print(line, style="dim")))
        out.print(f"Apache Kafka answers on {broker.bootstrap}", style="dim")
        file = folder / "settings.yaml"
        settings = written(sample_settings(broker.bootstrap) | {"metrics": {"port": metrics_port(out)}}, file)
        topics.create(settings)
        worker = stack.enter_context(child(["worker"], file, folder / "worker.log"))
        metrics = f"http://127.0.0.1:{settings.metrics.port}/metrics"
        out.print(f"worker started; its metrics are on {metrics} while the demo runs", style="dim")
        wait_until_ready(worker, settings.metrics.port)
        arguments = ["replay", str(POSTS), "--speed", str(options.speed), "--rebase", "now"]
        replay = stack.enter_context(child(arguments, file, folder / "replay.log"))
        demo = Demo(len(POSTS.read_bytes().splitlines()), metrics, options, out)
        try:
            _follow(settings, demo, [worker, replay], interrupts)
        except KeyboardInterrupt:
            out.print("stopped by Ctrl-C", style="yellow")
            demo.interrupted = True
        demo.summary()
        return demo.interrupted


class Demo:
    """What came out so far, and how it is shown."""

    def __init__(self, total: int, metrics: str, options: Options, out: Console) -> None:
        self.total = total
        self.interrupted = False
        self.tally = Tally()
        self._metrics = metrics
        self._options = options
        self._out = out
        self.screen = Screen(self._view, self._line, options, out)

    def summary(self) -> None:
        """What came of it, and where to go next."""
        tally, out = self.tally, self._out
        if self._options.as_json:
            print(tally.as_json(tally.rows))
            return
        if self._options.svg is not None:
            self.screen.export(self._options.svg, "triage demo")
        where = ", ".join(f"{queue.value} {count}" for queue, count in sorted(tally.queues.items()))
        out.print(f"\n[bold]{tally.rows} of {self.total} posts[/] in {self.screen.seconds:.0f} s: {where}")
        out.print(f"dead letters: {sum(tally.dead.values())} ({', '.join(sorted(tally.dead)) or 'none'})")
        latency = [f"{name} {1000 * (tally.latency(share=share) or 0):.0f} ms" for name, share in QUANTILES.items()]
        out.print(f"from Kafka to queue: {', '.join(latency)}")
        out.print("next: `triage --help`, and the README on how to run it on a Kafka of your own", style="dim")

    def _view(self, seconds: float) -> Group:
        return live.view(self.tally, total=self.total, rate=self.tally.rows / seconds, metrics=self._metrics)

    def _line(self, seconds: float) -> str:
        return live.line(self.tally, total=self.total, rate=self.tally.rows / seconds)


def sample_settings(bootstrap: str) -> dict[str, Any]:
    """The sample's brands on this broker, as a settings file has it."""
    content: dict[str, Any] = yaml.safe_load((SAMPLE / "settings.yaml").read_text(encoding="utf-8"))
    return content | {"kafka": {"bootstrap_servers": [bootstrap]}, "second_opinion": {"enabled": available()}}


def metrics_port(out: Console) -> int:
    """A free one, the usual one if it is."""
    port = free_port(METRICS_PORT)
    if port != METRICS_PORT:
        out.print(f"port {METRICS_PORT} is taken: /metrics is on {port}", style="yellow")
    return port


def written(content: dict[str, Any], file: Path) -> Settings:
    """Settings, in a file that children read too."""
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return settings_module.load(file)


def wait_until_ready(worker: Child, port: int) -> None:
    """Until its /readyz says so.

    Raises:
        ChildFailed: it ended, or takes too long.
    """
    deadline = monotonic() + QUIET_S
    while monotonic() < deadline:
        worker.check()
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except OSError:
            sleep(0.1)
    raise ChildFailed(
        f"the {worker.name} is not ready after {QUIET_S:.0f} s: {worker.log.read_text(errors='replace')[-500:]}"
    )


def _follow(settings: Settings, demo: Demo, children: list[Child], interrupts: Interrupts) -> None:
    """Read what comes out until every post of the sample is accounted for."""
    consumer, tally = consumer_of(settings, (*QUEUE_TOPICS, DEAD)), demo.tally
    news_at = monotonic()
    try:
        with demo.screen.shown() as show:
            while tally.rows < demo.total:
                before = tally.rows
                for record in polled(consumer):
                    take(record, settings, tally)
                interrupts.check()
                show()
                for child in children:
                    child.check()
                if tally.rows > before:
                    news_at = monotonic()
                elif monotonic() - news_at > QUIET_S:
                    raise ChildFailed(f"no news for {QUIET_S:.0f} s: {demo.total - tally.rows} posts did not come out")
    finally:
        consumer.close()


def consumer_of(settings: Settings, names: Sequence[str]) -> KafkaConsumer:
    """Reads topics from their beginning."""
    consumer = clients.consumer(settings.kafka)
    numbers = range(settings.topics.partitions)
    partitions = [TopicPartition(settings.topics.name(name), number) for name in names for number in numbers]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    return consumer


def polled(consumer: KafkaConsumer, timeout_ms: int = 200) -> list[Any]:
    """The records that have come."""
    return [record for records in consumer.poll(timeout_ms=timeout_ms).values() for record in records]


def take(record: Any, settings: Settings, tally: Tally) -> RoutedPost | None:
    """Count a record of a queue or of the dead letters; the former is given back."""
    if record.topic == settings.topics.name(DEAD):
        tally.add_dead(dead.read_headers(record.headers))
        return None
    routed = _routed(record.value)
    tally.add_routed(routed, (record.timestamp - _milliseconds(routed.ingested_at)) / 1000)
    return routed


def _milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)
