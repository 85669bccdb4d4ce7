"""The sending thread: order, budget, spilling, sending again, and nothing lost in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, TopicAuthorizationFailedError
from patience import PATIENCE
from prometheus_client import CollectorRegistry

from agents.line import Parcel
from agents.outlet import Outlet
from agents.spill import Spill
from pipeline.brands import Brands
from pipeline.clocks import SystemClock
from pipeline.intake import take
from pipeline.listener_metrics import ListenerMetrics
from pipeline.quiet import Quiet
from pipeline.seen import Seen
from pipeline.settings import Brand, Settings
from pipeline.settings_listener import Listener, Prices

SETTINGS = Settings(
    brands=(Brand(name="acme", handles=("Acme",)),), listener=Listener(in_flight_bytes=65_536, slow_for_s=0.05)
)


class Future:
    """What became of a record."""

    def __init__(self) -> None:
        self.told: Callable[[Any], None] | None = None
        self.failed: Callable[[Any], None] | None = None

    def add_callback(self, call: Callable[..., None], flight: object) -> None:
        """Remember whom to tell."""
        self.told = lambda value: call(flight, value)

    def add_errback(self, call: Callable[..., None], flight: object) -> None:
        """Remember whom to tell of a failure."""
        self.failed = lambda error: call(flight, error)


class FakeProducer:
    """Keeps what was sent; acknowledges at once unless it is away."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes | None]] = []
        self.open: list[Future] = []
        self.away = False
        self.next_error: Exception | None = None

    def send(
        self, topic: str, value: bytes, key: bytes | None, headers: list[tuple[str, bytes]], partition: int | None
    ) -> Future:
        """Take a record."""
        assert partition is None or headers
        future = Future()
        if len(value) > 100_000:
            raise MessageSizeTooLargeError
        self.sent.append((topic, value, key))
        self.open.append(future)
        return future

    def answer(self) -> None:
        """Acknowledge, or fail, what is open."""
        while self.open and not self.away:
            future, error = self.open.pop(0), self.next_error
            self.next_error = None
            call = future.told if error is None else future.failed
            assert call is not None
            call(error)


