"""`triage demo --x`: the whole way round on this machine, from a post on a fake X to the answer that stops a clock."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from time import monotonic, sleep, time
from typing import Any, NamedTuple

import msgspec
import yaml
from kafka import KafkaProducer
from rich.console import Console, Group

from agents import clients, live_x, topics
from agents.broker import Broker
from agents.children import Child, ChildFailed, child
from agents.demo import (
    POSTS,
    QUIET_S,
    consumer_of,
    metrics_port,
    polled,
    sample_settings,
    take,
    wait_until_ready,
    written,
)
from agents.demo_helpdesk import Helpdesk
from agents.fake_x import FakeX
from agents.fake_x_by_hand import settings_for
from agents.fake_x_crowd import Crowd
from agents.interrupts import Interrupts
from agents.ports import free_port
from agents.screen import Options, Screen
from pipeline.brands import Brands
from pipeline.decode import decode
from pipeline.loop import Loop
from pipeline.posts import Post
from pipeline.replies import encode
from pipeline.responses import Response
from pipeline.route import utc
from pipeline.settings import Settings
from pipeline.topics import DEAD, QUEUE_TOPICS, REPLIES, RESPONSES

COMMANDS = {"worker": "worker", "listen": "listener", "responses": "responses worker", "post": "poster"}
SPAN_S = 4 * 3600.0
"""What the sample spans."""
SEED = 6

_response = msgspec.json.Decoder(Response).decode


class Place(NamedTuple):
    """What runs while the demo does."""

    x: FakeX
    settings: Settings
    children: list[Child]
    metrics: str


def run_demo_x(options: Options, out: Console) -> bool:
    """Run it to its end; Ctrl-C ends it at once. Nothing is left running or lying about. True: it was interrupted.

    Raises:
        BrokerError, TopicsError, ChildFailed: with what to do.
    """
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        place = _started(stack, out)
        demo = DemoX(place, options, out)
        try:
            demo.run(interrupts)
        except KeyboardInterrupt:
            out.print("stopped by Ctrl-C", style="yellow")
            demo.interrupted = True
        finally:
            for one in place.children:  # side by side; each is waited for in the end
                one.process.terminate()
        demo.summary()
        return demo.interrupted


class DemoX:
    """The crowd, the invented helpdesk, and what came of both.

    Args:
        place: what runs.
        options: how it is shown, and how fast the crowd writes.
        out: the terminal.
    """

    def __init__(self, place: Place, options: Options, out: Console) -> None:
        self.interrupted = False
        self._place = place
        self._options = options
        self._out = out
        self._loop = Loop()
        self._posts = _customers_posts(place.settings)
        self._crowd = Crowd(place.x.world, self._posts)
        self._helpdesk = Helpdesk(Random(SEED))  # noqa: S311 # who is answered is no secret
        self._screen = Screen(self._view, lambda _: live_x.line(self._loop), options, out)

    def run(self, interrupts: Interrupts) -> None:
        """Publish, read, answer, until all that was begun has come round.

        Raises:
            ChildFailed: a command ended, or nothing came for long.
        """
        settings = self._place.settings
        consumer = consumer_of(settings, (*QUEUE_TOPICS, DEAD, RESPONSES))
        producer = clients.producer(settings.kafka, linger_ms=0)
        try:
            with self._screen.shown() as show:
                self._follow(consumer, producer, interrupts, show)
        finally:
            producer.close(timeout=5)
            consumer.close()

    def _follow(self, consumer: Any, producer: KafkaProducer, interrupts: Interrupts, show: Any) -> None:
        before, news_at = self._loop.counts(), monotonic()
        while not self._is_over():
            self._publish()
            for record in polled(consumer, 50):
                self._take(record)
            self._answer(producer)
            interrupts.check()
            show()
            for one in self._place.children:
                one.check()
            if (counts := self._loop.counts()) != before:
                before, news_at = counts, monotonic()
            elif monotonic() - news_at > QUIET_S:
                raise ChildFailed(f"no news for {QUIET_S:.0f} s: {live_x.line(self._loop)}")
        show()

    def _is_over(self) -> bool:
        return self._loop.published == len(self._posts) and self._helpdesk.idle and self._loop.settled

    def _publish(self) -> None:
        """What the crowd has written by now; what X has sent of it."""
        due = self._screen.seconds * self._options.speed * len(self._posts) / SPAN_S
        while self._loop.published < min(due, len(self._posts)):
            self._crowd.publish_next()
            self._loop.published += 1
        world = self._place.x.world
        with world.lock:
            self._loop.heard = sum(any(told.route == "stream" for told in post.told) for post in world.posts.values())

    def _take(self, record: Any) -> None:
        settings = self._place.settings
        if record.topic == settings.topics.name(RESPONSES):
            self._loop.add_response(_response(record.value))
        elif (routed := take(record, settings, self._loop.tally)) is not None:
            self._loop.routed.add(routed.external_id)
            self._helpdesk.read(routed, monotonic())

    def _answer(self, producer: KafkaProducer) -> None:
        for reply in self._helpdesk.due(monotonic(), utc(round(time() * 1000))):
            self._loop.asked[reply.id] = reply
            producer.send(self._place.settings.topics.name(REPLIES), encode(reply), reply.id.encode())

    def summary(self) -> None:
        """What came of it, and where to go next."""
        loop, out = self._loop, self._out
        if self._options.as_json:
            print(loop.as_json())
            return
        if self._options.svg is not None:
            self._screen.export(self._options.svg, "triage demo --x")
        out.print(f"\n[bold]{live_x.line(loop)}[/], in {self._screen.seconds:.0f} s")
        out.print("next: `triage fake-x` to try each part by hand, docs/listener.md, docs/poster.md", style="dim")

    def _view(self, seconds: float) -> Group:
        rate = self._loop.tally.rows / seconds
        return live_x.view(self._loop, rate=rate, metrics=self._place.metrics)


def _started(stack: ExitStack, out: Console) -> Place:
    """Everything, ready."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tweet-triage-")))
    broker = stack.enter_context(Broker(folder / "kafka", log=lambda line: out.print(line, style="dim")))
    out.print(f"Apache Kafka answers on {broker.bootstrap}", style="dim")
    x = stack.enter_context(FakeX())
    out.print(f"the fake X answers on {x.base_url}", style="dim")
    content = _content(x, broker.bootstrap, folder)
    port = metrics_port(out)
    settings = written(content | {"metrics": {"port": port}}, folder / "settings.yaml")
    topics.create(settings)
    children = list(_children(stack, content, folder, port))
    _wait_until_connected(x, children)
    metrics = f"http://127.0.0.1:{port}/metrics"
    out.print(
        f"listener, worker, responses worker and poster are ready; the worker's metrics are on {metrics}", style="dim"
    )
    return Place(x, settings, children, metrics)


