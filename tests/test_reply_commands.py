"""`triage post` and `triage reply` as processes, beside the responses worker, on the real broker and the fake X."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any

import msgspec
import pytest
import yaml
from patience import PATIENCE

from agents import clients
from agents.broker import Broker
from agents.fake_x import FakeX
from agents.fake_x_limits import CREATE
from agents.fake_x_posts import FakePost
from agents.states import states
from benchmarks.conversations import partition_of
from benchmarks.posting_place import Desk, until
from pipeline.classify import Model
from pipeline.posts import Author, Mention, Post, Stage, Verdict
from pipeline.route import Place, Router, topic_of
from pipeline.turns import End

TIMES = {"call_timeout_s": 2, "shown_after_s": 1, "unknown_after_s": 4}
SURE = Verdict(Stage.REACTIVE, 0.95, (0.95, 0.03, 0.02))
TOO_LONG = "a" * 281


class Helpdesk:
    """Who writes answers with the command, while `triage post` and `triage responses` run."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk = desk
        self._folder = folder
        self._router = Router(desk.settings, Model("m", "1", "0" * 64))
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, command: str) -> None:
        """Start a worker that logs all it can."""
        environment = os.environ | {"TRIAGE_LOG_LEVEL": "DEBUG"}
        with (self._folder / command).open("wb") as log:
            arguments = [sys.executable, "-m", "agents", "-s", str(self.desk.file), command]
            self._running[command] = subprocess.Popen(arguments, stderr=log, stdout=log, env=environment)
        until(lambda: "\nready\n" in f"\n{self.said(command)}", f"{command} is ready", 60 * PATIENCE)

    def said(self, command: str) -> str:
        """What a worker has said."""
        return (self._folder / command).read_text()

    def end(self) -> list[int]:
        """End the workers in order; their exit codes."""
        for process in self._running.values():
            process.terminate()
        return [process.wait(60) for process in self._running.values()]

    def reply(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`triage reply`."""
        return _triage(self.desk.file, "reply", *arguments)

    def asked(self, customer: str) -> FakePost:
        """A customer's post, on X and in its queue, whose turn stands in `conversations`."""
        post = self.desk.x.world.publish("@acme where is my parcel?", author=customer)
        self._route(post, post.author.id)
        until(lambda: self._turns(post) == [End.WAITING], "its turn is open", 30 * PATIENCE)
        return post

    def answered(self, post: FakePost) -> FakePost:
        """The brand's answer to it, typed in X's app, which ends its turn in `conversations`."""
        answer = self.desk.x.world.publish(f"@{post.author.handle} it is here", author="acme", reply_to=post.id)
        self._route(answer, post.author.id)
        until(lambda: self._turns(post) == [End.ANSWERED], "its turn is answered", 30 * PATIENCE)
        return answer

    def _turns(self, post: FakePost) -> list[End]:
        consumer = clients.consumer(self.desk.settings.kafka)
        try:
            found = [one for one in states(consumer, self.desk.settings) if one.fact(post.id) is not None]
        finally:
            consumer.close()
        return [turn.end for one in found for turn in one.conversation.turns]

    def _route(self, post: FakePost, customer: str) -> None:
        author, parent = Author(post.author.id, post.author.handle), post.parent
        made = Post(post.id, post.id, post.text, author, round(post.at * 1000), post.conversation_id, lang="en")
        if parent is None:
            made = msgspec.structs.replace(made, mentions=(Mention("acme", self.desk.x.world.user("acme").id),))
        else:
            made = msgspec.structs.replace(made, parent_id=parent.id, parent_author_id=parent.author.id)
        [out] = self._router.route(made, SURE, Place("tweets", partition_of(customer, 3), 0, 0), round(time() * 1000))
        producer = clients.producer(self.desk.settings.kafka)
        name = self.desk.settings.topics.name(topic_of(out.queue))
        producer.send(name, out.value, customer.encode(), partition=out.partition).get(30)
        producer.close()


def _triage(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agents", "-s", str(file), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeX]:
    """A fake X in real time."""
    with FakeX() as fake:
        yield fake


@pytest.fixture(scope="module")
def helpdesk(broker: Broker, fake: FakeX, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helpdesk]:
    """Both workers on topics of this file's own."""
    folder = tmp_path_factory.mktemp("helpdesk")
    desk = Desk(fake, broker.bootstrap, f"h{round(time() * 1000)}.", folder, **TIMES)
    found = Helpdesk(desk, folder)
    try:
        for command in ("responses", "post"):
            found.start(command)
        yield found
    finally:
        found.end()
        desk.close()


def test_a_reply_is_posted_and_said(helpdesk: Helpdesk) -> None:
    """Exit code 0, and under which id it is on X; its parent is the customer's post."""
    post = helpdesk.asked("ann")

    done = helpdesk.reply(f"x:{post.id}", "It is on its way", "--wait", "60")

    assert (0, "") == (done.returncode, done.stderr)
    made = next(one for one in helpdesk.desk.x.world.posts.values() if one.by_api and one.parent is post)
    first, second = done.stdout.splitlines()
    assert f"stands in replies, a reply to {post.author.id} as acme" in first
    assert second.endswith(f"posted, as {made.id}")


def test_without_waiting_it_only_stands_in_replies(helpdesk: Helpdesk) -> None:
    """A private message and a post to all: one line each, and the poster posts them."""
    post = helpdesk.asked("bob")

    private = helpdesk.reply(post.id, "Your code is 17", "--dm")
    to_all = helpdesk.reply("all", "All is well again", "--brand", "acme")

    assert [0, 0] == [private.returncode, to_all.returncode]
    assert ["a dm to", "a post as"] == [
        " ".join(done.stdout.partition(", ")[2].split()[:3]) for done in (private, to_all)
    ]
    until(lambda: {"Your code is 17", "All is well again"} <= set(helpdesk.desk.on_x()), "both are on X")


def test_a_second_answer_is_held(helpdesk: Helpdesk) -> None:
    """The turn is answered, as `conversations` says: it warns, and the poster holds it, until it is forced."""
    post = helpdesk.asked("cid")
    answer = helpdesk.answered(post)

    held = helpdesk.reply(post.id, "It is on its way, Cid", "--wait", "60")
    before = helpdesk.desk.on_x()["It is on its way, Cid"]
    forced = helpdesk.reply(post.id, "It is on its way, Cid", "--force", "--wait", "60")

    assert (9, 0, 0) == (held.returncode, before, forced.returncode)
    assert "warning: held: its turn is answered already" in held.stderr
    assert f": held, its turn is answered already, by acme in {answer.id}" in held.stdout
    assert 1 == helpdesk.desk.on_x()["It is on its way, Cid"]


def test_what_x_refuses_has_failed(helpdesk: Helpdesk) -> None:
    """Exit code 1, with the reason and X's words."""
    post = helpdesk.asked("dan")
    helpdesk.desk.x.faults.refuse(403, to=CREATE, detail="You are not permitted to perform this action.")

    done = helpdesk.reply(post.id, "No, Dan", "--wait", "60")

    assert 1 == done.returncode
    assert "failed (refused), 403: Forbidden; You are not permitted" in done.stdout


def test_what_x_hides_is_unknown(helpdesk: Helpdesk) -> None:
    """Exit code 10, and what to do."""
    post = helpdesk.asked("eve")
    helpdesk.desk.x.faults.hide_new_posts(10**6)
    helpdesk.desk.x.faults.lose_answer()

    done = helpdesk.reply(post.id, "Perhaps, Eve", "--wait", "60")
    helpdesk.desk.x.faults.clear()

    assert 10 == done.returncode
    assert "unknown, it may have been posted" in done.stdout
    assert "look at X" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "Missing argument"),
        (["1"], 2, "Missing argument"),
        (["all", "Hello"], 2, "say as which brand"),
        (["all", TOO_LONG, "--brand", "acme"], 2, "281 by X's counting"),
        (["all", " ", "--brand", "acme"], 2, "text"),
        (["all", "Hello", "--brand", "acme", "--wait", "-1"], 2, "--wait"),
        (["1234567", "Hello"], 1, "no customer's post 1234567 is known"),
    ],
)
def test_wrong_calls(helpdesk: Helpdesk, arguments: list[str], code: int, says: str) -> None:
    """Each says what is wrong, and writes nothing to `replies`."""
    before = len(helpdesk.desk.records("replies"))

    done = helpdesk.reply(*arguments)

    assert code == done.returncode
    assert says in " ".join(done.stderr.replace("│", "").split())
    assert before == len(helpdesk.desk.records("replies"))


