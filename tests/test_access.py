"""The rights that the chart gives: on a real broker that lets nobody do more, each program can do its work."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import certificates
import pytest
import yaml
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType
from kafka.errors import KafkaError, TopicAuthorizationFailedError
from pydantic import SecretStr

from agents import clients, topics
from agents.broker import Broker
from agents.broker_properties import Secure
from agents.fake_x import FakeX
from agents.fake_x_by_hand import settings_for
from deploy.helm import tables
from pipeline.access import ACCESS, Access
from pipeline.errors import TriageError
from pipeline.settings import Brand, Settings, Topics
from pipeline.settings_kafka import Kafka, SecurityProtocol
from pipeline.topics import CONVERSATIONS, MESSAGES, REPLIES, RESPONSES, TWEETS, WAITING

PREFIX, OTHER = "care.", "work."
"""Two installations: in the first anything is written, in the second programs run."""
POST = b'{"data":{"id":"1856000000000000001","text":"@acme my parcel did not arrive, where is it?","author_id":"7"}}'
OPERATIONS = {
    "Read": ACLOperation.READ,
    "Write": ACLOperation.WRITE,
    "Describe": ACLOperation.DESCRIBE,
    "DescribeConfigs": ACLOperation.DESCRIBE_CONFIGS,
    "Create": ACLOperation.CREATE,
}
BROKER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin;User:ANONYMOUS",  # the controller's own listener, on loopback
}
BY_NAME = {one.name: one for one in ACCESS}


class Guarded:
    """The broker, and settings for each user."""

    def __init__(self, broker: Broker, authority: Path, folder: Path) -> None:
        self.folder = folder
        self._broker = broker
        self._authority = authority

    def settings(self, user: str, prefix: str = PREFIX) -> Settings:
        """As this user."""
        kafka = Kafka(
            bootstrap_servers=(self._broker.bootstrap,),
            security_protocol=SecurityProtocol.SASL_SSL,
            sasl_username=user,
            sasl_password=SecretStr(f"{user}-secret"),
            ssl_cafile=self._authority,
        )
        return Settings(kafka=kafka, topics=Topics(prefix=prefix, partitions=2))

    def write(self, user: str, topic: str, value: bytes, prefix: str = PREFIX) -> None:
        """One record."""
        with closing(clients.producer(self.settings(user).kafka, linger_ms=0)) as producer:
            producer.send(f"{prefix}{topic}", value, b"7").get(timeout=10)

    def read(self, user: str, topic: str, group: str | None = None, prefix: str = PREFIX) -> list[bytes]:
        """What a topic holds, with a group of one's own where one is named."""
        with closing(clients.consumer(self.settings(user).kafka, group_id=group)) as consumer:
            found = [record.value for record in clients.stored(consumer, f"{prefix}{topic}")]
            if group is not None:
                consumer.commit()
            return found

    def run(self, user: str, *command: str, ready: str = "ready", more: str = "") -> subprocess.Popen[bytes]:
        """A program, as its user, with `more` settings as YAML; ready when this returns."""
        file = self.folder / f"{user}.yaml"
        kafka = {
            "bootstrap_servers": [self._broker.bootstrap],
            "security_protocol": "SASL_SSL",
            "sasl_username": user,
            "sasl_password": f"{user}-secret",
            "ssl_cafile": str(self._authority),
        }
        brands = [{"name": "acme", "handles": ["acme"]}]
        file.write_text(
            yaml.safe_dump(
                {
                    "kafka": kafka,
                    "topics": {"prefix": OTHER, "partitions": 2},
                    "brands": brands,
                    "metrics": {"port": 0},
                    "thresholds": {"reactive": 0.0},
                    **(yaml.safe_load(more) or {}),
                }
            )
        )
        said = self.folder / f"{user}.log"
        with said.open("w") as log:
            process = subprocess.Popen([sys.executable, "-m", "agents", "-s", str(file), *command], stderr=log)
        _until(lambda: ready in said.read_text() or process.poll() is not None, said.read_text)
        assert process.poll() is None, said.read_text()
        return process


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A broker on which users have the rights of the chart's files/access.yaml, and no others."""
    folder = tmp_path_factory.mktemp("guarded")
    keystore, authority = certificates.make(folder)
    users = {name: f"{name}-secret" for name in ("admin", *BY_NAME)}
    secure = Secure(keystore=keystore, truststore=authority, users=users)
    with Broker(folder / "kafka", log=lambda _: None, port=19492, secure=secure, properties=BROKER) as broker:
        found = Guarded(broker, authority, folder)
        with closing(clients.admin(found.settings("admin").kafka)) as admin:
            rows = yaml.safe_load(tables.access())
            admin.create_acls([acl for one in rows for prefix in (PREFIX, OTHER) for acl in _acls(one, prefix)])
        for prefix in (PREFIX, OTHER):
            topics.create(found.settings("operator", prefix))
        yield found


def _acls(one: dict[str, Any], prefix: str) -> Iterator[ACL]:
    for topic in one["topics"]:
        pattern = ResourcePattern(ResourceType.TOPIC, f"{prefix}{topic['name']}")
        yield from _allowed(one["name"], pattern, topic["operations"])
    for group in one["groups"]:
        name = f"{prefix if group['prefixed'] else ''}{group['default']}"
        yield from _allowed(one["name"], ResourcePattern(ResourceType.GROUP, name), group["operations"])
    if one["anyGroup"] is not None:
        pattern = ResourcePattern(ResourceType.GROUP, one["anyGroup"], ACLResourcePatternType.PREFIXED)
        yield from _allowed(one["name"], pattern, ["Read", "Describe"])


