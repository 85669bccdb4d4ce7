"""A helpdesk's word happens at the posts' time at most; and of what is gone nothing is moved."""

from __future__ import annotations

import pytest

from agents.transport import Fetched
from pipeline import desk
from pipeline.bookkeeping import Bookkeeper, Entry, Move
from pipeline.classify import Model
from pipeline.desk import Word
from pipeline.facts import Fact, Kind, Mark
from pipeline.gone import EVERYTHING
from pipeline.heard import ANY, Heard
from pipeline.kept import Key, decode
from pipeline.policies import Policies
from pipeline.posts import Author, Post, Stage, Verdict
from pipeline.route import Place, Router, utc
from pipeline.settings import Brand, Settings
from pipeline.topics import CONVERSATIONS, DEAD, DESK, KEYED, QUEUE_TOPICS
from pipeline.turns import End, Outcome
from pipeline.waits import Waits

AT = 1_772_359_200_000
YEAR = 365 * 86_400_000
SETTINGS = Settings(brands=(Brand(name="heron", handles=("HeronAir",)),))
POLICIES = Policies(SETTINGS)
TOPICS = {name: name for name in (DESK, KEYED, *QUEUE_TOPICS)}


def word(verb: desk.Verb, at: int, to: str | None = None, post: str | None = None) -> bytes:
    """A record of desk."""
    return desk.encode(Word("w" + verb, verb, "5", "heron", "7", utc(at), "ann", to, post))


class House:
    """One partition, and who keeps its books."""

    def __init__(self) -> None:
        self.books = Waits(POLICIES)
        self.keeper = Bookkeeper(POLICIES, TOPICS, 1, lambda _: 0)

    def hear(self, topic: str, value: bytes | None, wall: int) -> Entry:
        """One record; what is keyed again is heard at once."""
        entry = self.keeper.hear([Fetched(topic, 0, 0, wall, None, value, [])], {0: self.books}, wall)
        for out in entry.outputs:
            if out.topic == KEYED:
                return self.hear(KEYED, out.value, wall)
        return entry

    def state(self) -> object:
        """(end, ended, breached) of the turns, and the outcomes."""
        found = decode(self.books.states[Key("5", "heron", "7").encoded()])
        turns = [(turn.end, turn.ended, turn.breached) for turn in found.turns]
        return turns, [one.outcome for one in found.settled]


def post() -> bytes:
    """A customer's question, routed."""
    verdict = Verdict(Stage.REACTIVE, 0.9, (0.9, 0.05, 0.05))
    router = Router(SETTINGS, Model("m", "1", "0" * 64))
    asked = Post("7", "7", "@HeronAir where is my bag?", Author("5"), AT, "7", lang="en")
    return router.route(asked, verdict, Place("tweets", 0, 1, AT), AT)[0].value


@pytest.mark.parametrize(("verb", "to"), [("note", None), ("assign", "bob")])
@pytest.mark.parametrize(("said", "heard"), [(AT + 10 * YEAR, AT + 1_000), (AT + 9 * YEAR, AT + 9 * YEAR)])
def test_a_word_never_moves_the_clock(verb: desk.Verb, to: str | None, said: int, heard: int) -> None:
    """Dated ten years ahead, or said today of posts of an old year: who waits goes on waiting, and is not late."""
    house = House()
    house.hear("queue.reactive", post(), heard - 1)

    house.hear(DESK, word(verb, said, to), heard)

    assert ([(End.WAITING, 0, False)], []) == house.state()


@pytest.mark.parametrize(
    ("verb", "to", "end", "outcome"),
    [
        ("resolve", None, End.RESOLVED, Outcome.RESOLVED_ON_X),
        ("handoff", "email", End.HANDED_OFF, Outcome.MOVED_TO_EMAIL),
    ],
)
@pytest.mark.parametrize(("said", "heard"), [(AT + 10 * YEAR, AT + 1_000), (AT + 9 * YEAR, AT + 9 * YEAR)])
def test_an_old_conversation_ends_as_it_is_said(
    verb: desk.Verb, to: str | None, end: End, outcome: Outcome, said: int, heard: int
) -> None:
    """Resolved or handed off a second after the question, by the posts' clock; not expired."""
    house = House()
    house.hear("queue.reactive", post(), heard - 1_000)

    house.hear(DESK, word(verb, said, to), heard)

    assert ([(end, AT + 1_000, False)], [outcome]) == house.state()


def test_read_again_a_word_says_the_same() -> None:
    """Its time stands in desk.keyed: later, by another clock, in whatever order, it is the same fact."""
    house = House()
    house.hear("queue.reactive", post(), AT + 9 * YEAR)
    entry = house.keeper.hear(
        [Fetched(DESK, 0, 0, 0, None, word("resolve", AT + 9 * YEAR), [])], {0: house.books}, AT + 9 * YEAR + 5_000
    )
    keyed = entry.outputs[0].value
    again = House()

    again.hear(KEYED, keyed, AT + 20 * YEAR)
    again.hear("queue.reactive", post(), AT + 20 * YEAR)
    again.books.tick(AT + 20 * YEAR + 5_000)

    assert ([(End.RESOLVED, AT + 5_000, False)], [Outcome.RESOLVED_ON_X]) == again.state()


@pytest.mark.parametrize("gone", ["7", EVERYTHING])
@pytest.mark.parametrize("read", [True, False], ids=["read", "not read yet"])
def test_what_is_gone_is_not_moved(gone: str, read: bool) -> None:
    """A retracted post, or one of a forgotten customer: a dead letter, and neither its text nor a state is written."""
    house = House()
    if read:
        house.hear("queue.reactive", post(), AT)
    house.books.hear([Heard("5", ANY, ANY, Fact(AT + 5, Kind.GONE, gone, marks=Mark.GONE))], AT + 5)
    before = dict(house.books.states)
    record = Fetched(KEYED, 0, 1, AT, None, word("move", AT + 9, "proactive", "7"), [])
    move = Move(record, desk.read_word(record.value))

    entry = house.keeper.move(move, house.books.find("5", "heron", "7"), post(), house.books, AT + 9)

    assert [DEAD] == [out.topic for out in entry.outputs]
    assert {"not_found": 1} == entry.dead
    assert CONVERSATIONS not in [out.topic for out in entry.states]
    assert before == house.books.states
