"""How the worker scales: cost by partitions and brands, without a backlog, memory, start, and several workers.

`python -m benchmarks.scaling` writes build/bench/scaling.json; --only names parts, --posts makes it shorter.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console

from agents.broker import Broker
from benchmarks.arena import ROOT, Arena, Measured, Outputs, middle
from benchmarks.feed import Feeder
from pipeline.settings import Settings

REPORT = ROOT / "build" / "bench" / "scaling.json"
RECORD = 143_199
"""Posts in one second, 3 August 2013: the most that Twitter has told of."""
PARTITIONS, BRANDS = 16, 5
Json = dict[str, Any]


class Scaling:
    """One arena, and how much is measured on it."""

    def __init__(self, arena: Arena, posts: int, runs: int) -> None:
        self._arena = arena
        self._posts = posts
        self._runs = runs

    def cost(self) -> Json:
        """CPU µs a post at 4, 16 and 64 partitions and at 1 and 100 brands, each over that of 16 and 5."""
        base = self._measured(1, partitions=PARTITIONS, brand_count=BRANDS)
        found = {"base": base.cpu_us_per_post}
        for partitions in (4, 64):
            found[f"partitions_{partitions}"] = self._measured(1, partitions=partitions).cpu_us_per_post
        for count in (1, 100):
            found[f"brands_{count}"] = self._measured(1, brand_count=count).cpu_us_per_post
        ratios = {name: round(cost / base.cpu_us_per_post, 3) for name, cost in found.items()}
        return {"cpu_us_per_post": found, "ratios": ratios, "backlog_posts_per_s": base.posts_per_s}

    def workers(self) -> Json:
        """1, 2 and 3 workers, and what their figures say about the record of all Twitter."""
        found = {number: self._measured(number) for number in (1, 2, 3)}
        cost = max(run.cpu_us_per_post for run in found.values())
        fastest = max(run.posts_per_s for run in found.values())
        return {
            "posts_per_s": {number: run.posts_per_s for number, run in found.items()},
            "cpu_us_per_post": {number: run.cpu_us_per_post for number, run in found.items()},
            "broker_cpu_us_per_post": {number: run.broker_cpu_us_per_post for number, run in found.items()},
            "record_posts_per_s": RECORD,
            "worker_cores_for_the_record": math.ceil(RECORD * cost / 1e6),
            "machines_like_this_for_the_record": math.ceil(RECORD / fastest),
        }

    def half(self) -> Json:
        """CPU µs a post at half the rate of one worker with a full backlog, without a backlog; and the ratio."""
        full = self._measured(1)
        settings, file = self._arena.settings(partitions=PARTITIONS)
        outputs = Outputs(settings)
        with _worker(file) as worker, Feeder(settings) as feeder:
            feeder.feed(500, rate=100)
            _until(lambda: outputs.count() >= 500)
            before = _cpu(worker)
            count = int(full.posts_per_s / 2 * 15)
            started = time.monotonic()
            feeder.feed(count, rate=full.posts_per_s / 2)
            _until(lambda: outputs.count() >= 500 + count)
            cost = (_cpu(worker) - before) / count * 1e6
            rate = count / (time.monotonic() - started)
        outputs.close()
        return {
            "posts_per_s": rate,
            "cpu_us_per_post": cost,
            "of_full_backlog": full.cpu_us_per_post,
            "ratio": round(cost / full.cpu_us_per_post, 3),
        }

    def memory(self) -> Json:
        """Resident memory while ten times the posts go through: the most, and its growth after the first tenth."""
        settings, file = self._arena.settings(partitions=PARTITIONS)
        count = 10 * self._posts
        self._arena.load(settings, count)
        outputs, samples = Outputs(settings), list[tuple[int, float]]()
        with _worker(file) as worker:
            while not samples or samples[-1][0] < count:
                time.sleep(0.5)
                samples.append((outputs.count(), worker.memory_info().rss / 1024**2))
        outputs.close()
        done, megabytes = np.array([sample for sample in samples if sample[0] > count / 10]).T
        return {
            "posts": count,
            "peak_rss_mb": max(sample[1] for sample in samples),
            "mb_per_million_posts": float(np.polyfit(done / 1e6, megabytes, 1)[0]),
            "samples": samples[:: max(1, len(samples) // 50)],
        }

    def start(self) -> Json:
        """Seconds from the command to the first routed post, with the broker up: the median of five."""
        return {"seconds": float(np.median([self._started() for _ in range(5)]))}

    def _started(self) -> float:
        settings, file = self._arena.settings()
        self._arena.load(settings, 100)
        outputs, begun = Outputs(settings), time.monotonic()
        with _worker(file):
            _until(lambda: outputs.count() > 0)
            seconds = time.monotonic() - begun
        outputs.close()
        return seconds

    def _measured(self, workers: int, *, partitions: int = PARTITIONS, brand_count: int = BRANDS) -> Measured:
        return middle([self._once(workers, partitions, brand_count) for _ in range(self._runs)])

    def _once(self, workers: int, partitions: int, brand_count: int) -> Measured:
        settings, file = self._arena.settings(partitions=partitions, brand_count=brand_count)
        self._load(settings, brand_count)
        return self._arena.run(settings, [_command(file)] * workers, self._posts, skip=self._posts // 10)

    def _load(self, settings: Settings, brand_count: int) -> None:
        self._arena.load(settings, self._posts, brand_count=brand_count)


@contextmanager
def _worker(file: Path) -> Iterator[psutil.Process]:
    process = subprocess.Popen(_command(file), cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _command(file: Path) -> list[str]:
    return [sys.executable, "-m", "agents", "--settings", str(file), "worker"]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        if time.monotonic() > deadline:
            sys.exit("the worker did not route what it was given within two minutes")
        time.sleep(0.02)


def main() -> None:
    """Measure the parts that were asked for, and write what was found beside what an earlier run has found."""
    parts = ("start", "cost", "workers", "half", "memory")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=parts, help="this part; may be given again")
    parser.add_argument("--posts", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    out = Console(width=120)
    found = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with Broker(folder / "kafka", log=out.print, port=29292, heap_mb=1024) as broker:
            scaling = Scaling(Arena(broker, folder), arguments.posts, arguments.runs)
            for part in arguments.only or parts:
                found[part] = getattr(scaling, part)()
                out.print(part, {key: value for key, value in found[part].items() if key != "samples"})
                REPORT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
