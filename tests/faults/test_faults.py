"""What must survive: kills, stops, outages, rebalances, refusals, bad classifiers; ids in against ids out."""

from __future__ import annotations

import random
import signal
import threading

import pytest
from arena import Arena, Result, Run, terminate, value_of, wait_for
from fixtures import _results, arena, fault_broker, long, report
from kafka.admin import ConfigResource, ConfigResourceType
from patience import PATIENCE

from agents import clients
from agents.broker import Broker

RATE = 1500.0
pause = threading.Event().wait
pytestmark = pytest.mark.timeout(900)


def test_sigkill(arena: Arena, report: list[Result], long: bool) -> None:
    """Killed at random moments, nothing is lost, and at most a second's work a kill comes twice."""
    kills, chance = (20, random.Random(7)) if long else (4, random.Random(7))
    run = arena.run("sigkill")
    feed = run.feed(RATE).start()

    for _ in range(kills):
        worker = run.worker()
        wait_for(lambda: "ready" in run.said(), within=30, what="a worker is ready")
        pause(chance.uniform(0.3, 2.5))
        run.kill(worker)
    run.worker()
    produced = feed.end()
    run.ended(produced)

    undone = run.undone_by_kills()
    fine = max(undone, default=0.0) < 1.0 * PATIENCE
    _judge(run, report, run.result(produced, most_duplicates=len(undone), fine=fine))


def test_sigterm_under_load(arena: Arena, report: list[Result], long: bool) -> None:
    """SIGTERM under load: exit 0 within 25 s, nothing lost, nothing twice."""
    run = arena.run("sigterm")
    feed = run.feed(RATE).start()
    stops = []

    for _ in range(5 if long else 2):
        worker = run.worker()
        wait_for(lambda: "ready" in run.said(), within=30, what="a worker is ready")
        pause(2.0)
        stops.append(terminate(worker, within=25))
    run.worker()

    fine = all(code == 0 and seconds < 25 for code, seconds in stops)
    _judge(run, report, run.result(feed.end(), most_duplicates=0, fine=fine))


@pytest.mark.parametrize("seconds", [5, 60])
def test_broker_stopped(arena: Arena, fault_broker: Broker, report: list[Result], seconds: int, long: bool) -> None:
    """The broker is away for a while: the worker says so and is not restarted, and nothing is lost."""
    away = seconds if long else min(seconds, 48)
    run = arena.run(f"broker-stopped-{away}s")
    worker = run.worker()
    before = run.feed(RATE)
    before.send(3000)
    wait_for(lambda: len(run.outputs()) > 0, within=60, what="the first posts are routed")

    fault_broker.stop()
    pause(away)
    wait_for(lambda: value_of(run, "triage_broker_connections") == 0, within=5, what="the worker says so")
    fault_broker.start()
    before.send(3000)

    result = run.result(before.end(), most_duplicates=6000, fine=worker.poll() is None)
    wait_for(lambda: value_of(run, "triage_broker_connections") > 0, within=5, what="the worker says that it is back")
    _judge(run, report, result)


def test_one_three_one(arena: Arena, report: list[Result], long: bool) -> None:
    """1 -> 3 -> 1 workers, again and again: nothing is lost, and every partition moves."""
    run = arena.run("one-three-one", partitions=6)
    feed = run.feed(RATE).start()
    run.worker("w1")

    for _ in range(5 if long else 2):
        others = [run.worker("w2"), run.worker("w3")]
        wait_for(lambda: all("ready" in run.said(back) for back in (1, 2)), within=60, what="both are ready")
        pause(4.0)
        stops = [terminate(worker, within=25) for worker in others]
        assert all(code == 0 for code, _ in stops)
    before = run.committed()
    wait_for(
        lambda: all(offset > before.get(partition, 0) for partition, offset in run.committed().items()),
        within=30,
        what="every partition moves",
    )

    _judge(run, report, run.result(feed.end(), most_duplicates=int(RATE * 10)))


@pytest.mark.parametrize("topic", ["tweets.dead", "queue.reactive"])
def test_refusing_topic(arena: Arena, report: list[Result], topic: str, long: bool) -> None:
    """An output topic that refuses writes blocks consumption; nothing is skipped, and it goes on after."""
    run = arena.run(f"refusing-{topic.replace('.', '-')}", partitions=2)
    worker = run.worker()
    wait_for(lambda: "ready" in run.said(), within=30, what="the worker is ready")
    _take_at_most(run, topic, 10)
    feed = run.feed(RATE)
    feed.send(2000)
    pause(20.0 if long else 5.0)
    committed = sum(run.committed().values())

    _take_at_most(run, topic, 2 * 1024 * 1024)

    fine = committed == 0 and worker.poll() is None
    _judge(run, report, run.result(feed.end(), most_duplicates=2000, fine=fine))


@pytest.mark.parametrize("fault", ["slow", "throwing"])
def test_bad_classifier(arena: Arena, report: list[Result], fault: str) -> None:
    """A slow or throwing classifier: no heartbeat is lost, so there is one assignment only, and nothing is lost."""
    run = arena.run(f"classifier-{fault}")
    feed = run.feed(RATE)
    feed.send(6000)
    run.worker(program="slow_worker.py", FAULT=fault)

    result = run.result(feed.end(), most_duplicates=0)

    result.passed = result.passed and value_of(run, "triage_rebalances_total") == 1
    _judge(run, report, result)


def test_paused_process(arena: Arena, report: list[Result], long: bool) -> None:
    """A worker that stands still for longer than its session lasts joins again; nothing is lost."""
    run = arena.run("paused")
    feed = run.feed(RATE).start()
    worker = run.worker()
    wait_for(lambda: "ready" in run.said(), within=30, what="the worker is ready")
    pause(1.5)

    worker.send_signal(signal.SIGSTOP)
    pause(30.0 if long else 9.0)
    worker.send_signal(signal.SIGCONT)
    pause(3.0)

    _judge(run, report, run.result(feed.end(), most_duplicates=int(RATE * 2), fine=worker.poll() is None))


def _judge(run: Run, report: list[Result], result: Result) -> None:
    run.end()
    report.append(result)
    assert result.passed, f"{result}; logs in {run.folder}"


def _take_at_most(run: Run, topic: str, size: int) -> None:
    """With a limit under the size of any record the topic refuses every write."""
    admin = clients.admin(run.settings.kafka)
    name = run.settings.topics.name(topic)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": str(size)})])
    admin.close()
