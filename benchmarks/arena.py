"""One broker, the posts on it, contenders as processes, and what is measured of them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
import yaml
from kafka import TopicPartition

from agents import clients, topics
from agents.broker import Broker
from benchmarks.feed import Feeder
from benchmarks.posts import brands
from pipeline import settings as settings_module
from pipeline.settings import Settings
from pipeline.topics import DEAD, QUEUE_TOPICS

ROOT = Path(__file__).parents[1]
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
ROUTED = (*QUEUE_TOPICS, DEAD)
"""What a contender writes that triages."""


@dataclass
class Measured:
    """One run of one contender."""

    posts_per_s: float
    cpu_us_per_post: float
    broker_cpu_us_per_post: float
    peak_rss_mb: float
    complete: bool


class Arena:
    """Makes fresh topics on one broker and runs contenders on them."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self._folder = folder
        self._count = 0

    def settings(
        self,
        *,
        partitions: int = 12,
        brand_count: int = 5,
        responses: Mapping[str, object] | None = None,
        more: Mapping[str, object] | None = None,
        **worker: object,
    ) -> tuple[Settings, Path]:
        """Settings with topics of their own, made; `more` replaces whole sections."""
        self._count += 1
        content = {
            "brands": brands(brand_count),
            "kafka": {"bootstrap_servers": [self.broker.bootstrap]},
            "topics": {"prefix": f"b{self._count}.", "partitions": partitions},
            "worker": {"group": f"bench{self._count}", **worker},
            "responses": {"group": f"bench{self._count}", **(responses or {})},
            "metrics": {"port": 0},
            **(more or {}),
        }
        file = self._folder / f"settings-{self._count}.yaml"
        file.write_text(yaml.safe_dump(content))
        settings = settings_module.load(file)
        topics.create(settings)
        return settings, file

    def load(self, settings: Settings, count: int, *, brand_count: int = 5) -> None:
        """Put so many posts into `tweets`."""
        with Feeder(settings, count=count, brand_count=brand_count) as feeder:
            feeder.feed(count)

    def run(
        self,
        settings: Settings,
        commands: Sequence[list[str]],
        count: int,
        *,
        skip: int = 0,
        names: Sequence[str] = ROUTED,
        then: Callable[[], None] = lambda: None,
    ) -> Measured:
        """Start the processes and measure from the output after `skip` to the last.

        `names` are the declared topics that they write; `then` is called before they are ended.
        """
        outputs = Outputs(settings, names)
        processes = [subprocess.Popen(command, env=_environment(), cwd=ROOT) for command in commands]
        try:
            measured = self._watch(outputs, [psutil.Process(process.pid) for process in processes], count, skip)
            then()
        finally:
            outputs.close()
            for process in processes:
                process.terminate()
            for process in processes:
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        return measured

    def _watch(self, outputs: Outputs, processes: list[psutil.Process], count: int, skip: int) -> Measured:
        broker = psutil.Process(self.broker.process.pid if self.broker.process else 0)
        first = last = (0.0, 0, 0.0, 0.0)
        peak = 0.0
        deadline = time.monotonic() + 300
        while last[1] < count and time.monotonic() < deadline:
            time.sleep(0.1)  # each look costs the broker and us some milliseconds of CPU
            done = outputs.count()
            last = (time.monotonic(), done, sum(map(_cpu, processes)), _cpu(broker))
            if done > skip and not first[1]:
                first = last
            peak = max(peak, *(process.memory_info().rss / 1024**2 for process in processes))
        posts_done = max(1, last[1] - first[1])
        return Measured(
            posts_per_s=posts_done / max(0.001, last[0] - first[0]),
            cpu_us_per_post=(last[2] - first[2]) / posts_done * 1e6,
            broker_cpu_us_per_post=(last[3] - first[3]) / posts_done * 1e6,
            peak_rss_mb=peak,
            complete=last[1] == count,
        )


class Outputs:
    """How many records stand in the output topics of a contender."""

    def __init__(self, settings: Settings, names: Sequence[str] = ROUTED) -> None:
        topics = [settings.topics.name(name) for name in names]
        self._tps = [TopicPartition(topic, part) for topic in topics for part in range(settings.topics.partitions)]
        self._consumer = clients.consumer(settings.kafka)

    def count(self) -> int:
        """By the ends of the partitions, which only acknowledged records move."""
        return int(sum(self._consumer.end_offsets(self._tps).values()))

    def close(self) -> None:
        """Give up the connection."""
        self._consumer.close()


def middle(runs: Sequence[Measured]) -> Measured:
    """The medians of several runs; complete only where all are."""
    return Measured(
        posts_per_s=median(run.posts_per_s for run in runs),
        cpu_us_per_post=median(run.cpu_us_per_post for run in runs),
        broker_cpu_us_per_post=median(run.broker_cpu_us_per_post for run in runs),
        peak_rss_mb=max(run.peak_rss_mb for run in runs),
        complete=all(run.complete for run in runs),
    )


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
