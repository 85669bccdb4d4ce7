"""Where the poster is tested and killed: topics of its own, a fake X, answers in, and what became of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import yaml
from kafka import TopicPartition

from agents import clients, topics
from agents.children import end_with_parent
from agents.fake_x import FakeX
from agents.poster_worker import run_poster
from pipeline import kept
from pipeline import settings as settings_module
from pipeline.clocks import Clock
from pipeline.kept import Key
from pipeline.replies import Reply, encode
from pipeline.topics import CONVERSATIONS, REPLIES, REPLIES_DEAD, REPLIES_LOG, RESPONSES
from pipeline.traces import TRACE_HEADER
from pipeline.turns import Conversation

PROGRAM = str(Path(__file__).parent / "dying_poster.py")
KILLED_TIMES = {"call_timeout_s": 2, "shown_after_s": 1, "unknown_after_s": 20}
"""Settings of a poster that is killed again and again: waits are short."""
SETTLED_S = 3.2
"""So long after a call it has come to X, or never will: call_timeout_s and shown_after_s."""
pause = threading.Event().wait


def until(condition: Callable[[], bool], what: str, within: float = 60.0) -> None:
    """Look again and again until a condition holds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        pause(0.05)


class Desk:
    """A helpdesk that writes answers, and reads what came of them."""

    def __init__(self, x: FakeX, bootstrap: str, prefix: str, folder: Path, **poster: Any) -> None:
        self.x = x
        access = x.access("acme")
        self.file = folder / "settings.yaml"
        tokens = {"access_token": access.access_token, "access_token_secret": access.access_secret}
        content = {
            "brands": [{"name": "acme", "handles": ["acme"], "x": tokens}],
            "x": {
                "bearer_token": access.bearer,
                "consumer_key": access.consumer_key,
                "consumer_secret": access.consumer_secret,
                "base_url": x.base_url,
            },
            "kafka": {"bootstrap_servers": [bootstrap]},
            "topics": {"prefix": prefix, "partitions": 3},
            "worker": {"session_timeout_s": 10},
            "metrics": {"port": 0},
            "poster": {"group": f"{prefix}poster".replace(".", "-"), **poster},
            "responses": {"group": f"{prefix}responses".replace(".", "-")},
        }
        self.file.write_text(yaml.safe_dump(content))
        self.settings = settings_module.load(self.file)
        topics.create(self.settings)
        self._producer = clients.producer(self.settings.kafka, linger_ms=0)
        self._follower = clients.consumer(self.settings.kafka)
        name = self.settings.topics.name(RESPONSES)
        self._follower.assign([TopicPartition(name, number) for number in range(3)])
        self._told: dict[str, dict[str, Any]] = {}
        self._answers = 0

    def close(self) -> None:
        """Write and read no more."""
        self._producer.close()
        self._follower.close()

    def asked(self, customer: str = "ann", text: str = "@acme where is my parcel?") -> Reply:
        """A customer's post on X, and an answer to it that is not sent yet."""
        post = self.x.world.publish(text, author=customer)
        self._answers += 1
        return Reply(
            f"a{self._answers}", "reply", "acme", f"It is on its way ({self._answers})", "2026-01-01T00:00:00Z",
            f"x:{post.id}", post.author.id, post.conversation_id, by="kim",
        )  # fmt: skip

    def send(self, reply: Reply, partition: int | None = None, trace: bytes | None = None) -> None:
        """Send an answer, from whatever client, of whatever trace."""
        self.send_raw(encode(reply), partition, trace)

    def send_raw(self, value: bytes | None, partition: int | None = None, trace: bytes | None = None) -> None:
        """Send a record to `replies`."""
        name, headers = self.settings.topics.name(REPLIES), [] if trace is None else [(TRACE_HEADER, trace)]
        self._producer.send(name, value, b"any", partition=partition, headers=headers).get(30)

    def keep(self, key: Key, conversation: Conversation, partition: int) -> None:
        """Write a state, as the responses worker does."""
        name = self.settings.topics.name(CONVERSATIONS)
        self._producer.send(name, kept.encode(conversation), key.encoded(), partition=partition).get(30)

    def records(self, topic: str) -> list[Any]:
        """What stands in a topic."""
        consumer = clients.consumer(self.settings.kafka)
        try:
            return list(clients.stored(consumer, self.settings.topics.name(topic)))
        finally:
            consumer.close()

    def told(self) -> dict[str, dict[str, Any]]:
        """By answer, the last event that was told of it."""
        for records in self._follower.poll(timeout_ms=200).values():
            self._told |= {(value := json.loads(record.value))["reply"]["id"]: value for record in records}
        return self._told

    def outcomes(self) -> dict[str, str]:
        """By answer, what came of it."""
        return {identity: value["event_type"] for identity, value in self.told().items()}

    def logged(self, identity: str) -> list[str]:
        """The states of an answer in replies.log."""
        values = [json.loads(record.value) for record in self.records(REPLIES_LOG)]
        return [value["state"] for value in values if value["id"] == identity]

    def dead(self) -> list[Any]:
        """The dead letters."""
        return self.records(REPLIES_DEAD)

    def on_x(self) -> Counter[str]:
        """How often each text of the brand's is on X, the handle that X puts before it left out."""
        posts = [post.text for post in self.x.world.posts.values() if post.by_api]
        messages = [message.text for message in self.x.world.messages if message.sender.handle == "acme"]
        return Counter([text.partition(" ")[2] if text.startswith("@") else text for text in posts] + messages)

    def wait_for(self, *identities: str, within: float = 40.0) -> dict[str, str]:
        """Until something is told of the answers; what."""
        deadline = time.monotonic() + within
        while not set(identities) <= set(self.outcomes()):
            assert time.monotonic() < deadline, f"{identities} are not told: {self.outcomes()}"
        return self.outcomes()


