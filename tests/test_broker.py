"""The embedded broker: starts, answers, says what is wrong, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from kafka import KafkaProducer

from agents import clients, topics
from agents.broker import BESIDE_HEAP_MB, HEAP_MB, NEEDED_DISK, Broker, check_room
from agents.broker_properties import Secure
from agents.broker_state import down, status
from agents.ports import free_port, kafka_answers
from pipeline.errors import BrokerError
from pipeline.settings import Settings, Topics
from pipeline.settings_kafka import Kafka


def test_taken_ports_are_replaced_and_said(tmp_path: Path) -> None:
    """Broker and controller, whose port is the next one, both move on from a taken port, and the log says so."""
    said: list[str] = []
    with socket.socket() as one, socket.socket() as two:
        port = _free_in_a_row(20192, 5)
        for other, taken in ((one, port), (two, port + 2)):
            other.bind(("127.0.0.1", taken))
            other.listen()

        with Broker(tmp_path / "kafka", log=said.append, port=port) as broker:
            clients.admin(Kafka(bootstrap_servers=(broker.bootstrap,))).close()

    assert [
        f"port {port} is taken: the broker is on {port + 1}",
        f"port {port + 2} is taken: the broker's controller is on {port + 3}",
    ] == said


def _free_in_a_row(start: int, count: int) -> int:
    return next(
        first
        for first in range(start, start + 1000, count)
        if all(free_port(first + more) == first + more for more in range(count))
    )


def test_another_broker_is_not_taken_for_ours(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that takes the port after we looked answers there; ours still moves to another one."""
    looks = iter([broker.port, free_port(), free_port(), free_port()])
    monkeypatch.setattr("agents.broker.free_port", lambda _: next(looks))

    with Broker(tmp_path / "kafka", log=lambda _: None, port=broker.port) as second:
        assert second.port != broker.port
        assert kafka_answers(second.port or 0)


def test_a_port_lost_while_stopped_is_said(tmp_path: Path) -> None:
    """Clients look for a broker where it was: it comes back there, or says why not."""
    broker = Broker(tmp_path / "kafka", log=lambda _: None, port=free_port(20292))
    broker.start()
    first, port = broker.pid, broker.port
    broker.restart()
    assert (first != broker.pid, port) == (True, broker.port)
    broker.stop()

    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port or 0))
        other.listen()
        with pytest.raises(BrokerError, match=f"port {port}.*taken meanwhile"):
            broker.start()

    assert broker.pid is None


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


NEEDED_MEMORY = (HEAP_MB + BESIDE_HEAP_MB) * 1024**2


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

    assert (None, None) == (wrong.pid, status(wrong.folder))


def test_a_broker_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """When the time is up it is killed, and its folder can be used again."""
    slow = Broker(tmp_path / "kafka", log=lambda _: None, port=20392)

    with pytest.raises(BrokerError, match="did not answer within 0 s"):
        slow.start(timeout_s=0)

    assert (None, None) == (slow.pid, status(slow.folder))
    with slow:
        assert slow.pid is not None


def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    """When the process that started it is killed, the broker ends too."""
    program = (
        "import sys, signal; from pathlib import Path; from agents.broker import Broker\n"
        "b = Broker(Path(sys.argv[1]), log=print, port=19792); b.start()\n"
        "print(b.pid, flush=True); signal.pause()"
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
    (tmp_path / "broker.json").write_text(f'{{"pid": {os.getpid()}, "port": 1, "cluster": "x", "kafka": "4.3.1"}}')

    assert status(tmp_path) is None


def test_free_port_prefers_what_is_asked() -> None:
    """A free port is taken as asked."""
    port = free_port()

    assert port == free_port(port)


def test_a_neighbour_stands_in_for_a_taken_port() -> None:
    """Not any port, which a client might get as its own end."""
    with socket.socket() as other:
        port = free_port(20492)
        other.bind(("127.0.0.1", port))
        other.listen()

        found = free_port(port)

    assert port < found < port + 100


def test_another_server_is_no_kafka() -> None:
    """A port that takes connections but does not speak the protocol does not count as a broker."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        thread = threading.Thread(target=_say_hello, args=(other,))
        thread.start()

        assert not kafka_answers(port)

        thread.join()
    assert not kafka_answers(port)


def _say_hello(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"220 hello, this is mail\r\n")


def test_the_shared_broker_answers(broker: Broker) -> None:
    """The first question of every client is answered."""
    assert kafka_answers(broker.port or 0)


@pytest.mark.parametrize("users", [{}, {"a": 'b"c'}, {"a,b": "c"}, {"a": "b]"}, {"a": ""}])
def test_users_that_kafka_could_misread(users: dict[str, str], tmp_path: Path) -> None:
    """Names and passwords that would end a quoted value early are refused."""
    with pytest.raises(BrokerError, match="letters, digits"):
        Secure(keystore=tmp_path, truststore=tmp_path, users=users)
