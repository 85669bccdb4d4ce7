"""The embedded Apache Kafka: one KRaft node on loopback, for trying and testing; no Docker, no Java, no root."""

from __future__ import annotations

import shutil
import signal
import ssl
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep
from typing import Self

import psutil

from agents.broker_properties import PROPERTIES, Secure, listeners
from agents.broker_state import MAIN, PROPERTIES_FILE, STOP_WITHIN_S, State, cluster_of, status, write_state
from agents.jars import KAFKA, cache_dir, ending_with_us, jars, java, only_one
from agents.ports import free_port, kafka_answers
from pipeline.errors import BrokerError

PORT = 9092
START_WITHIN_S = 60.0
ATTEMPTS = 3
"""How often other ports are tried when somebody takes ours between our look and the broker's."""
HEAP_MB = 768
BESIDE_HEAP_MB = 256
NEEDED_DISK = 1024**3
LOG = "broker.log"
STARTED = "Kafka Server started"
"""Its own word in its own log: an answer alone may be that of another broker, which took the port meanwhile."""
TAKEN = "Address already in use"


class PortTaken(BrokerError):
    """Raised when somebody took the port between our look and the broker's."""


class Broker:
    """One broker in one folder; `status` and `down` find it there from another process.

    Unless it is detached, it ends with the thread that started it, however that ends (on Linux; elsewhere, when it is
    stopped in order).
    """

    def __init__(
        self,
        folder: Path,
        *,
        log: Callable[[str], None],
        port: int | None = None,
        secure: Secure | None = None,
        heap_mb: int = HEAP_MB,
        properties: Mapping[str, str] | None = None,
        detached: bool = False,
        cache: Path | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self._moves = True
        self._log = log
        self._secure = secure
        self._heap_mb = heap_mb
        self._properties = dict(properties or {})
        self._detached = detached
        self._cache = cache or cache_dir()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process, while it is started."""
        return self.process.pid if self.process is not None else None

    def start(self, timeout_s: float = START_WITHIN_S) -> None:
        """Start, and return when it answers; a port that is taken is replaced, and said, the first time only.

        Raises:
            BrokerError: no memory, no disk, a stale folder, a broken download, or it died; with what to do.
        """
        with only_one(self.folder, otherwise="choose another folder"):
            if (running := status(self.folder)) is not None:
                raise BrokerError(
                    f"a broker runs in {self.folder} already (process {running.pid}, port {running.port}): end it "
                    "with `triage broker down`, or choose another folder"
                )
            check_room(
                self.folder,
                memory=psutil.virtual_memory().available,
                disk=shutil.disk_usage(self.folder).free,
                heap_mb=self._heap_mb,
            )
            classpath = ":".join(map(str, jars(self._cache, log=self._log)))
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    self._launch(classpath, timeout_s)
                except PortTaken:
                    if attempt == ATTEMPTS:
                        raise
                else:
                    break

    def _launch(self, classpath: str, timeout_s: float) -> None:
        self.port = self._choose_port(self.port or PORT, "broker", moves=self._moves)
        cluster = self._prepare(classpath)
        with ExitStack() as unless_it_answers:
            before = (self.folder / LOG).stat().st_size if (self.folder / LOG).exists() else 0
            command = java(self._heap_mb, classpath, MAIN, self.folder / PROPERTIES_FILE)
            self.process = self._spawn(command)
            unless_it_answers.callback(self.kill)
            write_state(self.folder, State(self.process.pid, self.port, cluster, KAFKA))
            self._wait_until_it_answers(self.process, before, timeout_s)
            unless_it_answers.pop_all()
        self._moves = False

    def restart(self) -> None:
        """Stop in order and start again, on the same port."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Stop in order; killed if that takes too long."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it: what a power cut would leave."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _choose_port(self, wanted: int, whose: str, *, moves: bool = True) -> int:
        port = free_port(wanted)
        if port != wanted and not moves:
            raise BrokerError(f"port {wanted}, where clients look for this {whose}, was taken meanwhile: free it")
        if port != wanted:
            self._log(f"port {wanted} is taken: the {whose} is on {port}")
        return port

    def _prepare(self, classpath: str) -> str:
        """Write the properties and format the folder if it is new; the cluster's id."""
        data = self.folder / "data"
        client = self.port or PORT
        controller = self._choose_port(client + 1, "broker's controller")
        properties = {**PROPERTIES, **listeners(client, controller, self._secure), **self._properties}
        properties |= {"log.dirs": str(data), "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}"}
        file = self.folder / PROPERTIES_FILE
        file.touch(mode=0o600)  # it may hold passwords
        file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        cluster = cluster_of(self.folder, data)
        if cluster is None:
            cluster = _new_cluster_id()
            self._format(classpath, cluster, data)
        return cluster

    def _format(self, classpath: str, cluster: str, data: Path) -> None:
        tool = java(256, classpath, "kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, short=True)
        users = self._secure.users if self._secure is not None else {}
        scram = [f"SCRAM-SHA-512=[name={name},password={password}]" for name, password in users.items()]
        options = [part for user in scram for part in ("--add-scram", user)]
        command = [*tool, "-c", str(self.folder / PROPERTIES_FILE), *options]
        with ExitStack() as unless_it_is_done:
            unless_it_is_done.callback(shutil.rmtree, data, ignore_errors=True)
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BrokerError(f"Kafka could not format {data}: {_last(done.stdout + done.stderr)}")
            write_state(self.folder, State(0, 0, cluster, KAFKA))
            unless_it_is_done.pop_all()

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        """In a session of its own, so that Ctrl-C at the terminal reaches only us, who stop it in order."""
        with (self.folder / LOG).open("ab") as log:
            return subprocess.Popen(
                command if self._detached else ending_with_us(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
            )

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes], before: int, timeout_s: float) -> None:
        tls = None if self._secure is None else _tls(self._secure)
        deadline = monotonic() + timeout_s
        while not (STARTED in (said := self._said(before)) and kafka_answers(self.port or PORT, tls)):
            if process.poll() is not None or monotonic() > deadline:
                what = f"did not answer within {timeout_s:g} s" if process.poll() is None else "did not start"
                error = PortTaken if TAKEN in said else BrokerError
                raise error(f"the broker {what}; the end of {self.folder / LOG}:\n{_last(said)}")
            sleep(0.05)

    def _said(self, before: int) -> str:
        with (self.folder / LOG).open("rb") as log:
            log.seek(before)
            return log.read().decode(errors="replace")


def check_room(folder: Path, *, memory: int, disk: int, heap_mb: int = HEAP_MB) -> None:
    """Raise BrokerError where there is too little memory or disk, both in bytes."""
    needed = heap_mb + BESIDE_HEAP_MB
    if memory < needed * 1024**2:
        raise BrokerError(f"{memory // 1024**2} MB of memory are free, the broker needs {needed}: end some programs")
    if disk < NEEDED_DISK:
        raise BrokerError(
            f"{disk // 1024**2} MB of disk are free at {folder}, the broker needs {NEEDED_DISK // 1024**2}: make room, "
            "or choose another folder"
        )


def _tls(secure: Secure) -> ssl.SSLContext:
    """For the look whether it answers, from this machine: by authority, not by name."""
    context = ssl.create_default_context(cafile=secure.truststore)
    context.check_hostname = False
    return context


def _last(said: str) -> str:
    """The end of what a program said, without the steps of its stack traces."""
    return "\n".join(line for line in said.splitlines() if not line.startswith("\tat ")).strip()[-800:]


def _new_cluster_id() -> str:
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)


def default_folder() -> Path:
    """Where `triage broker up` keeps its data when no folder is named."""
    return cache_dir() / "broker"