def test_no_log_holds_a_secret(helpdesk: Helpdesk) -> None:
    """The poster looked, posted and was refused, with all logs on; and it ends in order when it is told to."""
    access = helpdesk.desk.x.access("acme")
    done = helpdesk.reply("all", "Nothing to hide", "--brand", "acme", "--wait", "60")
    codes = helpdesk.end()

    said = helpdesk.said("post") + helpdesk.said("responses") + done.stdout + done.stderr
    assert (0, [0, 0]) == (done.returncode, codes)
    assert "Making API request" in said
    assert [] == [name for name, secret in access._asdict().items() if secret in said]


def test_while_no_poster_runs_nothing_is_told(fake: FakeX, broker: Broker, prefix: str, tmp_path: Path) -> None:
    """Exit code 11; the answer stays in `replies`."""
    desk = Desk(fake, broker.bootstrap, prefix, tmp_path)

    done = _triage(desk.file, "reply", "all", "Good morning", "--brand", "acme", "--wait", "1")

    assert (11, 1) == (done.returncode, len(desk.records("replies")))
    assert "does `triage post` run?" in done.stderr
    desk.close()


def _settings(folder: Path, **content: Any) -> Path:
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump({"brands": [{"name": "acme", "handles": ["acme"]}], **content}))
    return file