def _allowed(user: str, pattern: ResourcePattern, operations: list[str]) -> Iterator[ACL]:
    for operation in operations:
        yield ACL(f"User:{user}", "*", OPERATIONS[operation], ACLPermissionType.ALLOW, pattern)


def _until(fine: Callable[[], bool], why: Callable[[], str]) -> None:
    deadline = time.monotonic() + 60
    while not fine():
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)


def _groups(one: Access) -> list[str]:
    own = [f"{PREFIX if group.prefixed else ''}{group.default}" for group in one.groups]
    return own if one.any_group is None else [f"{one.any_group}-zendesk"]


PROGRAMS = [name for name, one in BY_NAME.items() if one.reads]


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_may_do_what_its_row_says(guarded: Guarded, name: str) -> None:
    """Its topics can be looked at before the start, written and read; and committed in its own group."""
    one = BY_NAME[name]

    assert [] == topics.check(guarded.settings(name), [*one.reads, *one.writes])
    for topic in one.writes:
        guarded.write(name, topic, b"x")
    for topic in one.reads:
        guarded.read(name, topic)
    for group in _groups(one):
        guarded.read(name, one.reads[0], group)


@pytest.mark.parametrize(
    ("user", "topic"), [("triage", MESSAGES), ("helpdesk", MESSAGES), ("helpdesk", TWEETS), ("poster", MESSAGES)]
)
def test_nobody_reads_what_is_not_theirs(guarded: Guarded, user: str, topic: str) -> None:
    """Private messages above all."""
    with pytest.raises(TriageError, match=r"may not see it|right to read it"):
        guarded.read(user, topic)


@pytest.mark.parametrize(("user", "topic"), [("triage", RESPONSES), ("helpdesk", TWEETS), ("poster", TWEETS)])
def test_nobody_writes_what_is_not_theirs(guarded: Guarded, user: str, topic: str) -> None:
    """The broker refuses it."""
    with pytest.raises(TopicAuthorizationFailedError):
        guarded.write(user, topic, b"x")


def test_nobody_takes_part_in_the_group_of_another(guarded: Guarded) -> None:
    """A helpdesk cannot move the workers' offsets."""
    with pytest.raises((TriageError, KafkaError), match="GroupAuthorization"):
        guarded.read("helpdesk", "queue.reactive", "triage")


def test_the_workers_do_their_work_with_these_rights(guarded: Guarded) -> None:
    """A post that the listener writes is routed by triage, its turn opened by responses, both read by a helpdesk."""
    running = [guarded.run("triage", "worker"), guarded.run("responses", "responses")]
    try:
        guarded.write("listener", TWEETS, POST, OTHER)
        _until(
            lambda: any(
                b"did not arrive" in (value or b"")
                for value in guarded.read("helpdesk", "queue.reactive", prefix=OTHER)
            ),
            (guarded.folder / "triage.log").read_text,
        )
        _until(
            lambda: any(b'"opened"' in (value or b"") for value in guarded.read("helpdesk", RESPONSES, prefix=OTHER)),
            (guarded.folder / "responses.log").read_text,
        )
    finally:
        for process in running:
            process.terminate()
        ended = [process.wait(30) for process in running]

    assert [0, 0] == ended


def test_the_listener_starts_again_with_these_rights(guarded: Guarded) -> None:
    """It reads in `tweets` what came since its last checkpoint: at its first start there is none."""
    followed = guarded.folder / "posts.jsonl"
    followed.write_bytes(POST + b"\n")

    for _ in range(2):
        process = guarded.run("listener", "listen", "--follow", str(followed), ready="listening to")
        process.terminate()
        assert 0 == process.wait(60)


def test_the_poster_does_its_work_with_these_rights(guarded: Guarded) -> None:
    """What a helpdesk writes is on X, and told; started again, it reads its log and goes on."""
    with FakeX() as x:
        more = settings_for(x, (Brand(name="acme", handles=("acme",)),))
        for number in 1, 2:
            process = guarded.run("poster", "post", more=more)
            guarded.write("helpdesk", REPLIES, _answer(f"answer-{number}"), OTHER)
            _until(partial(_told, guarded, number), (guarded.folder / "poster.log").read_text)
            process.terminate()
            assert 0 == process.wait(60)


def _answer(identity: str) -> bytes:
    said = {"id": identity, "kind": "post", "text": f"All is well again, {identity}", "by": "ann", "brand": "acme"}
    return json.dumps(said | {"at": "2026-03-02T08:10:00Z"}).encode()


def _told(guarded: Guarded, number: int) -> bool:
    told = guarded.read("helpdesk", RESPONSES, prefix=OTHER)
    return number == len([one for one in told if b'"reply_posted"' in (one or b"")])


def test_the_operator_may_send_every_dead_letter_again() -> None:
    """`triage dead replay` writes to where it came from: what triage and responses read."""
    read = {topic for name in ("triage", "responses") for topic in BY_NAME[name].reads}
    states = {RESPONSES, CONVERSATIONS, WAITING}

    assert read - states <= set(BY_NAME["operator"].writes)
