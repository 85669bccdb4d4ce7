"""The place where workers are killed: real worker processes, and a ledger of ids in against ids out."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from kafka import KafkaProducer, TopicPartition
from patience import PATIENCE

from agents import clients, topics
from pipeline import settings as settings_module
from pipeline.topics import DEAD, QUEUE_TOPICS, TWEETS

BRAND = {"name": "acme", "handles": ["Acme"], "ids": ["900"]}
HERE = Path(__file__).parent


def post(number: int) -> bytes:
    """A made-up post with its own id; three in a hundred are broken."""
    if number % 33 == 0:
        return b'{"data": {"id": "%d"' % number
    text = f"@Acme order {number} has not come, where is it? {'please ' * (number % 7)}"
    author = str(1000 + number % 500)
    return json.dumps({"data": {"id": str(number), "text": text, "author_id": author}}).encode()


class Feed:
    """Produces posts at a steady rate in a thread, and keeps where each was acknowledged."""

    def __init__(self, settings: settings_module.Settings, rate: float, partitions: int) -> None:
        self._producer: KafkaProducer = clients.producer(settings.kafka)
        self._topic = settings.topics.name(TWEETS)
        self._rate = rate
        self._partitions = partitions
        self._futures: list[Any] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Feed:
        """Begin to produce."""
        self._thread.start()
        return self

    def send(self, count: int) -> None:
        """Produce so many at once."""
        for _ in range(count):
            number = len(self._futures) + 1
            self._futures.append(
                self._producer.send(self._topic, post(number), key=b"%d" % number, partition=number % self._partitions)
            )

    def end(self) -> set[tuple[int, int]]:
        """Stop, and say at which partition and offset every post was acknowledged."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._producer.flush()
        places = {(found.partition, found.offset) for found in (future.get(60) for future in self._futures)}
        self._producer.close()
        return places

    def _run(self) -> None:
        started = time.monotonic()
        while not self._stop.wait(0.02):
            due = int((time.monotonic() - started) * self._rate)
            self.send(due - len(self._futures))


@dataclass
class Result:
    """One line of build/faults.json."""

    scenario: str
    produced: int
    unique: int
    lost: int
    duplicates: int
    seconds: float
    passed: bool


@dataclass(frozen=True)
class Kill:
    """When a worker was killed (Unix time, s), and what its group had committed by then, by partition."""

    at: float
    committed: Mapping[int, int]


@dataclass
class Run:
    """One scenario's topics, settings and worker processes."""

    scenario: str
    settings: settings_module.Settings
    file: Path
    folder: Path
    partitions: int
    started: float = field(default_factory=time.monotonic)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)

    def worker(
        self,
        name: str = "w1",
        *,
        program: str | None = None,
        command: str = "worker",
        home: Path | None = None,
        **environment: str,
    ) -> subprocess.Popen[bytes]:
        """Start a worker, with a static group membership under its name; `home`: where another version of it lies."""
        start = [sys.executable, "-m", "agents"] if program is None else [sys.executable, str(HERE / program)]
        variables = {**os.environ, "TRIAGE_WORKER__INSTANCE_ID": name, **environment}
        if home is not None:
            variables["PYTHONPATH"] = str(home)
            del variables["TRIAGE_LOG_FORMAT"]  # which older versions do not know
        with (self.folder / f"worker-{len(self.workers)}.log").open("wb") as log:
            process = subprocess.Popen(
                [*start, "--settings", str(self.file), command],
                env=variables,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=home,
            )
        self.workers.append(process)
        return process

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """SIGKILL, and note how far its group had come."""
        worker.kill()
        worker.wait()
        self.kills.append(Kill(time.time(), self.committed()))

    def feed(self, rate: float = 1500.0) -> Feed:
        """Posts at a steady rate."""
        return Feed(self.settings, rate, self.partitions)

    def outputs(self) -> Counter[tuple[int, int]]:
        """How often each source place stands in an output topic."""
        return Counter(place for place, _ in self._written())

    def undone_by_kills(self) -> list[float]:
        """What a kill makes a worker do again: for each output that was not committed, its age at the kill in s."""
        since, ages = 0.0, []
        written = self._written()
        for kill in self.kills:
            mine = [(place, at) for place, at in written if since < at <= kill.at]
            ages += [kill.at - at for (number, offset), at in mine if offset >= kill.committed.get(number, 0)]
            since = kill.at
        return ages

    def _written(self) -> list[tuple[tuple[int, int], float]]:
        """All outputs: the place of the source, and when its batch was judged (Unix time, s)."""
        names = [self.settings.topics.name(topic) for topic in (*QUEUE_TOPICS, DEAD)]
        consumer = clients.consumer(self.settings.kafka)
        tps = [TopicPartition(name, number) for name in names for number in range(self.partitions)]
        consumer.assign(tps)
        consumer.seek_to_beginning(*tps)
        ends = consumer.end_offsets(tps)
        found = []
        while any(consumer.position(tp) < ends[tp] for tp in tps):
            for records in consumer.poll(timeout_ms=500).values():
                found += [(_source(record), record.timestamp / 1000) for record in records]
        consumer.close()
        return found

    def ended(self, expected: set[tuple[int, int]], *, within: float = 120.0) -> Counter[tuple[int, int]]:
        """The outputs, once all that was produced is among them or the time is over."""
        deadline = time.monotonic() + within * PATIENCE
        while True:
            found = self.outputs()
            if expected <= set(found) or time.monotonic() > deadline:
                return found

    def result(self, expected: set[tuple[int, int]], *, most_duplicates: int, fine: bool = True) -> Result:
        """Compare the ledger."""
        found = self.ended(expected)
        unique = len(set(found) & expected)
        lost = len(expected) - unique
        duplicates = sum(found.values()) - len(found)
        passed = fine and lost == 0 and duplicates <= most_duplicates
        seconds = round(time.monotonic() - self.started, 1)
        return Result(self.scenario, len(expected), unique, lost, duplicates, seconds, passed)

    def said(self, back: int = 1) -> str:
        """What the worker has said that was started last, or so many before."""
        return (self.folder / f"worker-{len(self.workers) - back}.log").read_text(errors="replace")

    def committed(self) -> dict[int, int]:
        """The group's offsets by partition."""
        admin = clients.admin(self.settings.kafka)
        offsets = admin.list_group_offsets(self.settings.worker.group)[self.settings.worker.group]
        admin.close()
        return {tp.partition: found.offset for tp, found in offsets.items()}

    def stop(self) -> None:
        """Stop in order what still runs."""
        for process in self.workers:
            if process.poll() is None:
                terminate(process, within=25)

    def end(self) -> None:
        """Kill what still runs."""
        for process in self.workers:
            if process.poll() is None:
                process.kill()
                process.wait()


