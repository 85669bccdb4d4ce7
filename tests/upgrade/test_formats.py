"""What stands in Kafka: this version reads what earlier ones wrote, and they read what this one writes."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import before
import make_golden
import msgspec
import pytest
from before import Conversation1, Conversation2, Conversation3, Fact2, Progress3
from make_golden import SETTINGS, WALL, Record

from pipeline import heard, posting, turns
from pipeline.decode import decode
from pipeline.desk import read_word
from pipeline.errors import BadMessage
from pipeline.facts import Fact
from pipeline.gaps import Checkpoint, Gap
from pipeline.kept import TOLD, head, state
from pipeline.policies import Policies
from pipeline.posts_clock import PostsClock
from pipeline.told import read
from pipeline.turns import Conversation
from pipeline.waits import Waits

GOLDEN = {file.stem: file for file in sorted((Path(__file__).parent / "golden").glob("*.jsonl"))}
NEWEST = max(GOLDEN, key=int)
POLICIES = Policies(SETTINGS)


def records(name: str, *topics: str) -> Iterator[Record]:
    """Of a golden file, those of some topics, or all."""
    for line in GOLDEN[name].read_text().splitlines():
        one: dict[str, Any] = msgspec.json.decode(line)
        if not topics or one["topic"] in topics:
            value = None if one["value"] is None else b64decode(one["value"])
            yield Record(**{**one, "key": b64decode(one["key"]), "value": value})


def books(name: str) -> Waits:
    """A worker's books, taken over from `conversations` as a format has it."""
    found = Waits(POLICIES, PostsClock())
    for one in records(name, "conversations"):
        found.load(one.key, one.value, one.timestamp)
    found.loaded()
    return found


@pytest.mark.parametrize("name", GOLDEN)
def test_read_by_this_version(name: str) -> None:
    """Every record of every topic, as it was written by an earlier version."""
    readers = {
        "tweets": lambda one: decode([one.value], [one.timestamp])[0],
        "responses": lambda one: read(one.value),
        "desk.keyed": lambda one: read_word(one.value),
        "messages": lambda one: heard.message(one.value, POLICIES),
        "retractions": lambda one: heard.retraction(one.value),
        "replies.log": lambda one: posting.decode(one.value),
        "listener.state": lambda one: msgspec.json.decode(one.value, type=Gap if b"gap/" in one.key else Checkpoint),
        "conversations": lambda one: one.key == TOLD or one.value is None or state(one.key, one.value),
    } | dict.fromkeys(before.QUEUES, lambda one: heard.routed(one.value, one.offset, POLICIES))

    found = [readers[one.topic](one) for one in records(name)]

    assert len(found) > 100
    assert not [one for one in found if isinstance(one, BadMessage)]


@pytest.mark.parametrize("name", GOLDEN)
def test_taken_over_by_this_version(name: str) -> None:
    """The same customers wait, since when and for what, whoever wrote the states; and an answer ends it."""
    ours, theirs = books(NEWEST), books(name)
    waiting = sorted((one.key, one.turn.opened, one.turn.due) for one in theirs.waiters())
    answer = make_golden.Teller()._answer("6", 0, WALL + 700 * make_golden.MINUTE)
    told = heard.routed(answer.value, 0, POLICIES)
    assert told is not None

    changes = theirs.hear([told], WALL + 701 * make_golden.MINUTE)

    assert waiting == sorted((one.key, one.turn.opened, one.turn.due) for one in ours.waiters())
    assert len(waiting) > 1
    assert changes.told
    assert all(head(value).version > 1 for value in changes.states.values() if value is not None)


@pytest.mark.parametrize("name", before.STATES)
def test_states_read_by_earlier_versions(name: str) -> None:
    """What they know of a state they find where it was; what came later they pass over."""
    states = [one.value for one in records(NEWEST, "conversations") if one.value is not None and one.key != TOLD]
    ours, theirs = msgspec.msgpack.Decoder(Conversation), msgspec.msgpack.Decoder(before.STATES[name])

    found = [(msgspec.to_builtins(ours.decode(value)), msgspec.to_builtins(theirs.decode(value))) for value in states]

    assert len(found) >= 5
    assert any(whole[-1] is not None for whole, _ in found), "no long conversation"
    assert [] == [known for whole, known in found if not _begins(whole, known)]


@pytest.mark.parametrize("topic", before.READERS)
def test_records_read_by_earlier_versions(topic: str) -> None:
    """Names and kinds are as they were; fields that they do not know they pass over."""
    values = [one.value or b"" for one in records(NEWEST, topic)]

    assert [before.READERS[topic](value) for value in values] or topic in ("queue.proactive", "queue.engagement")


def test_marks_of_files_read_by_earlier_versions() -> None:
    """Inode and offset, and nothing else: with anything more they would begin the file anew."""
    [one] = [one for one in records(NEWEST, "listener.state") if one.key == b"checkpoint/file:posts.jsonl"]
    checkpoint = msgspec.json.decode(one.value or b"", type=Checkpoint)

    assert ("7:54", True) == (checkpoint.mark, bool(checkpoint.proof))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Conversation, Conversation1),
        (Conversation, Conversation2),
        (Conversation, Conversation3),
        (Fact, before.Fact1),
        (Fact, Fact2),
        (turns.Progress, before.Progress1),
        (turns.Progress, Progress3),
        (turns.Turn, before.Turn),
        (turns.Settled, before.Settled),
    ],
)
def test_fields_are_only_appended(ours: type[msgspec.Struct], theirs: type[msgspec.Struct]) -> None:
    """A state is read by the places of its fields: none moves or goes, and each that is added has a default."""
    now, then = msgspec.structs.fields(ours), msgspec.structs.fields(theirs)

    assert [field.name for field in then] == [field.name for field in now[: len(then)]]
    assert all(not field.required for field in now[len(then) :])


def test_this_version_writes_the_newest_format() -> None:
    """Where it does not, the format has changed: keep the file, number a new one, and freeze the old structs."""
    ours = make_golden.lines()

    assert GOLDEN[NEWEST].read_text().splitlines() == ours, "see tests/upgrade/make_golden.py"


def _begins(whole: Any, known: Any) -> bool:
    """Whether a struct as lists says, in its first fields, what another one says."""
    if isinstance(known, list) and isinstance(whole, list):
        return len(known) <= len(whole) and all(map(_begins, whole, known))
    return bool(whole == known)
