"""The real worker on the real broker: what it writes, and how it starts and ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, cast
from urllib.request import urlopen

import jsonschema
import psutil
import pytest
import yaml
from kafka import KafkaConsumer, TopicPartition
from patience import PATIENCE

from agents import clients, topics
from agents.dead_letters import Wanted, find
from agents.dead_letters import replay as replay_dead
from pipeline import contracts
from pipeline import settings as settings_module
from pipeline.errors import Reason
from pipeline.routed import event_id
from pipeline.settings import Settings
from pipeline.topics import ATTEMPT_HEADER, DEAD, QUEUE_TOPICS, TWEETS

TEXTS = ("where is my order", "is your site down for everyone", "i love you", "grüße 😀")
POSTS: list[bytes | None] = [
    *(
        json.dumps({"data": {"id": str(number), "text": f"@Acme {text}", "author_id": str(number)}}).encode()
        for number, text in enumerate(TEXTS)
    ),
    b'{"id": "77", "text": "a bare post"}',
    b"{broken",
    b'{"id":"1","text":"\xff"}',
    None,
]


@pytest.fixture
def file(settings: Settings, tmp_path: Path) -> Path:
    """A settings file for a worker on topics of the test's own."""
    content = {
        "brands": [{"name": "acme", "handles": ["Acme"]}],
        "kafka": {"bootstrap_servers": list(settings.kafka.bootstrap_servers)},
        "topics": {"prefix": settings.topics.prefix, "partitions": settings.topics.partitions},
        "worker": {"group": f"g{settings.topics.prefix[1:-1]}"},
        "metrics": {"port": 0},
    }
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def _triage(file: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agents", "--settings", str(file), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment}
    )


