"""A helpdesk's moves of a post: each word counts once, and the last one said stands, in whatever order they come."""

from __future__ import annotations

from itertools import permutations

import pytest

from agents.transport import Fetched
from pipeline import desk
from pipeline.bookkeeping import Bookkeeper, Entry, Move
from pipeline.catching_up import CatchingUp, Input
from pipeline.classify import Model
from pipeline.desk import Word
from pipeline.facts import Kind
from pipeline.kept import Key, decode
from pipeline.policies import Policies
from pipeline.posts import Author, Post, Queue, Stage, Verdict
from pipeline.rewrite import read
from pipeline.route import Place, Router, utc
from pipeline.settings import Brand, Settings
from pipeline.topics import HEARD_TOPICS, KEYED, QUEUE_TOPICS
from pipeline.turns import Conversation
from pipeline.waits import Waits

AT = 1_772_359_200_000
SETTINGS = Settings(brands=(Brand(name="heron", handles=("HeronAir",)),))
POLICIES = Policies(SETTINGS)


class House:
    """One partition with a question in reactive; what is written to a queue is read at once, or not at all."""

    def __init__(self, *, reads: bool = True) -> None:
        self.books = Waits(POLICIES)
        self.keeper = Bookkeeper(POLICIES, {name: name for name in HEARD_TOPICS}, 1, lambda _: 0)
        self.written: list[tuple[str, bytes]] = []
        self.told: list[str] = []
        self._reads = reads
        verdict = Verdict(Stage.REACTIVE, 0.9, (0.9, 0.05, 0.05))
        router = Router(SETTINGS, Model("m", "1", "0" * 64))
        asked = Post("7", "7", "@HeronAir where is my bag?", Author("5"), AT, "7", lang="en")
        self.write("queue.reactive", router.route(asked, verdict, Place("tweets", 0, 1, AT), AT)[0].value)

    def write(self, topic: str, value: bytes) -> None:
        """A record of a queue."""
        self.written.append((topic, value))
        if self._reads or len(self.written) == 1:
            self.hear(topic, value, len(self.written))

    def hear(self, topic: str, value: bytes, offset: int) -> Entry:
        """Read a record."""
        entry = self.keeper.hear([Fetched(topic, 0, offset, AT, None, value, [])], {0: self.books}, AT + 10_000)
        self.told += [said.event_type for said, _ in entry.told]
        return entry

    def move(self, identity: str, at: int, to: str) -> None:
        """A word in desk.keyed."""
        word = desk.encode(Word(identity, "move", "5", "heron", "7", utc(AT + at), "ann", to, "7"))
        for move in self.hear(KEYED, word, 0).moves:
            self.done(move)

    def done(self, move: Move) -> None:
        """As the agent does it."""
        entry = self.keeper.move(move, self.books.find("5", "heron", "7"), self.newest, self.books, AT + 10_000)
        self.told += [said.event_type for said, _ in entry.told]
        for out in entry.outputs:
            if out.topic in QUEUE_TOPICS:
                self.write(out.topic, out.value or b"")

    @property
    def newest(self) -> bytes:
        """The post's record with the highest revision."""
        return max((value for _, value in self.written), key=lambda value: read(value).revision)

    def state(self) -> Conversation:
        """Of the conversation."""
        return decode(self.books.states[Key("5", "heron", "7").encoded()])


def test_there_and_back() -> None:
    """Moved and moved back: two records, and the clock goes along."""
    house = House()

    house.move("w1", 1, "proactive")
    house.move("w2", 2, "reactive")

    assert [Queue.REACTIVE, Queue.PROACTIVE, Queue.REACTIVE] == [read(value).queue for _, value in house.written]
    assert [(AT, 0)] == [(turn.opened, turn.queue) for turn in house.state().turns]


@pytest.mark.parametrize("reads", [True, False], ids=["read", "not read yet"])
def test_a_move_that_is_sent_twice_counts_once(reads: bool) -> None:
    """The first of two moves, sent again after the second, does not bring the post back."""
    house = House(reads=reads)

    for identity, at, to in (("w1", 1, "proactive"), ("w2", 2, "reactive"), ("w1", 1, "proactive")):
        house.move(identity, at, to)

    assert Queue.REACTIVE is read(house.newest).queue
    assert 3 == len(house.written)


@pytest.mark.parametrize(
    "words", list(permutations([("w1", 1, "proactive"), ("w2", 2, "engagement"), ("w3", 3, "review")]))
)
def test_the_last_move_said_stands(words: tuple[tuple[str, int, str], ...]) -> None:
    """Words on one post that stand in several partitions of desk are keyed in any order."""
    house = House()

    for word in words:
        house.move(*word)

    assert Queue.REVIEW is read(house.newest).queue
    assert [3] == [turn.queue for turn in house.state().turns]


def test_a_move_is_told_as_such_alone() -> None:
    """That it is remembered is no note; where the post is there already, nothing is written or told."""
    house = House()

    house.move("w1", 1, "proactive")
    house.move("w2", 2, "proactive")
    house.move("w1", 1, "reactive")

    assert ["opened", "requeued"] == house.told
    assert 2 == len(house.written)


def test_of_a_move_no_more_is_written_than_there_is_to_know() -> None:
    """The word sent again changes no state."""
    house = House()
    house.move("w1", 1, "proactive")
    before = dict(house.books.states)

    house.move("w1", 1, "proactive")

    assert before == house.books.states


def test_a_restored_state_knows_the_moves() -> None:
    """Those since the backup are heard again from desk.keyed, so that none of them counts once more."""
    value = desk.encode(Word("w1", "move", "5", "heron", "7", utc(AT + 1), "ann", "proactive", "7"))
    house, restored = House(), CatchingUp(POLICIES, AT + 10_000)
    house.move("w1", 1, "proactive")

    restored.hear([Input(KEYED, 0, 0, AT + 9, value)])

    state = decode(restored.books[0].states[Key("5", "heron", "7").encoded()])
    assert [fact for fact in house.state().facts if fact.kind is Kind.NOTED] == state.facts
