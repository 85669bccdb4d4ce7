"""The real responses worker on the real broker: what it tells, what a helpdesk says to it, what it forgets."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from aiokafka.partitioner import murmur2
from patience import PATIENCE

from agents import clients, topics, waiting
from agents.broker import Broker
from agents.report_topic import report_topic
from pipeline import contracts
from pipeline import settings as settings_module
from pipeline.classify import Model
from pipeline.posts import Author, Post, Queue, Stage, Verdict
from pipeline.route import Place, Router, topic_of, utc
from pipeline.topics import CONVERSATIONS, DEAD, DESK, KEYED, MESSAGES, OWN, QUEUE_TOPICS, RESPONSES, RETRACTIONS

SECRET = "the zebra ate my parcel"
MINUTE = 60_000


def now() -> int:
    """In ms: the file's own start is long ago when the other files were run before it."""
    return int(time.time() * 1000)


class Running:
    """A worker that can be killed and started again, its settings, and where they lie."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file = file
        self.folder = folder
        self.settings = settings_module.load(file)
        self.process = self._start()

    def triage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        command = [sys.executable, "-m", "agents", "--settings", str(self.file), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    def said(self) -> str:
        """What the worker has said since it was started last."""
        return (self.folder / "log").read_text()

    def kill(self) -> None:
        """Kill it, and start it again."""
        self.process.kill()
        self.process.wait()
        self.process = self._start()

    def end(self) -> None:
        """Stop it in order."""
        self.process.terminate()
        self.process.wait(25)

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "agents", "--settings", str(self.file), "responses"]
        with (self.folder / "log").open("w") as log:
            process = subprocess.Popen(command, stderr=log, text=True)
        _until(lambda: "ready" in self.said(), "the worker is ready")
        return process


@pytest.fixture(scope="module")
def place(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A responses worker on topics of this file's own."""
    folder = tmp_path_factory.mktemp("responses")
    number = now()
    content = {
        "brands": [{"name": "acme", "handles": ["Acme"], "ids": ["900"]}],
        "kafka": {"bootstrap_servers": [broker.bootstrap]},
        "topics": {"prefix": f"r{number}.", "partitions": 3},
        "responses": {"group": f"r{number}"},
        "worker": {"session_timeout_s": 6, "instance_id": "one"},
        "metrics": {"port": 0},
    }
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(content))
    topics.create(settings_module.load(file))
    running = Running(file, folder)
    yield running
    running.end()


def _until(condition: Callable[[], bool], what: str, within: float = 30.0) -> None:
    deadline = time.monotonic() + within * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        threading.Event().wait(0.1)


def _partition(customer: str) -> int:
    return int(murmur2(customer.encode()) & 0x7FFFFFFF) % 3


def _ask(place: Running, customer: str, post: str, *, minutes_ago: float = 1.0, text: str = SECRET,
         verdict: Verdict | None = None) -> None:  # fmt: skip
    at = int(now() - minutes_ago * MINUTE)
    made = Post(post, post, f"@Acme {text}", Author(customer, "someone"), at, post, lang="en")
    _route(place, made, verdict or Verdict(Stage.REACTIVE, 0.95, (0.95, 0.03, 0.02)), customer)


def _answer(place: Running, customer: str, post: str, question: str, text: str = "on its way") -> None:
    made = Post(
        post, post, text, Author("900", "Acme"), now(), question, parent_id=question,
        parent_author_id=customer,
    )  # fmt: skip
    _route(place, made, Verdict(Stage.REACTIVE, 0.95, (0.95, 0.03, 0.02)), customer)


def _route(place: Running, post: Post, verdict: Verdict, customer: str) -> None:
    _route_all(place, [post], verdict, customer)