@pytest.fixture
def worker(file: Path) -> Iterator[subprocess.Popen[str]]:
    """A worker process, ended with the test."""
    topics.create(settings_module.load(file))
    command = [sys.executable, "-m", "agents", "--settings", str(file), "worker"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()


def _send(settings: Settings, values: list[bytes | None]) -> None:
    producer = clients.producer(settings.kafka)
    topic = settings.topics.name(TWEETS)
    futures = [producer.send(topic, value, b"k", partition=number % 3) for number, value in enumerate(values)]
    for future in futures:
        future.get(timeout=30)
    producer.close()


def _outputs(settings: Settings, names: tuple[str, ...], count: int) -> list[Any]:
    consumer: KafkaConsumer = clients.consumer(settings.kafka)
    tps = [TopicPartition(settings.topics.name(name), number) for name in names for number in range(3)]
    consumer.assign(tps)
    consumer.seek_to_beginning(*tps)
    found: list[Any] = []
    deadline = time.monotonic() + 60 * PATIENCE
    while len(found) < count and time.monotonic() < deadline:
        found += [record for records in consumer.poll(timeout_ms=200).values() for record in records]
    consumer.close()
    return found


def test_what_the_worker_writes_keeps_the_contract(settings: Settings, worker: subprocess.Popen[str]) -> None:
    """Every routed record fits the schema, stands in its input's partition, and has CloudEvents attributes."""
    _send(settings, POSTS)
    schema = jsonschema.Draft7Validator(contracts.routed_schema())

    found = _outputs(settings, QUEUE_TOPICS, 5)

    assert 5 == len(found)
    for record in found:
        value = json.loads(record.value)
        schema.validate(value)
        assert record.partition == value["source"]["partition"]
        assert value["event_id"].encode() == dict(record.headers)["ce_id"]
        assert value["event_id"] == event_id(value["external_id"][2:], "acme", "routed", 0)
        assert value["routed_at"] >= value["ingested_at"]
    assert worker.poll() is None


def test_dead_letters_keep_the_original_bytes(settings: Settings, worker: subprocess.Popen[str]) -> None:
    """Each broken record is one dead letter, unchanged, with reason and place; sent again, it counts its attempts."""
    _send(settings, POSTS)
    found = _outputs(settings, (DEAD,), 3)

    again = replay_dead(settings, Wanted(Reason.NOT_JSON), dry_run=False)
    inputs = _outputs(settings, (TWEETS,), len(POSTS) + 1)
    letters = find(settings, Wanted())

    assert {b"{broken", b'{"id":"1","text":"\xff"}', None} == {record.value for record in found}
    assert all(b"k" == record.key for record in found)
    assert {Reason.NOT_JSON, Reason.NOT_UTF8, Reason.TOMBSTONE} == {item.letter.reason for item in letters}
    assert 1 == again
    assert [b"2"] == [dict(record.headers)[ATTEMPT_HEADER] for record in inputs if record.headers]
    assert worker.poll() is None


def test_too_many_broken_records_stop_it(file: Path, settings: Settings) -> None:
    """The worker stops with its own exit code; what is dead-lettered is committed, the rest is not."""
    topics.create(settings_module.load(file))
    _send(settings, [b"{broken"] * 30)

    done = _triage(file, "worker", TRIAGE_WORKER__DEAD_IN_ROW="5")

    admin = clients.admin(settings.kafka)
    group = f"g{settings.topics.prefix[1:-1]}"
    committed = sum(max(0, place.offset) for place in admin.list_group_offsets([group])[group].values())
    admin.close()
    assert 7 == done.returncode, done.stderr
    assert "more than 5 records in a row are broken" in done.stderr
    assert 6 == committed == len(find(settings, Wanted()))


@pytest.mark.parametrize(
    ("environment", "code", "says"),
    [
        ({"TRIAGE_TOPICS__PREFIX": "none."}, 5, "none.tweets does not exist: run `triage topics create`"),
        ({"TRIAGE_KAFKA__BOOTSTRAP_SERVERS": '["127.0.0.1:1"]'}, 4, "triage broker up"),
        ({"TRIAGE_MODEL": "/nowhere.npz"}, 6, "/nowhere.npz"),
        ({"TRIAGE_WORKER__NOPE": "1"}, 3, "worker.nope"),
    ],
)
def test_it_fails_at_the_start(file: Path, environment: dict[str, str], code: int, says: str) -> None:
    """What is wrong is said before the first record, with an exit code of its own."""
    done = _triage(file, "worker", **environment)

    assert code == done.returncode, done.stderr
    assert says in done.stderr


def test_start_to_first_routed_post(file: Path, settings: Settings) -> None:
    """A worker routes a waiting post within ten seconds; time in which others had its core does not count."""
    topics.create(settings_module.load(file))
    _send(settings, POSTS[:1])
    command = [sys.executable, "-m", "agents", "--settings", str(file), "worker"]
    began = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        found = _outputs(settings, QUEUE_TOPICS, 1)
        seconds = time.monotonic() - began - _waited_for_a_core(process.pid)
        memory = psutil.Process(process.pid).memory_info().rss
        process.terminate()

    assert 1 == len(found)
    assert seconds < 10
    assert memory < 300 * 1024**2


def _waited_for_a_core(process: int) -> float:
    """How long a process's first thread could have run and did not, in seconds; 0 where the system does not tell."""
    told = Path(f"/proc/{process}/schedstat")
    return int(told.read_text().split()[1]) / 1e9 if told.exists() else 0.0


def test_offsets_that_hold_no_record_are_no_lag(file: Path, settings: Settings) -> None:
    """What is kept no longer when a group begins, and the marker behind a transaction: nothing is committed there."""
    topics.create(settings_module.load(file))
    _send(settings, POSTS)
    _trim(settings)
    command = [sys.executable, "-m", "agents", "--settings", str(file), "worker"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        address = next(line.split()[-1] for line in cast(IO[str], process.stderr) if line.startswith("metrics"))
        trimmed = _behind(address, 3)
        with closing(clients.producer(settings.kafka, transactional_id=settings.topics.prefix)) as producer:
            producer.init_transactions()
            producer.begin_transaction()
            producer.send(settings.topics.name(TWEETS), POSTS[0], b"k", partition=0).get(timeout=30)
            producer.commit_transaction()
        written = _behind(address, len(POSTS) + 2)
        process.terminate()

    assert ({0}, {0}) == (trimmed, written)


def _trim(settings: Settings) -> None:
    with closing(clients.admin(settings.kafka)) as admin:
        admin.delete_records({TopicPartition(settings.topics.name(TWEETS), number): -1 for number in range(3)})


def _behind(address: str, records: int) -> set[float]:
    """How far its partitions are behind once their ends add up to so many; looked at until it is not at all."""
    deadline = time.monotonic() + 30 * PATIENCE
    while True:
        with urlopen(address) as answer:
            text = answer.read().decode()
        found = dict(re.findall(r'^(triage_(?:committed|end)_offset\{partition="\d",.*\}) (.*)$', text, re.MULTILINE))
        ends = {name: float(value) for name, value in found.items() if "end" in name}
        left = {end - float(found[name.replace("end", "committed", 1)]) for name, end in ends.items()}
        if (sum(ends.values()) >= records and left == {0}) or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def test_its_log_is_json_without_text_or_people(file: Path, settings: Settings) -> None:
    """Every line can be parsed and says what program it is; at INFO none has the words of a post, or who wrote it."""
    topics.create(settings_module.load(file))
    broken = b'{"data":{"id":"7","text":"xylophone zebra","author_id":"777777","created_at":"never"}}'
    _send(settings, [*POSTS, *[broken] * 20])

    done = _triage(file, "worker", TRIAGE_WORKER__DEAD_IN_ROW="5", TRIAGE_LOG_FORMAT="json", TRIAGE_LOG_LEVEL="INFO")

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    said = [line["event"] for line in lines]
    assert 7 == done.returncode
    assert {"ready"} <= set(said)
    assert any("more than 5 records in a row are broken" in event for event in said)
    assert {("triage", version("tweet-triage"))} == {(line["component"], line["version"]) for line in lines}
    assert {"faust", "aiokafka"} & {line["logger"].partition(".")[0] for line in lines}
    assert not re.search("xylophone|zebra|777777", done.stderr)