def _source(record: Any) -> tuple[int, int]:
    headers = dict(record.headers)
    if "dlq.partition" in headers:
        return int(headers["dlq.partition"]), int(headers["dlq.offset"])
    source = json.loads(record.value)["source"]
    return source["partition"], source["offset"]


class Arena:
    """Makes runs on one broker."""

    def __init__(self, bootstrap: str, folder: Path, security: Mapping[str, Any] | None = None) -> None:
        self._kafka = {"bootstrap_servers": [bootstrap], **(security or {})}
        self._folder = folder
        self._count = 0
        self._runs: list[Run] = []

    def run(self, scenario: str, *, partitions: int = 6, responses: dict[str, Any] | None = None, **worker: Any) -> Run:
        """Fresh topics and settings; the workers' metrics are on free ports."""
        self._count += 1
        folder = self._folder / f"{self._count}-{scenario}"
        folder.mkdir(parents=True)
        content = {
            "brands": [BRAND],
            "kafka": self._kafka,
            "topics": {"prefix": f"f{self._count}.{random.randrange(10**6)}.", "partitions": partitions},
            "metrics": {"port": 0},
            "worker": {"group": f"{scenario}-{self._count}", "session_timeout_s": 6, **worker},
            "responses": {"group": f"r-{scenario}-{self._count}", **(responses or {})},
        }
        file = folder / "settings.yaml"
        file.write_text(yaml.safe_dump(content))
        settings = settings_module.load(file)
        topics.create(settings)
        self._runs.append(Run(scenario, settings, file, folder, partitions))
        return self._runs[-1]

    def end(self) -> None:
        """Kill what a failed scenario left."""
        for run in self._runs:
            run.end()


def wait_for(condition: Callable[[], bool], *, within: float, what: str) -> None:
    """Look again and again until a condition holds."""
    deadline = time.monotonic() + within * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        threading.Event().wait(0.1)


def metrics_of(run: Run, number: int = -1) -> str:
    """A worker's /metrics, its address taken from what it said."""
    log = run.folder / f"worker-{(len(run.workers) + number) % len(run.workers)}.log"
    address = next(word for word in log.read_text().split() if word.startswith("http://"))
    with urllib.request.urlopen(address.rstrip(","), timeout=10) as answer:
        return str(answer.read().decode())


def value_of(run: Run, name: str) -> float:
    """A metric without labels of the worker that was started last."""
    line = next(line for line in metrics_of(run).splitlines() if line.startswith(f"{name} "))
    return float(line.split()[1])


def terminate(process: subprocess.Popen[bytes], *, within: float) -> tuple[int, float]:
    """SIGTERM; the exit code and the seconds that it took."""
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=within), time.monotonic() - started
