"""Writes what this version puts into Kafka for a small story, a record a line.

    PYTHONPATH=. python tests/upgrade/make_golden.py tests/upgrade/golden/8.jsonl

Each format that was ever released, or run, has its file in golden/. A version from before there was this script makes
its file with PYTHONPATH set to it. Where a format changes, the new file stands beside the old ones, which stay.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pipeline.bookkeeping import Bookkeeper, Entry
from pipeline.classify import Model
from pipeline.desk import Word
from pipeline.heard import Message, Retraction
from pipeline.policies import Policies
from pipeline.posts import Author, Post, Stage, Verdict
from pipeline.posts_clock import PostsClock
from pipeline.route import Place, Router, topic_of, utc
from pipeline.settings import Brand, Settings
from pipeline.waits import Waits

WALL = 1_790_000_000_000
MINUTE = 60_000
SETTINGS = Settings(brands=(Brand(name="acme", handles=("Acme",), ids=("900",)),))
SURE = Verdict(Stage.REACTIVE, 0.95, (0.95, 0.03, 0.02))
UNSURE = Verdict(Stage.PROACTIVE, 0.4, (0.3, 0.4, 0.3))
_json = msgspec.json.Encoder().encode


class Record(NamedTuple):
    """A record of Kafka; of `conversations` None is a tombstone."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]] = []  # noqa: RUF012 - a tuple's default, which nobody changes


def post(number: int, text: str, at: int) -> bytes:
    """A record of `tweets`."""
    said = {"id": str(number), "text": text, "author_id": "41", "created_at": utc(at), "lang": "en"}
    return _json({"data": said | {"conversation_id": str(number)}})


def tweets() -> Iterator[Record]:
    """As the listener writes them."""
    for number in range(3):
        value = post(700 + number, f"@Acme order {number} has not come", WALL + number)
        yield Record("tweets", 0, number, WALL + number, b"41", value)


class Teller:
    """Routes posts, and says the rest."""

    def __init__(self) -> None:
        self._router = Router(SETTINGS, Model("m", "1", "0" * 64))
        self._offset = 0

    def routed(self, found: Post, verdict: Verdict, customer: str) -> Record:
        """A record of a queue, or of posts.own."""
        [out] = self._router.route(found, verdict, Place("tweets", 0, self._offset, found.created_at), found.created_at)
        return self.said(topic_of(out.queue), customer, out.value, found.created_at, list(out.headers))

    def said(
        self, topic: str, customer: str, value: bytes, at: int, headers: list[tuple[str, bytes]] | None = None
    ) -> Record:
        """Any record that the responses worker reads."""
        self._offset += 1
        return Record(topic, 0, self._offset, at, customer.encode(), value, headers or [])

    def story(self) -> Iterator[Record]:
        """A wait, an answer, an edit; two long conversations; a moved post; words; a private message; a retraction."""
        for customer, posts in (("1", 1), ("2", 2), ("3", 46), ("4", 2), ("5", 1), ("6", 1), ("7", 1), ("8", 240)):
            for number in range(posts):
                at = WALL + number * (2 if customer == "8" else 3) * MINUTE
                asked = Post(f"{customer}0{number}", f"{customer}0{number}", "@Acme where is it", Author(customer), at,
                             f"{customer}00", lang="en")  # fmt: skip
                yield self.routed(asked, UNSURE if customer == "4" else SURE, customer)
                if number % 2 and customer != "4":
                    yield self._answer(customer, number, at + MINUTE)
        edited = Post("100", "1001", "@Acme where is it now", Author("1"), WALL, "100", 1, lang="en")
        yield self.routed(edited, SURE, "1")
        at = WALL + MINUTE
        yield self.said("messages", "1", _json(Message("m1", "acme", "900", "1", utc(at), "hello")), at)
        yield self.said("retractions", "5", _json(Retraction("500", "5", utc(at))), at)
        for word, to in (("assign", "ann"), ("note", None), ("resolve", None)):
            said = Word(f"w-{word}", word, "4", "acme", "400", utc(WALL + 9 * MINUTE), "ann", to, text=None)  # type: ignore[arg-type]
            yield self.said("desk.keyed", "4", _json(said), WALL + 9 * MINUTE)

    def _answer(self, customer: str, number: int, at: int) -> Record:
        asked = f"{customer}0{number}"
        answer = Post(f"{customer}9{number}", f"{customer}9{number}", "on its way", Author("900", "Acme"), at,
                      f"{customer}00", parent_id=asked, parent_author_id=customer)  # fmt: skip
        return self.routed(answer, SURE, customer)


