"""A Prometheus of our own on loopback, and what its HTTP API says of alerts, looked at several times a second."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

import yaml

from agents.children import end_with_parent
from deploy.prometheus import rules
from deploy.prometheus.spans import Spans

NAMESPACE = "drill"
LOOK_EVERY_S = 0.2
APART = ("TriageWatchdog", "TriageModelDrift")
"""The first always fires; and the crowd's few sentences are divided otherwise than what the model learned from."""


class Alarm(NamedTuple):
    """An alert that fires."""

    name: str
    component: str
    severity: str
    team: str


class Prometheus:
    """The server, its data in a folder of ours; scrapes and judges as often as life's would, by the factor."""

    def __init__(self, program: str, folder: Path, port: int, targets: Mapping[str, int], factor: int) -> None:
        self.port = port
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        drilled = rules.document(factor=factor, programs=tuple(targets))
        (folder / "rules.yaml").write_text(rules.text(drilled), encoding="utf-8")
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(_config(targets, factor)), encoding="utf-8")
        self._looks_back = Spans(factor)("5m")

    def start(self) -> None:
        """Start it, and return when it answers."""
        command = [self._program, f"--config.file={self._folder / 'prometheus.yaml'}"]
        command += [f"--storage.tsdb.path={self._folder / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}"]
        command += [f"--query.lookback-delta={self._looks_back}", "--log.level=warn"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, preexec_fn=end_with_parent  # noqa: PLW1509 - it only makes a system call
            )  # fmt: skip
        until(lambda: answers(self.port, "/-/ready"), 60, f"Prometheus answers; see {self._folder / 'log'}")

    def sees(self, targets: int) -> bool:
        """Whether it has scraped so many, and nothing fires; it looks for them five seconds after its start."""
        up = json.loads(get(self.port, "/api/v1/query?query=sum(up)"))["data"]["result"]
        return bool(up) and int(up[0]["value"][1]) == targets and not self.firing()

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def firing(self) -> frozenset[Alarm]:
        """What fires now, but for what stands apart."""
        found = json.loads(get(self.port, "/api/v1/alerts"))["data"]["alerts"]
        alarms = {_alarm(alert["labels"]) for alert in found if alert["state"] == "firing"}
        return frozenset(alarm for alarm in alarms if alarm.name not in APART)


class Watch(Thread):
    """Looks at the alerts until it is stopped, and remembers."""

    def __init__(self, prometheus: Prometheus) -> None:
        super().__init__(name="watch", daemon=True)
        self._prometheus = prometheus
        self._ending = Event()
        self._looks: list[tuple[float, frozenset[Alarm]]] = []

    def run(self) -> None:
        """Look."""
        while not self._ending.wait(LOOK_EVERY_S):
            self._looks.append((time.monotonic(), self._prometheus.firing()))

    def stop(self) -> None:
        """Look no more."""
        self._ending.set()
        self.join()

    def now(self) -> frozenset[Alarm]:
        """What fires at the last look."""
        if not self.is_alive():
            raise RuntimeError("Prometheus does not answer any more")
        return self._looks[-1][1] if self._looks else frozenset()

    def seen(self, since: float) -> set[Alarm]:
        """What fired at some time since then."""
        return set().union(*(alarms for at, alarms in self._looks if at >= since))

    def fired(self, name: str, since: float) -> float | None:
        """How long after that an alert fired first."""
        return next((at - since for at, alarms in self._looks if at >= since and _has(alarms, name)), None)

    def ended(self, name: str, since: float) -> float:
        """How long after that it fired no more, as things are; 0: it had ended before."""
        last = max((at for at, alarms in self._looks if at >= since and _has(alarms, name)), default=None)
        return 0.0 if last is None else next((at - since for at, _ in self._looks if at > last), 0.0)


def _has(alarms: frozenset[Alarm], name: str) -> bool:
    return any(alarm.name == name for alarm in alarms)


def _alarm(labels: Mapping[str, str]) -> Alarm:
    return Alarm(labels["alertname"], labels["component"], labels["severity"], labels["team"])


def _config(targets: Mapping[str, int], factor: int) -> dict[str, Any]:
    often = Spans(factor)("30s")
    jobs = [
        {
            "job_name": name,
            "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": NAMESPACE, "pod": name}}],
        }
        for name, port in targets.items()
    ]
    every = {"scrape_interval": often, "scrape_timeout": often, "evaluation_interval": often}
    return {"global": every, "rule_files": ["rules.yaml"], "scrape_configs": jobs}


def get(port: int, path: str) -> str:
    """What a server on loopback answers.

    Raises:
        OSError, HTTPException: nothing, or that it cannot.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != 200:
        raise HTTPException(f"{path}: {answer.status} {text.strip()}")
    return text


def answers(port: int, path: str) -> bool:
    """Whether it answers, and with 200."""
    try:
        get(port, path)
    except (OSError, HTTPException):
        return False
    return True


def until(condition: Any, within_s: float, what: str) -> None:
    """Return when a condition holds.

    Raises:
        TimeoutError: it does not within that time.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_s:g} s: {what}")
        time.sleep(0.1)
