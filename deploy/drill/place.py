"""Where the drill is: a broker, the fake X with its crowd, the programs as processes, Prometheus before them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from agents import topics
from agents.broker import Broker
from agents.children import END_WITHIN_S, end_with_parent
from agents.fake_x import FakeX
from agents.fake_x_by_hand import settings_for
from agents.ports import free_port
from deploy.drill.crowd import ASKED, TALKED_OF, Crowd
from deploy.drill.watch import Prometheus, Watch, answers, get, until
from pipeline import settings as settings_module
from pipeline.settings import TARGETS, Settings

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 120.0
FIRST_PORT = 19470
"""Ports of the programs and of Prometheus: from here on, those that are free."""


class Program:
    """One of ours as a process, always on the same port, as a container that is started again is."""

    def __init__(self, name: str, command: list[str], port: int, log: Path) -> None:
        self.name = name
        self.port = port
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `wait` says when it is there."""
        environment = {"TRIAGE_METRICS__PORT": str(self.port), "TRIAGE_WORKER__INSTANCE_ID": self.name}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, **environment},
                preexec_fn=end_with_parent,  # noqa: PLW1509 - it only makes a system call
            )

    def wait(self, path: str = "/readyz") -> None:
        """Return when it is ready."""
        until(lambda: answers(self.port, path), READY_WITHIN_S, f"{self.name} answers; see {self._log}")

    def check(self) -> None:
        """Raise RuntimeError if it ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended by itself: {self._log.read_text(errors='replace')[-1000:]}")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it in order."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()


class Place(NamedTuple):
    """What faults are made with."""

    broker: Broker
    x: FakeX
    crowd: Crowd
    programs: dict[str, Program]
    slow: Path
    """Seconds that a batch takes longer, while this file is there."""
    settings: Settings
    watch: Watch


@contextmanager
def made(folder: Path, prometheus: str, factor: int) -> Iterator[Place]:
    """All of it, ended with the block; the programs are ready and the crowd writes."""
    with ExitStack() as ending:
        broker = ending.enter_context(Broker(_in(folder, "kafka"), log=lambda _: None, port=FIRST_PORT + 100))
        x = ending.enter_context(FakeX())
        file = folder / "settings.yaml"
        file.write_text(yaml.safe_dump(_settings(x, broker, folder, factor)), encoding="utf-8")
        settings = settings_module.load(file)
        topics.create(settings)
        programs = _programs(folder, file)
        for program in programs.values():
            ending.callback(program.stop)
            program.start()
        server = Prometheus(prometheus, folder / "prometheus", _port(programs), _ports(programs), factor)
        for program in programs.values():
            program.wait()
        until(partial(_listens, programs["listener"]), READY_WITHIN_S, f"it listens; see {folder / 'listener.log'}")
        crowd, watch = Crowd(x), Watch(server)
        for thing in (crowd, server, watch):
            thing.start()
            ending.callback(thing.stop)
        until(lambda: server.sees(len(programs)), READY_WITHIN_S, "Prometheus sees all programs, and nothing is wrong")
        yield Place(broker, x, crowd, programs, folder / "slow", settings, watch)


def _listens(listener: Program) -> bool:
    """Ready it is when another one could be active, too."""
    return "triage_stream_connected 1.0" in get(listener.port, "/metrics")


def _in(folder: Path, name: str) -> Path:
    inside = folder / name
    inside.mkdir()
    return inside


def _programs(folder: Path, file: Path) -> dict[str, Program]:
    commands = {
        "triage": ["deploy.drill.slow_worker", str(file), str(folder / "slow")],
        "responses": ["agents", "--settings", str(file), "responses"],
        "listener": ["agents", "--settings", str(file), "listen"],
    }
    made: dict[str, Program] = {}
    for name, command in commands.items():
        made[name] = Program(name, command, _port(made), folder / f"{name}.log")
    return made


def _port(programs: dict[str, Program]) -> int:
    return free_port(max((program.port + 1 for program in programs.values()), default=FIRST_PORT))


def _ports(programs: dict[str, Program]) -> dict[str, int]:
    return {name: program.port for name, program in programs.items()}


def _settings(x: FakeX, broker: Broker, folder: Path, factor: int) -> dict[str, Any]:
    """Targets by the factor; prices at nothing, for a drill reads more in a minute than a brand pays for in a month."""
    content: dict[str, Any] = yaml.safe_load(settings_for(x, (TALKED_OF, ASKED)))
    talked_of, asked = content["brands"]
    talked_of["targets"] = dict.fromkeys([queue.value for queue in TARGETS])
    asked["targets"] = {queue.value: target and target // factor for queue, target in TARGETS.items()}
    free = dict.fromkeys(("stream", "search", "mentions", "timeline", "posts", "dm"), 0.0)
    return content | {
        "kafka": {"bootstrap_servers": [broker.bootstrap]},
        "topics": {"prefix": "drill.", "partitions": 6},
        "worker": {"session_timeout_s": 6},
        # X's windows are not shortened: looks at private messages would seem to use them up.
        "listener": {"spill": {"folder": str(folder / "spill")}, "prices": free, "dm_every_s": 3600},
    }
