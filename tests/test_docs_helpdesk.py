"""docs/helpdesk.md: what stands there is run, in Python, Java and a shell, on the real broker."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents import clients, topics
from agents.jars import KAFKA, cache_dir
from pipeline import adapter_chatwoot, adapter_servicenow, adapter_text, adapter_zammad, adapter_zendesk
from pipeline.contracts import EXAMPLE_SETTINGS
from pipeline.desk import read_word
from pipeline.heard import ms
from pipeline.policies import Policies
from pipeline.posts import Queue
from pipeline.rewrite import moved, read, retracted
from pipeline.settings import Settings

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "helpdesk.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
SHELL = [text for language, text in BLOCKS if language == "sh"]
[JAVA] = [text for language, text in BLOCKS if language == "java"]
EXAMPLES = ROOT / "docs" / "contracts" / "examples"
LATER = 1_772_500_000_000
LAST = "that is all"
Note = Callable[[str, object], None]


def _local(text: str, settings: Settings) -> str:
    """What the page says, of the test's broker and topics."""
    text = text.replace("localhost:9092", settings.kafka.bootstrap_servers[0])
    name = settings.topics.name
    text = re.sub(r'"(queue\.\w+|desk|replies)"', lambda found: f'"{name(found[1])}"', text)
    return re.sub(r"-t (queue\.\w+|desk|replies)", lambda found: f"-t {name(found[1])}", text)


def _value(example: str) -> bytes:
    """In one line, as records are."""
    return json.dumps(json.loads((EXAMPLES / f"{example}.json").read_bytes())).encode()


def _event(example: str, **changed: object) -> bytes:
    return json.dumps(json.loads(_value(example)) | changed).encode()


@pytest.fixture
def queues(settings: Settings) -> Settings:
    """Queues with a post told twice, moved, and gone; one of two brands; an event of tomorrow; and a last one each."""
    urgent = read(_value("urgent"))
    policy, since = Policies(EXAMPLE_SETTINGS)(urgent.brand), ms(urgent.created_at)
    away = moved(urgent, Queue.PROACTIVE, 1, policy, since, LATER).value
    gone = retracted(read(away), LATER + 1).value
    last = {"event_id": "last", "external_id": "x:1", "text": LAST}
    reactive = [
        _value("urgent"), _value("urgent"), _value("two_brands.lumotram"), _value("two_brands.quillbank"),
        b'{"event_type": "of tomorrow", "event_id": "e"}', _event("edit", **last),
    ]  # fmt: skip
    proactive = [away, gone, away, _event("edit", **last | {"event_id": "last of all", "external_id": "x:2"})]
    sent = {"queue.reactive": reactive, "queue.proactive": proactive, "queue.review": [_event("review", text=LAST)]}
    topics.create(settings)
    with closing(clients.producer(settings.kafka, compression_type="snappy")) as producer:
        for queue, values in sent.items():
            for value in values:
                producer.send(settings.topics.name(queue), value, b"508", partition=0).get(timeout=30)
    return settings


def _told(*command: str, cwd: Path) -> list[str]:
    """The lines that a program writes until it has come to the end of each queue; then it is ended."""
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cwd) as process:
        too_long = threading.Timer(90, process.kill)
        too_long.start()
        for line in process.stdout or ():
            lines.append(line.rstrip("\n"))
            if sum(LAST in one for one in lines) == 3:
                break
        too_long.cancel()
        process.kill()
    return lines


def _kept(lines: list[str]) -> None:
    """What a reader of the queues must have kept of them, whichever queue it read first."""
    by_name: dict[str, list[tuple[int, str, str]]] = {}
    for line in lines:
        identity, brand, revision, kind, queue, *text = line.split(" ", 5)
        by_name.setdefault(f"{identity} {brand}", []).append((int(revision), f"{kind} {queue}", "".join(text)))
    told = by_name.pop("x:1970000000000000009 lumotram")

    assert (2, "retracted proactive", "") == told[-1]
    assert sorted({revision for revision, _, _ in told}) == [revision for revision, _, _ in told]
    assert {
        "x:1 quillbank": 1,
        "x:2 quillbank": 1,
        f"{read(_value('review')).external_id} {read(_value('review')).brand}": 1,
        **{f"{read(_value('two_brands.lumotram')).external_id} {brand}": 1 for brand in ("lumotram", "quillbank")},
    } == {name: len(events) for name, events in by_name.items()}


def test_the_python_reader(queues: Settings, tmp_path: Path) -> None:
    """Fifteen lines: each event once, the highest revision, what is gone is gone, what is unknown passed over."""
    (tmp_path / "read.py").write_text(_local(PYTHON[0], queues))

    _kept(_told(sys.executable, "read.py", cwd=tmp_path))

    assert 15 >= len([line for line in PYTHON[0].splitlines() if line.strip()])