class Posting:
    """A poster in a thread of this process, until the block is left; what it raises is raised there."""

    def __init__(
        self,
        settings: settings_module.Settings,
        *,
        clock: Clock,
        hook: Callable[[str, str], None] = lambda *_: None,
        ends_by_itself: bool = False,
    ) -> None:
        self._ends_by_itself = ends_by_itself
        self.said: list[str] = []
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(settings, clock, hook))

    def _run(self, settings: settings_module.Settings, clock: Clock, hook: Callable[[str, str], None]) -> None:
        try:
            run_poster(settings, say=self.said.append, clock=clock, stop=self._stop, hook=hook)
        except BaseException as error:  # noqa: BLE001 - raised again in the test
            self.error = error

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: "ready" in self.said or self.error is not None, "the poster is ready")
        return self

    def __exit__(self, *_: object) -> None:
        if self._ends_by_itself:
            self._thread.join(30)
        self.end()
        if self.error is not None:
            raise self.error

    def end(self) -> None:
        """Stop it in order."""
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


class Killed:
    """Poster processes on one desk, one after the other."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self._desk = desk
        self._log = folder / "poster.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, at: str = "", identity: str = "") -> subprocess.Popen[bytes]:
        """Start one; it dies at a point, if one is named. It has the partitions at once, as the one before it had."""
        environment = {**os.environ, "DIE_AT": at, "DIE_ID": identity, "TRIAGE_WORKER__INSTANCE_ID": "one"}
        before = self._said()
        with self._log.open("ab") as log:
            command = [sys.executable, PROGRAM, str(self._desk.file)]
            self._process = subprocess.Popen(
                command,
                stderr=log,
                env=environment,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - it only makes a system call
            )
        until(lambda: self._said() > before, f"it is ready; {self._log.read_text()[-1500:]}", within=60)
        return self._process

    def _said(self) -> int:
        return self._log.read_text().count("ready") if self._log.exists() else 0

    def kill(self) -> None:
        """Kill the one that runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