def _route_all(place: Running, posts: Sequence[Post], verdict: Verdict, customer: str) -> None:
    router = Router(place.settings, Model("m", "1", "0" * 64))
    producer = clients.producer(place.settings.kafka)
    for post in posts:
        where = Place("tweets", _partition(customer), 0, post.created_at)
        [out] = router.route(post, verdict, where, post.created_at)
        topic = place.settings.topics.name(topic_of(out.queue))
        producer.send(topic, out.value, customer.encode(), partition=out.partition)
    producer.flush(30)
    producer.close()


def _send(place: Running, topic: str, value: bytes, key: str, partition: int | None) -> None:
    producer = clients.producer(place.settings.kafka)
    producer.send(place.settings.topics.name(topic), value, key.encode(), partition=partition).get(30)
    producer.close()


def _records(place: Running, topic: str) -> list[Any]:
    consumer = clients.consumer(place.settings.kafka)
    try:
        return list(clients.stored(consumer, place.settings.topics.name(topic)))
    finally:
        consumer.close()


def _told(place: Running, customer: str) -> list[dict[str, Any]]:
    values = [json.loads(record.value) for record in _records(place, RESPONSES)]
    return [value for value in values if value["customer"] == customer]


def _wait_for(place: Running, customer: str, *kinds: str) -> list[dict[str, Any]]:
    def there() -> bool:
        return set(kinds) <= {value["event_type"] for value in _told(place, customer)}

    _until(there, f"{kinds} are told of {customer}: {[one['event_type'] for one in _told(place, customer)]}")
    return _told(place, customer)


