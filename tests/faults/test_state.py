"""The clocks must survive kills, stops, rebalances and pauses: the state is what the pure model says."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterable

import pytest
from arena import Arena, Result, Run, metrics_of, terminate, wait_for
from clocks import judge, start, wait_until_read
from fixtures import _results, arena, fault_broker, long, report
from story import StoryFeed

from agents.waiting import find

pause = threading.Event().wait
pytestmark = pytest.mark.timeout(900)


def test_killed_at_random_moments(arena: Arena, report: list[Result], long: bool) -> None:
    """Scenario 1: the state is the model's; what was told twice has the same ids."""
    run = arena.run("state-sigkill")
    feed, chance = StoryFeed(run.settings).start(), random.Random(11)

    for _ in range(20 if long else 3):
        worker = start(run)
        pause(chance.uniform(0.3, 2.0))
        worker.kill()
        worker.wait()
    start(run)

    judge(run, report, feed)


def test_stopped_under_load(arena: Arena, report: list[Result], long: bool) -> None:
    """Scenario 2: SIGTERM ends it within 25 s with exit code 0, and nothing is told twice."""
    run = arena.run("state-sigterm")
    feed = StoryFeed(run.settings).start()
    stops = []

    for _ in range(5 if long else 2):
        worker = start(run)
        pause(2.0)
        stops.append(terminate(worker, within=25))
    start(run)

    assert all(code == 0 for code, _ in stops)
    judge(run, report, feed, most_twice=0)


def test_one_three_one(arena: Arena, report: list[Result], long: bool) -> None:
    """Scenario 3: workers come and go; a partition's books are read by whoever has it then."""
    run = arena.run("state-one-three-one", partitions=5)  # which neither two nor three workers divide
    feed = StoryFeed(run.settings).start()
    start(run)

    for _ in range(4 if long else 1):
        others = [start(run, "w2"), start(run, "w3")]
        pause(4.0)
        assert [terminate(worker, within=25)[0] for worker in others] == [0, 0]

    judge(run, report, feed)


def test_one_three_one_on_standby(arena: Arena, report: list[Result]) -> None:
    """The same with workers that read along what the others write."""
    run = arena.run("state-standby", responses={"standby": True})
    feed = StoryFeed(run.settings).start()
    start(run)

    other = start(run, "w2")
    pause(4.0)
    other.kill()
    pause(8.0)

    judge(run, report, feed)


def test_killed_while_states_are_slow(arena: Arena, report: list[Result], long: bool) -> None:
    """Scenario 8: states reach the broker 0.3 s after their outputs; killed in between, nothing is lost."""
    run = arena.run("state-slow")
    feed, chance = StoryFeed(run.settings).start(), random.Random(4)

    for _ in range(10 if long else 3):
        worker = start(run, program="slow_responses.py", DELAY="0.3")
        pause(chance.uniform(0.5, 2.0))
        worker.kill()
        worker.wait()
    start(run)

    judge(run, report, feed)


def test_stood_still(arena: Arena, report: list[Result], long: bool) -> None:
    """Scenario 27: a worker that is paused for longer than its session ends by itself; another one has its work."""
    run = arena.run("state-paused")
    feed = StoryFeed(run.settings).start()
    paused = start(run, "w1")
    start(run, "w2")
    pause(4.0)

    paused.send_signal(signal.SIGSTOP)
    pause(30.0 if long else 12.0)
    paused.send_signal(signal.SIGCONT)

    assert paused.wait(25) == 8
    start(run, "w1")
    judge(run, report, feed)


def test_gauges_add_up_over_workers(arena: Arena) -> None:
    """Who waits, summed over three workers and over the one that is left, is what the topic says."""
    run = arena.run("state-gauges", partitions=2)  # one of the three has none
    feed = StoryFeed(run.settings)
    workers = [start(run, name) for name in ("w1", "w2", "w3")]
    feed.tell(120)
    wait_until_read(run)

    expected = find(run.settings, brand=None, queue=None, limit=1, now=int(time.time() * 1000)).number
    wait_for(lambda: _waiting(run, range(3)) == expected, within=30, what=f"three say {expected} together")
    for worker in workers[1:]:
        terminate(worker, within=25)
    wait_for(lambda: _waiting(run, range(1)) == expected, within=60, what=f"the one that is left says {expected}")

    assert expected > 20
    feed.end()


def _waiting(run: Run, workers: Iterable[int]) -> float:
    lines = (line for number in workers for line in metrics_of(run, number).splitlines())
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("triage_waiting{"))
