"""The embedded broker: starts, answers, says what is wrong, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from kafka import KafkaProducer

from agents import clients, topics
from agents.broker import NEEDED_DISK, NEEDED_MEMORY, Broker, check_room, down, status
from agents.ports import free_port
from pipeline.errors import BrokerError
from pipeline.settings import Kafka, Settings, Topics


def test_a_taken_port_is_replaced_and_said(tmp_path: Path) -> None:
    """With the port taken the broker is on a free one, and the log says so."""
    said: list[str] = []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        with Broker(tmp_path / "kafka", log=said.append, port=taken) as broker:
            clients.admin(Kafka(bootstrap_servers=(broker.bootstrap,))).close()

    assert broker.port != taken
    assert [f"port {taken} is taken: the broker is on {broker.port}"] == said


def test_data_survive_a_kill(tmp_path: Path) -> None:
    """What was acknowledged is there after a kill and a start on the same folder."""
    broker = Broker(tmp_path / "kafka", log=lambda _: None, port=19592)
    broker.start()
    settings = Settings(kafka=Kafka(bootstrap_servers=(broker.bootstrap,)), topics=Topics(partitions=1))
    topics.create(settings, ["tweets"])
    producer: KafkaProducer = clients.producer(settings.kafka)
    producer.send("tweets", b"kept").get(timeout=30)
    producer.close()

    broker.kill()
    broker.start()
    consumer = clients.consumer(settings.kafka)
    consumer.subscribe(["tweets"])
    found = [record.value for records in consumer.poll(timeout_ms=20_000).values() for record in records]
    consumer.close()
    broker.stop()

    assert [b"kept"] == found


def test_a_detached_broker_is_found_by_its_folder(tmp_path: Path) -> None:
    """Another process sees a background broker, may not start a second one there, and can stop it."""
    folder = tmp_path / "kafka"
    command = [sys.executable, "-m", "agents", "broker", "up", "--folder", str(folder), "--port", "19692"]
    subprocess.run(command, check=True, capture_output=True)

    found = status(folder)
    with pytest.raises(BrokerError, match="runs in"):
        Broker(folder, log=lambda _: None).start()
    stopped = down(folder)

    assert found is not None
    assert stopped
    assert status(folder) is None
    assert not down(folder)


def test_a_stale_folder_is_refused(tmp_path: Path) -> None:
    """Data of another cluster, or half made ones, get a message that says what to do."""
    (tmp_path / "kafka" / "data").mkdir(parents=True)

    with pytest.raises(BrokerError, match=r"stale.*delete"):
        Broker(tmp_path / "kafka", log=lambda _: None).start()


@pytest.mark.parametrize(
    ("memory", "disk", "says"),
    [(NEEDED_MEMORY - 1, NEEDED_DISK, "memory"), (NEEDED_MEMORY, NEEDED_DISK - 1, "disk")],
)
def test_too_little_room(tmp_path: Path, memory: int, disk: int, says: str) -> None:
    """Too little memory or disk is said before anything is started."""
    with pytest.raises(BrokerError, match=f"of {says} are free"):
        check_room(tmp_path, memory=memory, disk=disk)


def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A wrong property ends with the end of the broker's own log."""
    wrong = Broker(tmp_path / "kafka", log=lambda _: None, properties={"num.io.threads": "0"})

    with pytest.raises(BrokerError, match=r"num\.io\.threads"):
        wrong.start()


def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    """When the process that started it is killed, the broker ends too."""
    program = (
        "import sys, time; from pathlib import Path; from agents.broker import Broker\n"
        "b = Broker(Path(sys.argv[1]), log=print, port=19792); b.start()\n"
        "print(b.process.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "kafka")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        java = psutil.Process(int(parent.stdout.readline().split()[-1]))

        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()

    java.wait(timeout=30)
    assert not java.is_running()


def test_a_process_id_that_another_program_has_does_not_count(tmp_path: Path) -> None:
    """A state file whose process id belongs to somebody else by now names no broker."""
    (tmp_path / "broker.json").write_text(
        f'{{"pid": {os.getpid()}, "started": 1.0, "port": 1, "cluster": "x", "kafka": "4.3.1"}}'
    )

    assert status(tmp_path) is None


def test_free_port_prefers_what_is_asked() -> None:
    """A free port is taken as asked."""
    port = free_port()

    assert port == free_port(port)
