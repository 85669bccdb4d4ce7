"""docs/upgrade.md: its commands are run, in the order of the page, on the real broker."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from make_golden import Teller
from patience import PATIENCE

from agents import at_rest, clients, topics
from agents.hashed import hashed
from agents.states import State, states
from pipeline import settings as settings_module
from pipeline.errors import NotAtRest
from pipeline.settings import Settings
from pipeline.topics import CONVERSATIONS, HEARD_TOPICS

PAGE = (Path(__file__).parents[2] / "docs" / "upgrade.md").read_text(encoding="utf-8")
COMMANDS = [
    words.split("#")[0].split() for words in re.findall(r"^    triage -s settings.yaml (.+)$", PAGE, re.MULTILINE)
]

pytestmark = pytest.mark.operations


class Operator:
    """Does what the page says, in a folder with settings.yaml and an installation that has heard a story."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder, self._file = folder, folder / "settings.yaml"
        name = settings.topics.prefix.rstrip(".")
        content = {
            "brands": [{"name": "acme", "handles": ["Acme"], "ids": ["900"]}],
            "kafka": {"bootstrap_servers": list(settings.kafka.bootstrap_servers)},
            "topics": {"prefix": settings.topics.prefix, "partitions": 3},
            "worker": {"group": f"{name}-triage", "session_timeout_s": 6},
            "responses": {"group": f"{name}-responses"},
            "metrics": {"port": 0},
        }
        self._file.write_text(yaml.safe_dump(content))
        self.settings = settings_module.load(self._file)
        topics.create(self.settings)
        self._tell()
        self.do(["responses"])

    def do(self, words: list[str]) -> None:
        """One of the page's commands; the responses worker is stopped when it has read all."""
        command = [sys.executable, "-m", "agents", "-s", "settings.yaml", *words]
        if words != ["responses"]:
            done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            return
        log = self._folder / "log"
        with log.open("wb") as said, subprocess.Popen(command, cwd=self._folder, stderr=said) as worker:
            _until(lambda: "ready" in log.read_text() and self._all_read())
            worker.send_signal(signal.SIGTERM)
        assert worker.returncode == 0

    def lose(self) -> None:
        """Delete the topic."""
        name = self.settings.topics.name(CONVERSATIONS)
        with closing(clients.admin(self.settings.kafka)) as admin:
            admin.delete_topics([name])
            _until(lambda: name not in admin.list_topics())

    def states(self) -> dict[tuple[str, ...], State]:
        """By their keys."""
        with closing(clients.consumer(self.settings.kafka)) as consumer:
            return {tuple(state.key): state for state in states(consumer, self.settings)}

    def _tell(self) -> None:
        with closing(clients.producer(self.settings.kafka)) as producer:
            for one in Teller().story():
                name = self.settings.topics.name(one.topic)
                producer.send(name, one.value, one.key, partition=hashed(one.key) % 3)

    def _all_read(self) -> bool:
        names = [self.settings.topics.name(topic) for topic in HEARD_TOPICS]
        with at_rest.connected(self.settings) as found:
            try:
                at_rest.require_read(found, self.settings.responses.group, names)
            except NotAtRest:
                return False
        return True


def _until(fine: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30 * PATIENCE
    while not fine():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_page_is_run(settings: Settings, folder: Path) -> None:
    """Backed up, lost, made again, restored, grown: the same turns at each step, in the end in their new partitions."""
    operator = Operator(settings, folder)
    before = operator.states()

    for words in COMMANDS:
        if words == ["topics", "create"]:
            operator.lose()
        operator.do(words)

    after = operator.states()
    assert [words[0] for words in COMMANDS] == ["backup", "topics", "restore", "responses", "topics", "topics"]
    assert len(before) > 5
    assert {key: state.conversation.turns for key, state in before.items()} == {
        key: state.conversation.turns for key, state in after.items()
    }
    assert {key: hashed(key[0].encode()) % 24 for key in after} == {
        key: state.partition for key, state in after.items()
    }


@pytest.mark.parametrize("name", re.findall(r"`(tests/\S+|benchmarks\.\w+)`", PAGE))
def test_what_the_page_names_is_there(name: str) -> None:
    """Tests and programs."""
    path = Path(name if name.startswith("tests") else f"{name.replace('.', '/')}.py")

    assert (Path(__file__).parents[2] / path).exists()