def test_the_poster_without_credentials(tmp_path: Path) -> None:
    """It says which are missing, and how to get them; the exit code is that of settings."""
    done = _triage(_settings(tmp_path), "post")

    assert 3 == done.returncode
    assert "https://developer.x.com" in done.stderr
    assert "x.bearer_token, x.consumer_key, x.consumer_secret, brands[].x.access_token is not set" in done.stderr


def test_without_topics_or_a_broker(fake: FakeX, broker: Broker, prefix: str, tmp_path: Path) -> None:
    """Exit codes 5 and 4, each with what to do."""
    desk = Desk(fake, broker.bootstrap, prefix, tmp_path)
    desk.close()
    content = yaml.safe_load(desk.file.read_text())
    content["topics"]["prefix"] += "none."
    without_topics = _triage(_settings(tmp_path, **content), "post")
    content["kafka"]["bootstrap_servers"] = ["127.0.0.1:1"]
    without_broker = _triage(_settings(tmp_path, **content), "reply", "all", "Hello", "--brand", "acme")

    assert (5, 4) == (without_topics.returncode, without_broker.returncode)
    assert "triage topics create" in without_topics.stderr
    assert "no Kafka broker answers at 127.0.0.1:1" in without_broker.stderr


def test_the_poster_that_x_does_not_know(fake: FakeX, broker: Broker, prefix: str, tmp_path: Path) -> None:
    """401 ends it with the exit code of settings, and the answer stays for the next one."""
    desk = Desk(fake, broker.bootstrap, prefix, tmp_path)
    fake.faults.refuse(401, to=CREATE)
    desk.send(desk.asked("zoe"))

    done = _triage(desk.file, "post")

    assert (3, {}) == (done.returncode, desk.outcomes())
    assert "X does not let us act as the account of brand acme" in done.stderr
    desk.close()