class Bench:
    """An outlet whose producer is answered by the test's own loop."""

    def __init__(self, folder: Path, *, room: int = 10**6) -> None:
        self.producer = FakeProducer()
        self.registry = CollectorRegistry()
        self.lost: list[float | None] = []
        self.stopped: list[BaseException] = []
        clock = SystemClock()
        self.outlet = Outlet(
            SETTINGS, self.producer, Spill(folder, room, 60), seen=Seen(1000), quiet=Quiet(share=0.1, posts=30),
            metrics=ListenerMetrics(self.registry, Prices(), clock.now), clock=clock, on_lost=self.lost.append,
            on_stop=self.stopped.append,
        )  # fmt: skip
        self.outlet.start(1.0)

    def until(self, condition: Callable[[], object], within: float = 10) -> None:
        """Answer the producer until something is so."""
        deadline = monotonic() + within * PATIENCE
        while not condition():
            assert monotonic() < deadline
            self.producer.answer()
            Event().wait(0.005)

    def value(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def end(self) -> None:
        """Stop it."""
        self.outlet.abort()
        self.outlet.stop(5)


def _line(number: int, size: int = 0) -> bytes:
    post = {"id": str(number), "text": "hello" + "x" * size, "author_id": f"c{number}"}
    return json.dumps({"data": post | {"edit_history_tweet_ids": [str(number)]}}).encode()


def test_lines_go_out_in_order_each_once(folder: Path) -> None:
    """Under their keys; what came before is passed over."""
    bench = Bench(folder)
    for number in (1, 2, 2, 3):
        bench.outlet.put(_line(number))
    bench.until(lambda: bench.value("triage_listened_total", topic="tweets") == 3)
    bench.end()

    assert [("tweets", _line(number), b"c%d" % number) for number in (1, 2, 3)] == bench.producer.sent
    assert 1 == bench.value("triage_repeated_total")


def test_what_is_safe_stands_still_while_kafka_is_away(folder: Path) -> None:
    """It is the place up to which all is acknowledged, however much was read after it."""
    bench = Bench(folder)
    bench.outlet.put(_line(1), mark="1")
    bench.until(lambda: bench.outlet.safe.mark == "1")
    bench.producer.away = True
    bench.outlet.put(_line(2), mark="2")
    bench.outlet.put(_line(3), mark="3")
    bench.until(lambda: len(bench.producer.sent) == 3)
    before = bench.outlet.safe
    Event().wait(0.2)

    assert (before, "1") == (bench.outlet.safe, before.mark)
    bench.producer.away = False
    bench.until(lambda: bench.outlet.safe.mark == "3")
    bench.end()


def test_beyond_the_budget_lines_wait_on_disk(folder: Path) -> None:
    """And go out, behind those before them, when Kafka is back."""
    bench = Bench(folder)
    bench.producer.away = True
    for number in range(100):
        bench.outlet.put(_line(number, 1000))
    bench.until(lambda: bench.outlet.spilling)
    bench.until(lambda: bench.value("triage_spilled_bytes") > 20_000)
    assert bench.value("triage_in_flight_bytes") <= 65_536
    bench.producer.away = False
    bench.until(lambda: bench.value("triage_listened_total", topic="tweets") == 100)
    bench.end()

    assert [_line(number, 1000) for number in range(100)] == [value for _, value, _ in bench.producer.sent]
    assert (0, []) == (bench.value("triage_spilled_bytes"), bench.lost)


def test_what_cannot_be_kept_is_counted_and_told(folder: Path) -> None:
    """Each line with the time that it was read at; then that lines can be kept again; it may come again later."""
    bench = Bench(folder, room=10_000)
    bench.producer.away = True
    for number in range(100):
        bench.outlet.put(_line(number, 1000))
    bench.until(lambda: bench.value("triage_lost_total", reason="no_room") > 0 and bench.outlet._lines.empty())
    lost = int(bench.value("triage_lost_total", reason="no_room"))
    bench.producer.away = False
    bench.until(lambda: not bench.outlet.spilling)
    ticket = bench.outlet.deliver([_parcel(number) for number in range(100)])
    bench.until(ticket.done.is_set)
    bench.end()

    assert (lost, None) == (len([at for at in bench.lost if at is not None]), bench.lost[-1])
    assert lost == ticket.fresh


def _parcel(number: int) -> Parcel:
    taken = take(_line(number, 1000), Brands(SETTINGS.brands))
    return Parcel("tweets", taken.key, taken.value, post=taken)


def test_what_kafka_fails_is_sent_again(folder: Path) -> None:
    """In place of being lost."""
    bench = Bench(folder)
    bench.producer.next_error = KafkaTimeoutError()
    bench.outlet.put(_line(1))
    bench.until(lambda: bench.value("triage_listened_total", topic="tweets") == 1)
    bench.end()

    assert (2, 1) == (len(bench.producer.sent), bench.value("triage_resent_total"))


def test_what_is_too_large_for_the_topic_is_counted_and_told(folder: Path) -> None:
    """The next one goes out."""
    bench = Bench(folder)
    bench.outlet.put(_line(1, 200_000))
    bench.outlet.put(_line(2))
    bench.until(lambda: bench.value("triage_listened_total", topic="tweets") == 1)
    bench.end()

    assert 1 == bench.value("triage_lost_total", reason="too_big")
    assert None is bench.lost[-1]


def test_without_the_right_to_write_it_stops(folder: Path) -> None:
    """Sending it again would change nothing."""
    bench = Bench(folder)
    bench.producer.next_error = TopicAuthorizationFailedError("tweets")
    bench.outlet.put(_line(1))
    bench.until(lambda: bench.stopped)
    bench.end()

    assert "does not take" in str(bench.stopped[0])


def test_the_end_brings_all_to_kafka(folder: Path) -> None:
    """Whatever was handed over before is acknowledged, or it says that it is not."""
    bench = Bench(folder)
    bench.producer.away = True
    bench.outlet.put(_line(1))

    assert not bench.outlet.stop(0.2)


@pytest.mark.parametrize("number", [0, 3])
def test_tickets_tell_when_kafka_has_it(number: int, folder: Path) -> None:
    """At once where there is nothing."""
    bench = Bench(folder)
    ticket = bench.outlet.deliver([_parcel(one) for one in range(number)])
    bench.until(ticket.done.is_set)
    bench.end()

    assert number == ticket.fresh