def test_the_java_reader(queues: Settings, tmp_path: Path, record_property: Note) -> None:
    """The same in Java, compiled as the page says, with the jars of the embedded broker."""
    compiler, java = shutil.which("javac"), shutil.which("java")
    if compiler is None or java is None:
        record_property("not run", "docs/helpdesk.md in Java: there is no javac here")
        return
    jars = f"{cache_dir()}/kafka-{KAFKA}/*"
    (tmp_path / "ReadQueues.java").write_text(_local(JAVA, queues))

    subprocess.run([compiler, "-cp", jars, "ReadQueues.java"], cwd=tmp_path, check=True, timeout=120)
    _kept(_told(java, "-Xmx128m", "-cp", f"{jars}:.", "ReadQueues", cwd=tmp_path))


def _sh(command: str, folder: Path) -> list[str]:
    """A command of the page, with the project's own `triage`; what it writes."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], env=os.environ | {"PATH": path}, cwd=folder, capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


def test_kcat(queues: Settings, tmp_path: Path, record_property: Note) -> None:
    """Each of the page's lines for kcat: reads, feeds an adapter, writes a word that can be read."""
    lines = [_local(text, queues) for text in SHELL if "kcat" in text]
    assert 3 == len(lines)
    if shutil.which("kcat") is None:
        record_property("not run", "docs/helpdesk.md with kcat: it is not installed (Debian: kcat)")
        return

    looked, adapted, wrote = (_sh(line, tmp_path) for line in lines)

    assert 6 == len(looked)
    assert ["x:1970000000000000009:lumotram"] * 2 == [json.loads(line)["id"] for line in adapted[:2]]
    assert [] == wrote
    assert "assign" == read_word(_only(queues, "desk")).word


def test_tail_into_an_adapter(queues: Settings, tmp_path: Path) -> None:
    """What a queue holds, as the requests to Zendesk, by way of the settings alone."""
    known = {"kafka": {"bootstrap_servers": list(queues.kafka.bootstrap_servers)},
             "topics": {"prefix": queues.topics.prefix, "partitions": queues.topics.partitions}}  # fmt: skip
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(known))
    [command] = [text for text in SHELL if "kcat" not in text]

    found = [json.loads(line) for line in _sh(command.replace("reactive", "review"), tmp_path)]

    assert ["zendesk"] == [payload["helpdesk"] for payload in found]


def _only(settings: Settings, topic: str) -> bytes:
    """The one record of a topic."""
    with closing(clients.consumer(settings.kafka)) as consumer:
        [record] = clients.stored(consumer, settings.topics.name(topic))
    value: bytes = record.value
    return value


def _written(text: str, settings: Settings, topic: str) -> bytes:
    """What a program of the page writes about an event."""
    names: dict[str, Any] = {"event": json.loads(_value("urgent"))}
    exec(compile(_local(text, settings), "docs/helpdesk.md", "exec"), names)
    names["producer"].close()
    return _only(settings, topic)


def test_a_word_in_python(queues: Settings) -> None:
    """The word can be read, and is about the customer's conversation."""
    word = read_word(_written(PYTHON[1], queues, "desk"))

    assert ("resolve", "508", "lumotram", 3) == (word.word, word.customer, word.brand, word.partition)
    assert "1970000000000000009" == word.conversation_id


def test_an_answer_in_python(queues: Settings, record_property: Note) -> None:
    """The answer has the names of the routed record; the poster, where it is there, takes it."""
    value = _written(PYTHON[2], queues, "replies")
    answer = json.loads(value)

    assert {
        "id": "ticket-4711-1", "kind": "reply", "text": "Sorry, it is on its way", "by": "ann", "at": answer["at"],
        "post_id": "x:1970000000000000009", "brand": "lumotram", "customer": "508", "reply_allowed": True,
        "conversation_id": "1970000000000000009", "partition": 3,
    } == answer  # fmt: skip
    if find_spec("pipeline.replies") is None:
        record_property("not run", "docs/helpdesk.md, answers: there is no poster here that reads them")
        return
    replies = import_module("pipeline.replies")
    assert "reply" == replies.read_reply(value, replies.Limits()).kind


@pytest.mark.parametrize(
    "limit",
    [
        adapter_text.TEXT, adapter_text.NAME, adapter_zendesk.SUBJECT, adapter_zendesk.FILES, adapter_zammad.TITLE,
        adapter_zammad.NAME, adapter_chatwoot.CONTENT, adapter_chatwoot.ATTRIBUTE, adapter_servicenow.CORRELATION,
        adapter_servicenow.SHORT_DESCRIPTION,
    ],
)  # fmt: skip
def test_the_limits_stand_in_the_table(limit: int) -> None:
    """Those of the code are those of the page."""
    [table] = re.findall(r"\| `zendesk` \|.*\| `servicenow` \|[^\n]*", PAGE, re.DOTALL)

    assert re.search(rf"\b{limit:,}\b", table)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", PAGE))
def test_links_lead_somewhere(link: str) -> None:
    """Each link of the page is a file of the project."""
    assert "https://..." == link or (ROOT / "docs" / link).exists()