def _content(x: FakeX, bootstrap: str, folder: Path) -> dict[str, Any]:
    content = sample_settings(bootstrap)
    brands = Settings.model_validate({"brands": content["brands"]}).brands
    on_x: dict[str, Any] = yaml.safe_load(settings_for(x, brands))
    return content | on_x | {"listener": {"spill": {"folder": str(folder / "spill")}}}


def _children(stack: ExitStack, content: dict[str, Any], folder: Path, port: int) -> Iterator[Child]:
    """All commands at once, then each ready; their metrics are on ports of their own, the worker's on the given one."""
    started: list[tuple[Child, int]] = []
    for command, name in COMMANDS.items():
        file = folder / f"{command}.yaml"
        written(content | {"metrics": {"port": port}}, file)
        made = stack.enter_context(child([command], file, folder / f"{command}.log"))
        started.append((made._replace(name=name), port))
        port = free_port(port + 1)
    for made, number in started:
        wait_until_ready(made, number)
        yield made


def _wait_until_connected(x: FakeX, children: list[Child]) -> None:
    """A listener that waits for the lease is ready, too."""
    deadline = monotonic() + QUIET_S
    while not x.faults.streams:
        for one in children:
            one.check()
        if monotonic() > deadline:
            raise ChildFailed(f"the listener did not connect within {QUIET_S:.0f} s")
        sleep(0.05)


def _customers_posts(settings: Settings) -> list[bytes]:
    """The sample without what the brands' own accounts wrote: here the helpdesk answers."""
    brands = Brands(settings.brands)
    own = {handle.lower() for brand in brands.all for handle in brand.handles}
    found = []
    for line in POSTS.read_bytes().splitlines():
        (post,) = decode([line], [0])
        if isinstance(post, Post) and post.author.handle and post.author.handle.lower() not in own:
            found.append(line)
    return found