def kept(story: list[Record]) -> Iterator[Record]:
    """What the responses worker tells and keeps."""
    policies = Policies(SETTINGS)
    books = Waits(policies, PostsClock())
    topics = {record.topic: record.topic for record in story} | {"desk": "desk"}
    keeper = Bookkeeper(policies, topics, 1, lambda _: 0)
    end = WALL + 600 * MINUTE
    entries: list[Entry] = []
    for start in range(0, len(story), 40):
        batch: Any = story[start : start + 40]
        entries.append(keeper.hear(batch, {0: books}, end))
    entries.append(keeper.tick({0: books}, {0: end}, end, 1000))
    for entry in entries:
        for topic, partition, key, value, headers in (*entry.outputs, *entry.states):
            yield Record(topic, partition, 0, end, key or b"", value, list(headers))


def of_others() -> Iterator[Record]:
    """What the listener and the poster keep; versions before them write nothing."""
    try:
        from pipeline.backoff import Cause
        from pipeline.gaps import Checkpoint, open_gap
        from pipeline.posting import Entry as Answer
        from pipeline.posting import State
        from pipeline.posting import encode as encode_answer
    except ImportError:
        return
    yield Record("listener.state", 0, 0, WALL, b"checkpoint/stream", _json(Checkpoint(1.5, "m", 2.5, (1.0, 2.0), 9.0)))
    gap = open_gap("stream", Cause.RESTART, 1.0, 2.0, 0)
    yield Record("listener.state", 0, 1, WALL, f"gap/{gap.id}".encode(), _json(gap))
    for state in State:
        answer = Answer(f"r-{state}", state, "0" * 64, "acme", "reply", WALL, WALL + 1, "1", "100", "100", 1)
        if "not_before" in Answer.__struct_fields__ and state is State.INTENT:
            answer = msgspec.structs.replace(answer, not_before=WALL + 2, no_look_before=WALL + 3)
        if "first" in Answer.__struct_fields__ and state is State.SENDING:
            answer = msgspec.structs.replace(answer, first=WALL - 1, doubted=True)
        yield Record("replies.log", 0, 0, WALL, answer.id.encode(), encode_answer(answer))


def of_files() -> Iterator[Record]:
    """What the listener keeps of a file that it follows; versions before have another mark, and no gap of their own."""
    try:
        from pipeline.backoff import Cause
        from pipeline.file_places import Trail
        from pipeline.gaps import Checkpoint, open_gap
    except ImportError:
        return
    trail = Trail()
    trail.add(b'{"id":"1","text":"@Acme where is it","author_id":"7"}\n')
    checkpoint = Checkpoint(1.5).at(trail.place(7, WALL * 1_000_000).mark)
    yield Record("listener.state", 0, 2, WALL, b"checkpoint/file:posts.jsonl", _json(checkpoint))
    gap = open_gap("file:posts.jsonl", Cause.RESTART, 1.0, 2.0, 0).ended(2.0).given_up(2.0, "the file is gone")
    yield Record("listener.state", 0, 3, WALL, f"gap/{gap.id}".encode(), _json(gap))


def lines() -> list[str]:
    """All of it."""
    story = list(Teller().story())
    records = [*tweets(), *story, *kept(story), *of_others(), *of_files()]
    return [msgspec.json.encode(_line(one)).decode() for one in records]


def _line(one: Record) -> dict[str, Any]:
    found = one._asdict() | {"key": b64encode(one.key).decode()}
    found["value"] = None if one.value is None else b64encode(one.value).decode()
    return found | {"headers": [[name, value.decode()] for name, value in one.headers]}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("".join(f"{line}\n" for line in lines()))
