"""The main job on a batch, and the agent's loop around it, with a sender that is a list."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from agents.sender import Package
from agents.triage import Triage
from pipeline import traces
from pipeline.classify import Model
from pipeline.dead import headers
from pipeline.errors import Reason, TooManyDead
from pipeline.metrics import Metrics
from pipeline.posts import Post, Queue, Stage, Verdict
from pipeline.route import Router
from pipeline.settings import Brand, Settings, Worker
from pipeline.traces import TRACE_HEADER
from pipeline.triage import triage, triage_singly

SETTINGS = Settings(brands=(Brand(name="acme", handles=("Acme",)),), worker=Worker(dead_in_row=3))


class FakeClassifier:
    """Reactive, as sure as the text's length says; throws at the word bomb."""

    model = Model("fake", "1", "0" * 64)
    second = None

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """A verdict a post."""
        if any("bomb" in post.text for post in posts):
            raise RuntimeError("bomb")
        return [Verdict(Stage.REACTIVE, 0.9, (0.9, 0.05, 0.05)) for _ in posts]

    def explain(self, post: Post) -> list[tuple[str, float]]:
        """Nothing to say."""
        return [(post.text, 1.0)]


class FakeSender:
    """Keeps the topics and counts of what it was given."""

    def __init__(self) -> None:
        self.sent: dict[str, int] = {}

    async def send(self, package: Package, _: Callable[[], Awaitable[Package]]) -> None:
        """Take it all."""
        for tp, batches in package.batches.items():
            self.sent[tp.topic] = self.sent.get(tp.topic, 0) + sum(batch.record_count() for batch in batches)


class FakeBatch:
    """Records, and how far they were done."""

    def __init__(self, records: list[Any]) -> None:
        self.records = records
        self.done_until = 0
        self.ended = False

    def begin(self) -> None:
        """Nothing to do."""

    def done_before(self, index: int) -> None:
        """Keep how far."""
        self.done_until = index

    def end(self) -> None:
        """Keep that it ended."""
        self.ended = True


def record(offset: int, value: bytes | None) -> Any:
    """A record of the topic `tweets`."""
    return SimpleNamespace(
        topic="tweets", partition=0, offset=offset, timestamp=1_000, key=b"7", value=value, headers=()
    )


def good(offset: int, text: str = "@Acme where is my order") -> Any:
    """A record that can be routed."""
    return record(offset, json.dumps({"data": {"id": str(offset + 1), "text": text, "author_id": "7"}}).encode())


def _run(batches: list[FakeBatch]) -> tuple[FakeSender, list[BaseException], CollectorRegistry]:
    async def stream() -> AsyncIterator[Any]:
        for batch in batches:
            yield batch

    async def main() -> tuple[FakeSender, list[BaseException], CollectorRegistry]:
        sender, failures, registry = FakeSender(), list[BaseException](), CollectorRegistry()
        loop: Any = sender
        agent = Triage(SETTINGS, FakeClassifier(), loop, Metrics(registry), clock=lambda: 2.0, on_stop=failures.append)
        await agent.run(stream())
        await asyncio.gather(*agent._tasks)
        return sender, failures, registry

    return asyncio.run(main())


def test_every_record_is_in_one_place() -> None:
    """Routed records and dead letters together are the batch."""
    router = Router(SETTINGS, FakeClassifier.model)

    done = triage([good(0), record(1, b"{"), good(2), record(3, None)], FakeClassifier(), router, 0)

    assert [Queue.REACTIVE, Queue.REACTIVE] == [outgoing.queue for outgoing in done.outgoing]
    assert [Reason.NOT_JSON, Reason.TOMBSTONE] == [dead.error.reason for dead in done.dead]
    assert [False, True, False, True] == done.broken


def test_the_trace_goes_on() -> None:
    """Into the queue and into the dead letter, byte for byte; what has none begins none."""
    router, header = Router(SETTINGS, FakeClassifier.model), b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-00"
    traced = [good(0), record(1, b"{"), good(2)]
    for one in traced[:2]:
        one.headers = (("triage_api", b"stream"), (TRACE_HEADER, header))

    done = triage(traced, FakeClassifier(), router, 0)

    assert [header, None] == [traces.of(outgoing.headers) for outgoing in done.outgoing]
    assert [header] == [traces.of(headers(dead.error, dead.place, dead.step)) for dead in done.dead]


def test_singly_only_the_record_at_fault_is_dead() -> None:
    """One by one, the record at which the classifier throws becomes a dead letter and the others go on."""
    router = Router(SETTINGS, FakeClassifier.model)

    done = triage_singly([good(0), good(1, "a bomb"), good(2)], FakeClassifier(), router, 0)

    assert 2 == len(done.outgoing)
    assert [(1, Reason.FAILED)] == [(dead.record.offset, dead.error.reason) for dead in done.dead]


def test_the_loop_sends_and_then_marks_done() -> None:
    """A batch is done when all its outputs are sent, and counted."""
    batch = FakeBatch([good(0), record(1, b"nonsense"), good(2)])

    sender, failures, registry = _run([batch])

    assert {"queue.reactive": 2, "tweets.dead": 1} == sender.sent
    assert (3, True, []) == (batch.done_until, batch.ended, failures)
    assert 2.0 == registry.get_sample_value("triage_routed_total", {"brand": "acme", "queue": "reactive"})
    assert 1.0 == registry.get_sample_value("triage_dead_total", {"reason": "not_json"})


def test_a_throwing_classifier_costs_one_record() -> None:
    """After the attempts on the whole batch the good records are routed and the bad one is a dead letter."""
    batch = FakeBatch([good(0), good(1, "bomb"), good(2)])

    sender, failures, _ = _run([batch])

    assert {"queue.reactive": 2, "tweets.dead": 1} == sender.sent
    assert (3, []) == (batch.done_until, failures)


def test_too_many_dead_stop_the_worker() -> None:
    """With the record that passes the limit the worker stops: what came before is done, the rest is not."""
    first = FakeBatch([good(0), *(record(offset, b"{") for offset in range(1, 8)), good(8)])
    second = FakeBatch([good(9)])

    sender, failures, _ = _run([first, second])

    assert {"queue.reactive": 1, "tweets.dead": 4} == sender.sent
    assert (5, 0) == (first.done_until, second.done_until)
    assert [TooManyDead] == [type(failure) for failure in failures]
