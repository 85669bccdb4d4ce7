"""What the scenarios of the clocks have in common: a worker is started, all is read, and held against the model."""

from __future__ import annotations

import subprocess
import time

from arena import Result, Run, wait_for
from kafka import TopicPartition
from story import StoryFeed, compare

from agents import clients
from pipeline.topics import HEARD_TOPICS


def start(run: Run, name: str = "w1", *, program: str | None = None, **more: str) -> subprocess.Popen[bytes]:
    worker = run.worker(name, program=program, command="responses", home=None, **more)
    wait_for(lambda: "ready" in run.said(), within=60, what="the worker is ready")
    return worker


def wait_until_read(run: Run, *, within: float = 120.0) -> None:
    """Until the group has committed all that stands in what it reads."""
    consumer, admin = clients.consumer(run.settings.kafka), clients.admin(run.settings.kafka)
    group = run.settings.responses.group
    names = [run.settings.topics.name(topic) for topic in HEARD_TOPICS]
    tps = [TopicPartition(name, part) for name in names for part in range(run.partitions)]

    def read() -> bool:
        offsets = {tp: found.offset for tp, found in admin.list_group_offsets(group)[group].items()}
        return all(offsets.get(tp, 0) >= end for tp, end in consumer.end_offsets(tps).items())

    try:
        wait_for(read, within=within, what="all is read")
    finally:
        consumer.close()
        admin.close()


def judge(
    run: Run, report: list[Result], feed: StoryFeed, *, most_twice: int | None = None, named: bool = True
) -> None:
    """All that was told is in the state, and as the model says."""
    told = feed.end()
    wait_until_read(run)
    run.stop()  # while a worker ticks, what is told and what is kept change as they are read
    found = compare(run.settings, named=named)
    fine = not found.wrong and not found.counted_twice and (most_twice is None or found.twice <= most_twice)
    seconds = round(time.monotonic() - run.started, 1)
    report.append(Result(run.scenario, told, found.conversations, len(found.wrong), found.twice, seconds, passed=fine))
    assert found.conversations > 50
    assert fine, f"{found.wrong[:3]} {found.twice} {found.counted_twice}; logs in {run.folder}"