def _gauge(place: Running, name: str) -> float:
    address = re.findall(r"http://\S+", place.said())[-1]
    with urllib.request.urlopen(address, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{name}[ {{]", line))


def test_what_it_tells_keeps_the_contract(place: Running) -> None:
    """A question that is late already, and its answer: each record fits the schema, and holds no text."""
    _ask(place, "5000", "99", minutes_ago=0.1)  # from which the worker learns what time it is
    _wait_for(place, "5000", "opened")
    _ask(place, "5001", "100", minutes_ago=40)
    _wait_for(place, "5001", "breached")
    _answer(place, "5001", "101", "100", "please send us a DM")

    found = _wait_for(place, "5001", "answered", "moved")

    assert ["opened", "breached", "answered", "moved"] == [value["event_type"] for value in found]
    schema = jsonschema.Draft7Validator(contracts.response_schema())
    for record in _records(place, RESPONSES):
        value = json.loads(record.value)
        schema.validate(value)
        assert record.key.decode() == (value["customer"] or value["brand"])
        assert dict(record.headers)["ce_id"].decode() == value["event_id"]
        assert b"zebra" not in record.value
    assert found[2]["turn"]["wait_s"] >= 2400
    assert _gauge(place, "triage_first_response_seconds_count") >= 1


def test_a_post_is_moved_with_its_clock(place: Running) -> None:
    """From review to proactive: the next revision, decided by a person, the target from the same start."""
    _ask(place, "5002", "200", minutes_ago=10, verdict=Verdict(Stage.REACTIVE, 0.3, (0.3, 0.3, 0.3)))
    before = _wait_for(place, "5002", "opened")[0]["turn"]

    said = place.triage("desk", "move", "200", "--to", "proactive")
    after = _wait_for(place, "5002", "requeued")[-1]["turn"]

    assert said.returncode == 0, said.stderr
    moved = json.loads(next(one for one in _records(place, "queue.proactive") if one.key == b"5002").value)
    assert ("review", "proactive") == (before["queue"], after["queue"])
    assert before["opened_at"] == after["opened_at"]
    assert (1, "person", "x:200") == (moved["revision"], moved["classification"]["decided_by"], moved["external_id"])
    assert moved["deadline_at"] == after["deadline_at"] > before["deadline_at"]
    jsonschema.Draft7Validator(contracts.routed_schema()).validate(moved)


def test_an_edit_follows_a_move(place: Running) -> None:
    """The author edits what a person had moved: the new text comes to the person's queue, above both revisions."""
    unsure = Verdict(Stage.REACTIVE, 0.3, (0.3, 0.3, 0.3))
    _ask(place, "5003", "300", minutes_ago=10, verdict=unsure)
    _wait_for(place, "5003", "opened")
    place.triage("desk", "move", "300", "--to", "proactive")
    _wait_for(place, "5003", "requeued")
    at = now() - 10 * MINUTE
    edit = Post("301", "300", "@Acme it is parcel 7", Author("5003", "someone"), at, "300", revision=1, lang="en")

    _route(place, edit, unsure, "5003")

    def versions() -> list[tuple[int, str, str]]:
        values = [json.loads(one.value) for one in _records(place, "queue.proactive") if one.key == b"5003"]
        return [(one["revision"], one["text"], one["classification"]["decided_by"]) for one in values]

    _until(lambda: len(versions()) == 2, "the edit follows")
    assert [(1, f"@Acme {SECRET}", "person"), (2, "@Acme it is parcel 7", "person")] == versions()
    _until(lambda: "proactive" == _waiting_in(place, "5003"), "the wait stays where it was moved to")


def _waiting_in(place: Running, customer: str) -> str:
    found = waiting.find(place.settings, brand="acme", queue=None, limit=100, now=now())
    return next(one.queue for one in found.waiters if one.customer == customer)


def test_a_move_that_comes_before_its_post_is_read(place: Running) -> None:
    """The word is there first; the record is found among what is unread, or the word is a dead letter."""
    word = {"id": "w9", "word": "move", "customer": "5009", "brand": "acme", "conversation_id": "900", "to": "review",
            "post_id": "901", "at": utc(now()), "by": "ann"}  # fmt: skip

    _send(place, DESK, json.dumps(word).encode(), "x", 2)

    def buried() -> bool:
        return any(dict(one.headers).get("dlq.reason") == b"not_found" for one in _records(place, DEAD))

    _until(buried, "the word is a dead letter")


@pytest.mark.parametrize(
    ("number", "words", "kind", "outcome"),
    [
        (10, ("resolve",), "resolved", "resolved_on_x"),
        (11, ("resolve", "--elsewhere"), "resolved", "resolved_elsewhere"),
        (12, ("handoff", "--to", "email"), "handed_off", "moved_to_email"),
        (13, ("handoff", "--to", "dm"), "handed_off", "moved_to_dm"),
    ],
)
def test_a_helpdesk_ends_a_wait(place: Running, number: int, words: tuple[str, ...], kind: str, outcome: str) -> None:
    """Resolved or handed off: nobody waits, and the outcome is told."""
    customer, post = f"60{number}", f"7{number}"
    _ask(place, customer, post)
    _wait_for(place, customer, "opened")

    place.triage("desk", words[0], post, *words[1:], "--by", "ann")
    found = _wait_for(place, customer, kind, "settled")

    assert outcome == found[-1]["outcome"]
    assert "ann" == next(one for one in found if one["event_type"] == kind)["turn"]["answered_by"]


@pytest.mark.parametrize(("number", "hashed"), [(0, zlib.crc32), (1, murmur2), (2, len)])
def test_a_word_finds_its_customer(place: Running, number: int, hashed: Callable[[bytes], int]) -> None:
    """Wherever a client puts it: kcat hashes by CRC-32, Java by murmur2, others as they like; it is keyed again."""
    customer, post = f"503{number}", f"30{number}"
    _ask(place, customer, post)
    _wait_for(place, customer, "opened")
    word = {"id": "w1", "word": "assign", "customer": customer, "brand": "acme", "conversation_id": post, "to": "bob",
            "at": utc(now())}  # fmt: skip

    _send(place, DESK, json.dumps(word).encode(), customer, (hashed(customer.encode()) & 0x7FFFFFFF) % 3)
    found = _wait_for(place, customer, "assigned")

    assert "bob" == found[-1]["by"]
    assert _partition(customer) == next(one.partition for one in _records(place, KEYED) if one.key == customer.encode())


@pytest.mark.parametrize("value", [b"{", b'{"id": "1"}', b"\xff"])
def test_a_broken_word_is_a_dead_letter(place: Running, value: bytes) -> None:
    """With its place, so that it can be mended and sent to the same topic again."""
    before = len(_records(place, DEAD))

    _send(place, DESK, value, "x", 1)
    _until(lambda: len(_records(place, DEAD)) > before, "the dead letter is there")

    letter = [one for one in _records(place, DEAD) if one.value == value][-1]
    assert place.settings.topics.name(DESK) == dict(letter.headers)["dlq.topic"].decode()


def test_a_private_message_answers(place: Running) -> None:
    """The brand wrote in private: the wait is over, and it is told how."""
    _ask(place, "5004", "400", minutes_ago=5)
    _wait_for(place, "5004", "opened")
    message = {"id": "1", "brand": "acme", "sender_id": "900", "customer_id": "5004", "created_at": utc(now()),
               "text": SECRET}  # fmt: skip

    _send(place, MESSAGES, json.dumps(message).encode(), "5004", _partition("5004"))
    found = _wait_for(place, "5004", "answered")

    assert "private" == next(one for one in found if one["event_type"] == "answered")["turn"]["answered_in"]


def test_who_waits_and_why_it_is_a_backlog(place: Running) -> None:
    """Four wait in one queue: the oldest first, with the conversation; a metric, an event and a line say so."""
    for number in range(4):
        _ask(place, f"80{number}", f"88{number}", minutes_ago=20 - number, text=f"where is parcel {number}")
    _wait_for(place, "803", "opened")
    limit = place.settings.responses.backlog

    _until(lambda: _gauge(place, "triage_backlog") >= 1, "the metric says it")
    found = waiting.find(place.settings, brand="acme", queue=Queue.REACTIVE, limit=100, now=now())
    shown = place.triage("waiting", "--json")

    customers = [one.customer for one in found.waiters if one.customer.startswith("80")]
    assert ["800", "801", "802", "803"] == customers
    first = next(one for one in found.waiters if one.customer == "800")
    assert "@Acme where is parcel 0" == first.conversation[0].text
    assert any("backlog: acme reactive" in line for line in waiting.backlogs(found.counts, limit))
    assert ["reactive"] == [one["queue"] for one in json.loads(shown.stdout)["queues"] if one["backlog"]]
    events = [json.loads(record.value) for record in _records(place, RESPONSES)]
    began = [event for event in events if event["event_type"] == "backlog_began"]
    assert began[0]["backlog"]["waiting"] > limit or began[0]["backlog"]["late"]


@pytest.mark.parametrize("words", [("waiting",), ("desk", "resolve", "800"), ("reply", "800", "hello")])
def test_a_brand_that_there_is_not(place: Running, words: tuple[str, ...]) -> None:
    """A slip of the pen is wrong usage, not a brand for which nobody waits; the names there are stand beside it."""
    done = place.triage(*words, "--brand", "acmee")

    assert (2, "") == (done.returncode, done.stdout)
    assert "there is no brand 'acmee', only acme, other" in done.stderr


def test_a_brand_for_which_nobody_waits(place: Running) -> None:
    """Posts without a brand have one too."""
    assert "nobody waits" in place.triage("waiting", "--brand", "other").stdout


def test_the_gauges_are_right_after_a_restart(place: Running) -> None:
    """Who waits is what the topic says, before and after a kill."""
    _ask(place, "5005", "500")
    _wait_for(place, "5005", "opened")
    expected = waiting.find(place.settings, brand=None, queue=None, limit=1, now=now()).number
    _until(lambda: _gauge(place, "triage_waiting") == expected, "the gauge is the topic's count")

    place.kill()

    _until(lambda: _gauge(place, "triage_waiting") == expected, "the gauge is right after the kill")
    assert _gauge(place, "triage_recovering_partitions") == 0


def test_a_report_from_the_topic(place: Running) -> None:
    """First responses, who waits, outcomes; and only the period that is asked for."""
    found = report_topic(place.settings)
    none = report_topic(place.settings, until=now() - 10**9)
    shown = place.triage("report", "--json")

    assert found.brands["acme"].first_response.n >= 2
    assert found.brands["acme"].waiting >= 4
    assert {"resolved_on_x", "moved_to_email"} <= set(found.brands["acme"].outcomes)
    assert {"resolved_on_x", "moved_to_email"} <= set(found.queues["reactive"].outcomes)
    for groups in (found.hours, found.weekdays, found.queues):
        assert found.all.outcomes == dict(sum((Counter(one.outcomes) for one in groups.values()), Counter()))
    assert {} == none.brands
    assert json.loads(shown.stdout)["brands"]["acme"]["first_response"]["n"] == found.brands["acme"].first_response.n


def test_no_text_is_left_where_it_should_not_be(place: Running) -> None:
    """A post, and then all of a customer's, are forgotten: queues get a retraction, the rest holds no text."""
    _ask(place, "5006", "600")
    _answer(place, "5006", "601", "600", f"sorry that {SECRET}")
    _ask(place, "5007", "700")
    _ask(place, "5007", "701")
    _wait_for(place, "5006", "answered")
    _wait_for(place, "5007", "opened")

    said = [place.triage("forget", "600"), place.triage("forget", "601"), place.triage("forget", "5007")]
    _wait_for(place, "5006", "retracted")
    _wait_for(place, "5007", "retracted", "settled")

    assert [0, 0, 0] == [one.returncode for one in said]
    newest = _newest(place, (*QUEUE_TOPICS[:-1], OWN))
    for post in ("600", "601", "700", "701"):
        assert ("retracted", "", "") == tuple(newest[f"x:{post}"][name] for name in ("event_type", "text", "subject"))
        assert newest[f"x:{post}"]["author"]["handle"] is None
    for topic in (RESPONSES, CONVERSATIONS, RETRACTIONS, KEYED, "waiting"):
        assert not [one for one in _records(place, topic) if b"zebra" in (one.value or b"")], topic
    states = {one.key: one.value for one in _records(place, CONVERSATIONS)}
    assert {None} == {value for key, value in states.items() if key.startswith(b"5007\x1facme")}
    waiters = waiting.find(place.settings, brand=None, queue=None, limit=100, now=now()).waiters
    assert not [one for one in waiters if one.customer in ("5006", "5007")]


def test_an_edited_post_is_known_by_its_newest_id(place: Running) -> None:
    """The one that the record's url shows: for a helpdesk's word, and to be forgotten."""
    _ask(place, "5091", "9100")
    edit = Post("9101", "9100", "@Acme it is 8", Author("5091", "someone"), now(), "9100", revision=1, lang="en")
    _route(place, edit, Verdict(Stage.REACTIVE, 0.95, (0.95, 0.03, 0.02)), "5091")
    _wait_for(place, "5091", "opened")

    said = [place.triage("desk", "assign", "9101", "--to", "kim"), place.triage("forget", "9101")]

    assert [0, 0] == [one.returncode for one in said], [one.stderr for one in said]
    _wait_for(place, "5091", "assigned", "retracted")


def _newest(place: Running, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """What a helpdesk has that upserts on external_id."""
    found: dict[str, dict[str, Any]] = {}
    for topic in names:
        for record in _records(place, topic):
            value = json.loads(record.value)
            if value["revision"] >= found.get(value["external_id"], value)["revision"]:
                found[value["external_id"]] = value
    return found


def test_a_backlog_ends(place: Running) -> None:
    """All who wait are answered: the gauge goes back to 0, of places that nobody waits in any more too."""
    found = waiting.find(place.settings, brand="acme", queue=None, limit=100, now=now())
    _until(lambda: _gauge(place, "triage_backlog") >= 1, "there is a backlog")

    for number, one in enumerate(found.waiters):
        _answer(place, one.customer, f"99{number}", one.post_id)

    _until(lambda: _gauge(place, "triage_waiting") == 0, "nobody waits")
    _until(lambda: _gauge(place, "triage_backlog") == 0, "no backlog is left")


def test_what_was_forgotten_is_not_published_again(place: Running) -> None:
    """A helpdesk moves a post that was forgotten: the word is a dead letter, and the text stands in no other queue."""
    _ask(place, "5020", "720")
    _wait_for(place, "5020", "opened")
    place.triage("forget", "720")
    _wait_for(place, "5020", "retracted")

    moved = place.triage("desk", "move", "720", "--to", "proactive")

    def buried() -> bool:
        letters = [dict(one.headers) for one in _records(place, DEAD) if b'"720"' in (one.value or b"")]
        return [b"not_found"] == [one["dlq.reason"] for one in letters]

    assert 0 == moved.returncode
    _until(buried, "the word is a dead letter")
    assert [] == [one for one in _records(place, "queue.proactive") if one.key == b"5020"]


def test_a_word_that_no_state_can_be_named_after(place: Running) -> None:
    """The separator of keys in an id: a dead letter, and the worker starts again."""
    word = {"id": "w20", "word": "note", "customer": "5021", "brand": "acme", "conversation_id": "a\x1fb",
            "at": utc(now())}  # fmt: skip
    message = {"id": "20", "brand": "acme", "sender_id": "900", "customer_id": "5021\x1f", "created_at": utc(now())}

    _send(place, DESK, json.dumps(word).encode(), "5021", 1)
    _send(place, MESSAGES, json.dumps(message).encode(), "5021", 1)
    _until(lambda: 2 == sum(b"5021" in (one.value or b"") for one in _records(place, DEAD)), "both are dead letters")
    place.kill()

    assert [] == [one for one in _records(place, CONVERSATIONS) if b"5021" in one.key]


def test_what_is_unknown_is_said(place: Running) -> None:
    """A post or a customer that nobody knows: a sentence with what to do, and no word is written."""
    before = len(_records(place, DESK))

    unknown = [place.triage("desk", "resolve", "31337"), place.triage("forget", "31337")]

    assert [1, 1] == [one.returncode for one in unknown]
    assert "triage waiting" in unknown[0].stderr
    assert "--user" in unknown[1].stderr
    assert before == len(_records(place, DESK))


def test_whoever_wrote_much_is_forgotten_too(place: Running) -> None:
    """300 posts in one conversation: the wait is told as retracted, the gauge goes down, every record is retracted."""
    before, at = _gauge(place, "triage_waiting"), now() - MINUTE
    names = [f"71{number:03}" for number in range(300)]
    posts = [Post(name, name, "@Acme help", Author("5071", "someone"), at, names[0], lang="en") for name in names]
    _route_all(place, posts, Verdict(Stage.REACTIVE, 0.95, (0.95, 0.03, 0.02)), "5071")
    _until(lambda: _gauge(place, "triage_waiting") == before + 1, "one more waits")

    said = place.triage("forget", "5071")

    assert said.returncode == 0, said.stderr
    assert "retracted" in [one["event_type"] for one in _wait_for(place, "5071", "retracted")]
    _until(lambda: _gauge(place, "triage_waiting") == before, "nobody of them waits")

    def retracted() -> int:
        values = [json.loads(one.value) for one in _records(place, "queue.reactive") if one.key == b"5071"]
        return len({one["external_id"] for one in values if one["event_type"] == "retracted"})

    _until(lambda: retracted() == 300, "every record is retracted")
