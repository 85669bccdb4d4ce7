"""A rolling restart of three triage workers under load: what is lost, and how late posts are routed meanwhile.

    python -m benchmarks.rolling            # 1,000 posts/s; writes build/rolling.json
    python -m benchmarks.rolling --dynamic  # the same without static membership of the consumer group

As an orchestrator does it: SIGTERM, its end, the same name again, /readyz; then the next one. Latency is that from the
post's Kafka timestamp to the routed record's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from kafka import TopicPartition

from agents import clients
from agents.broker import Broker
from benchmarks.arena import ROUTED, Arena
from benchmarks.feed import Feeder
from pipeline.settings import Settings

NAMES = ("triage-0", "triage-1", "triage-2")
STEADY_S = 5.0
WITHIN_S = 120.0
REPORT = Path(__file__).parents[1] / "build" / "rolling.json"


class _Source(msgspec.Struct):
    partition: int
    offset: int


class _Routed(msgspec.Struct):
    ingested_at: str
    source: _Source


_read = msgspec.json.Decoder(_Routed).decode


@dataclass
class Restart:
    """One worker's."""

    name: str
    stop_s: float
    """From SIGTERM to its end."""
    away_s: float
    """From SIGTERM until it, started again, says that it is ready."""
    exit_code: int


@dataclass
class Rolled:
    """What came of it; latencies in ms."""

    posts: int
    lost: int
    twice: int
    restarts: list[Restart]
    before: dict[str, float]
    """Of the posts that came before the first restart."""
    during: dict[str, float]
    """Of those that came from the first SIGTERM until the last one was ready, and its session's length more."""
    rebalances: dict[str, float]
    """By worker, since its last start."""


_METRICS = re.compile(r"(http://[^/\s]+/)metrics")
"""In a line for people as in one of JSON."""


class Workers:
    """Three of them; each has a log."""

    def __init__(self, file: Path, folder: Path, *, static: bool) -> None:
        self._file, self._folder, self._static = file, folder, static
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for name in NAMES:
                self.start(name)
            for name in NAMES:
                self.wait(name)
        except BaseException:
            self.end()
            raise

    def start(self, name: str) -> None:
        """Begin one."""
        environment = os.environ | ({"TRIAGE_WORKER__INSTANCE_ID": name} if self._static else {})
        with self._log(name).open("wb") as log:
            command = [sys.executable, "-m", "agents", "--settings", str(self._file), "worker"]
            self._processes[name] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def wait(self, name: str) -> None:
        """Until it is ready."""
        deadline = time.monotonic() + WITHIN_S
        while not self._ready(name):
            if time.monotonic() > deadline or self._processes[name].poll() is not None:
                raise SystemExit(f"{name} is not ready: {self._log(name).read_text(errors='replace')[-800:]}")
            time.sleep(0.05)

    def restart(self, name: str) -> Restart:
        """End it in order, start it again, and wait."""
        began = time.monotonic()
        self._processes[name].send_signal(signal.SIGTERM)
        code = self._processes[name].wait(WITHIN_S)
        stopped = time.monotonic()
        self.start(name)
        self.wait(name)
        return Restart(name, round(stopped - began, 2), round(time.monotonic() - began, 2), code)

    def rebalances(self) -> dict[str, float]:
        """How often each was given partitions."""
        lines = {name: self._get(name, "metrics").splitlines() for name in NAMES}
        return {
            name: float(next(line for line in some if line.startswith("triage_rebalances_total")).split()[1])
            for name, some in lines.items()
        }

    def end(self) -> None:
        """All of them."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(WITHIN_S)

    def _ready(self, name: str) -> bool:
        try:
            return bool(self._get(name, "readyz"))
        except (OSError, urllib.error.URLError):
            return False

    def _get(self, name: str, path: str) -> str:
        said = _METRICS.search(self._log(name).read_text(errors="replace"))
        if said is None:
            raise OSError("it has not said where /metrics is")
        with urllib.request.urlopen(said[1] + path, timeout=5) as answer:
            return str(answer.read().decode())

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def roll(arena: Arena, folder: Path, *, rate: float, static: bool = True) -> Rolled:
    """Restart the three under a load of `rate` posts/s."""
    settings, file = arena.settings()
    workers = Workers(file, folder, static=static)
    try:
        with Feeder(settings) as feeder, ThreadPoolExecutor(1) as thread:
            count = feeder.feed(int(rate * STEADY_S), rate=rate)
            first = time.time()
            rolling = thread.submit(lambda: [workers.restart(name) for name in NAMES])
            while not rolling.done():
                count += feeder.feed(int(rate), rate=rate)
            restarts, last = rolling.result(), time.time() + settings.worker.session_timeout_s
            while time.time() < last:
                count += feeder.feed(int(rate), rate=rate)
        found = _all_routed(settings, count)
        rebalances = workers.rebalances()
    finally:
        workers.end()
    latencies = _latencies(settings)
    return Rolled(
        count,
        count - len(found),
        sum(found.values()) - len(found),
        restarts,
        _quantiles([latency for at, latency in latencies if at < first * 1000]),
        _quantiles([latency for at, latency in latencies if first * 1000 <= at < last * 1000]),
        rebalances,
    )


def _all_routed(settings: Settings, count: int) -> Counter[tuple[int, int]]:
    """How often each post stands in an output topic, once all do, or the time is over."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        found = Counter((one.source.partition, one.source.offset) for one, _ in _routed(settings))
        if len(found) >= count or time.monotonic() > deadline:
            return found


def _latencies(settings: Settings) -> list[tuple[float, float]]:
    """(the post's Kafka timestamp, ms until it was routed), in their order, the first time where it was twice."""
    first: dict[tuple[int, int], tuple[float, float]] = {}
    for one, at in _routed(settings):
        came = datetime.fromisoformat(one.ingested_at).timestamp() * 1000
        place = one.source.partition, one.source.offset
        first[place] = min(first.get(place, (came, at - came)), (came, at - came))
    return sorted(first.values())


def _routed(settings: Settings) -> list[tuple[_Routed, int]]:
    consumer = clients.consumer(settings.kafka)
    tps = [
        TopicPartition(settings.topics.name(topic), number)
        for topic in ROUTED
        for number in range(settings.topics.partitions)
    ]
    consumer.assign(tps)
    consumer.seek_to_beginning(*tps)
    ends, found = consumer.end_offsets(tps), []
    while any(consumer.position(tp) < end for tp, end in ends.items()):
        for records in consumer.poll(timeout_ms=500, max_records=5000).values():
            found += [(_read(record.value), record.timestamp) for record in records]
    consumer.close()
    return found


def _quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    shares = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999), ("max", 1.0))
    return {name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) for name, share in shares}


def main() -> None:
    """Roll, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--dynamic", action="store_true", help="without static membership")
    chosen = parser.parse_args()
    with TemporaryDirectory() as name, Broker(Path(name) / "kafka", log=print) as broker:
        folder = Path(name)
        rolled = roll(Arena(broker, folder), folder, rate=chosen.rate, static=not chosen.dynamic)
    said = json.dumps(asdict(rolled), indent=1)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(said + "\n")
    print(said)


if __name__ == "__main__":
    main()
