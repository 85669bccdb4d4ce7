"""`triage demo`: a real Kafka, a real worker, posts that the project wrote, and what becomes of them, live."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple
from urllib.request import urlopen

import msgspec
import yaml
from kafka import KafkaConsumer, TopicPartition
from rich.console import Console, Group
from rich.live import Live

from agents import clients, live, topics
from agents.broker import Broker
from agents.children import Child, ChildFailed, child
from agents.interrupts import Interrupts
from agents.ports import free_port
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


class Options(NamedTuple):
    """How the demo is run."""

    speed: float
    as_json: bool
    svg: Path | None
    plain: bool


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
        settings, file = _settings(folder, broker.bootstrap, out)
        topics.create(settings)
        worker = stack.enter_context(child(["worker"], file, folder / "worker.log"))
        metrics = f"http://127.0.0.1:{settings.metrics.port}/metrics"
        out.print(f"worker started; its metrics are on {metrics} while the demo runs", style="dim")
        _wait_until_ready(worker, settings.metrics.port)
        arguments = ["replay", str(POSTS), "--speed", str(options.speed), "--rebase", "now"]
        replay = stack.enter_context(child(arguments, file, folder / "replay.log"))
        tally = Tally()
        screen = Screen(tally, len(POSTS.read_bytes().splitlines()), metrics, options, out)
        try:
            _follow(settings, tally, screen, [worker, replay], interrupts)
        except KeyboardInterrupt:
            out.print("stopped by Ctrl-C", style="yellow")
            screen.interrupted = True
        screen.summary()
        return screen.interrupted


class Screen:
    """Shows the tally a few times a second, as a live view or as plain lines."""

    def __init__(self, tally: Tally, total: int, metrics: str, options: Options, out: Console) -> None:
        self.total = total
        self.interrupted = False
        self._tally = tally
        self._metrics = metrics
        self._options = options
        self._out = out
        self._plain = options.plain or options.as_json or not out.is_terminal
        self._started = monotonic()
        self._shown = 0.0

    @contextmanager
    def shown(self) -> Iterator[Callable[[], None]]:
        """A function that brings the view up to date."""
        if self._plain:
            yield self._plain_line
            return
        with Live(self._view(), console=self._out, auto_refresh=False, transient=False) as view:
            yield lambda: view.update(self._view(), refresh=True)

    def summary(self) -> None:
        """What came of it, and where to go next."""
        tally, out = self._tally, self._out
        if self._options.as_json:
            print(tally.as_json(tally.rows))
            return
        if self._options.svg is not None:
            _export(self._view(), self._options.svg)
        where = ", ".join(f"{queue.value} {count}" for queue, count in sorted(tally.queues.items()))
        out.print(f"\n[bold]{tally.rows} of {self.total} posts[/] in {monotonic() - self._started:.0f} s: {where}")
        out.print(f"dead letters: {sum(tally.dead.values())} ({', '.join(sorted(tally.dead)) or 'none'})")
        latency = [f"{name} {1000 * (tally.latency(share=share) or 0):.0f} ms" for name, share in QUANTILES.items()]
        out.print(f"from Kafka to queue: {', '.join(latency)}")
        out.print("next: `triage --help`, and the README on how to run it on a Kafka of your own", style="dim")

    def _rate(self) -> float:
        return self._tally.rows / max(0.1, monotonic() - self._started)

    def _view(self) -> Group:
        return live.view(self._tally, total=self.total, rate=self._rate(), metrics=self._metrics)

    def _plain_line(self) -> None:
        if monotonic() - self._shown >= 2.0:
            self._shown = monotonic()
            print(live.line(self._tally, total=self.total, rate=self._rate()), file=sys.stderr, flush=True)


def _settings(folder: Path, bootstrap: str, out: Console) -> tuple[Settings, Path]:
    """The sample's brands on this broker, in a file that the children read too."""
    port = free_port(METRICS_PORT)
    if port != METRICS_PORT:
        out.print(f"port {METRICS_PORT} is taken: /metrics is on {port}", style="yellow")
    content = yaml.safe_load((SAMPLE / "settings.yaml").read_text(encoding="utf-8"))
    content |= {"kafka": {"bootstrap_servers": [bootstrap]}, "metrics": {"port": port}}
    content |= {"second_opinion": {"enabled": available()}}
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return settings_module.load(file), file


def _wait_until_ready(worker: Child, port: int) -> None:
    deadline = monotonic() + QUIET_S
    while monotonic() < deadline:
        worker.check()
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except OSError:
            sleep(0.1)
    raise ChildFailed(f"the worker is not ready after {QUIET_S:.0f} s: {worker.log.read_text(errors='replace')[-500:]}")


def _follow(settings: Settings, tally: Tally, screen: Screen, children: list[Child], interrupts: Interrupts) -> None:
    """Read what comes out until every post of the sample is accounted for."""
    consumer = _consumer(settings)
    news_at = monotonic()
    try:
        with screen.shown() as show:
            while tally.rows < screen.total:
                before = tally.rows
                _take(consumer, settings, tally)
                interrupts.check()
                show()
                for child in children:
                    child.check()
                if tally.rows > before:
                    news_at = monotonic()
                elif monotonic() - news_at > QUIET_S:
                    raise ChildFailed(
                        f"no news for {QUIET_S:.0f} s: {screen.total - tally.rows} posts did not come out"
                    )
    finally:
        consumer.close()


def _consumer(settings: Settings) -> KafkaConsumer:
    names = [settings.topics.name(topic) for topic in (*QUEUE_TOPICS, DEAD)]
    consumer = clients.consumer(settings.kafka)
    partitions = [TopicPartition(name, number) for name in names for number in range(settings.topics.partitions)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    return consumer


def _take(consumer: KafkaConsumer, settings: Settings, tally: Tally) -> None:
    letters = settings.topics.name(DEAD)
    for tp, records in consumer.poll(timeout_ms=200).items():
        for record in records:
            if tp.topic == letters:
                tally.add_dead(dead.read_headers(record.headers))
            else:
                routed = _routed(record.value)
                tally.add_routed(routed, (record.timestamp - _milliseconds(routed.ingested_at)) / 1000)


def _milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)


def _export(view: Group, path: Path) -> None:
    """The last view as a picture, for the README."""
    recorder = Console(record=True, width=110, file=io.StringIO(), force_terminal=True)
    recorder.print(view)
    recorder.save_svg(str(path), title="triage demo")
