"""What was told and not kept: whoever takes over tells what is otherwise, and nothing twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_whose import facts_of

from pipeline.facts import Fact, Kind, Mark, known
from pipeline.heard import ANY, Heard
from pipeline.kept import FACTS_HEADER, TOLD, Key, decode, encode_facts, facts
from pipeline.responses import encode, response
from pipeline.retold import Retold, take_over
from pipeline.told import Ledger, read
from pipeline.turns import Policy, Turn, view
from pipeline.waits import Changes, Waits

POLICY = Policy(frozenset({0}), {0: 5_000}, silent_after=20_000, forget_after=10**9, forget_open_after=10**9)
WALL = 10_000_000


class Topics:
    """What the broker has: the states with their mark, what was told, and how far the input is committed."""

    def __init__(self, *, facts: bool = True) -> None:
        self.facts = facts
        self.states: dict[bytes, bytes | None] = {}
        self.told: list[Retold] = []
        self.committed = 0

    def worker(self) -> Waits:
        """The books of whoever takes the partition over."""
        books = Waits(lambda _: POLICY)
        for key, value in self.states.items():
            books.load(key, value, WALL)
        take_over(books, self.told[books.told_until or 0 :])
        books.loaded()
        return books

    def write(self, changes: Changes, *, keep: bool) -> None:
        """Outputs first; then, unless the worker dies in between, the states and their mark."""
        self.told += [
            Retold(
                encode(response(key, told, version, WALL, POLICY)),
                [(FACTS_HEADER, encode_facts(news))] if self.facts and news else [],
            )
            for key, told, version, news in changes.told
        ]
        if keep:
            self.states |= changes.states
            self.states[TOLD] = b"%d" % len(self.told)

    def values(self) -> list[bytes]:
        """What was told, without its headers."""
        return [one.value or b"" for one in self.told]

    def seen_by_ids(self) -> Ledger:
        """What a reader has who passes over ids that it has seen."""
        ledger, ids = Ledger(), set[str]()
        for value in self.values():
            if (event := read(value).event_id) not in ids:
                ids.add(event)
                ledger.take(value)
        return ledger


def asked(at: int, post: str, conversation: str = "c", queue: int = 0, revision: int = 0) -> Heard:
    """A customer's post."""
    return Heard("a", "heron", conversation, Fact(WALL + at, Kind.ASKED, post, queue, revision=revision))


def answered(at: int, answer: str, conversation: str = "c") -> Heard:
    """An answer."""
    return Heard("a", "heron", conversation, Fact(WALL + at, Kind.ANSWERED, answer, who="care"))


def gone(at: int, post: str) -> Heard:
    """A retraction."""
    return Heard("a", ANY, ANY, Fact(WALL + at, Kind.GONE, post, marks=Mark.GONE))


STORY = (
    asked(10, "q1"), asked(20, "q2"), asked(20, "q2", queue=1, revision=1), answered(30, "a1"), gone(60, "q2"),
    asked(5, "q0"), asked(70, "q3"), answered(6_000, "a2"), gone(9_000, "a1"), asked(15, "q4", "d"), gone(80, "q4"),
    Heard("a", "heron", "c", Fact(WALL + 7_000, Kind.RESOLVED, "w", who="ann")),
)  # fmt: skip
BRANDS = ("acme", "beta", "other")
UNNAMED = tuple(
    Heard("a", brand, "e", fact)
    for brand, fact in [
        ("other", Fact(WALL + 10, Kind.ASKED, "e1", 0)), ("other", Fact(WALL + 90, Kind.ASKED, "e2", 0)),
        ("beta", Fact(WALL + 95, Kind.ASKED, "e2", 0, revision=1)),
        ("acme", Fact(WALL + 60, Kind.ANSWERED, "b1", who="Acme")),
        ("beta", Fact(WALL + 50, Kind.ANSWERED, "b2", who="Beta")),
    ]
)  # fmt: skip
"""A post that names nobody, which two brands answer, and one to which an edit adds a name."""


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=400, deadline=None)
def test_killed_between_outputs_and_states(seed: int, with_facts: bool) -> None:
    """However often, and though what is read again comes in another order: what a reader knows is the model's word.

    Records of earlier versions come without facts.
    """
    topics, story, chance = Topics(facts=with_facts), [*STORY, *UNNAMED], random.Random(seed)
    chance.shuffle(story)
    while topics.committed < len(story):
        books, place = topics.worker(), topics.committed
        rest = story[place:]  # the order inside of each topic holds, that between them does not
        chance.shuffle(rest)
        story[place:] = rest
        keep = True
        while keep and place < len(story):
            size = chance.randint(1, 4)
            keep = chance.random() < 0.6
            topics.write(books.hear(story[place : place + size], WALL + 10_000), keep=keep)
            place += size
            if keep:
                topics.committed = place

    assert _counted(_model(story)) == _counted(turn for _, turn, _ in topics.seen_by_ids().turns())


@given(st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_an_answer_is_told_once(seed: int) -> None:
    """Questions and answers come from two topics, read in another mixture after each kill: no clock stops twice."""
    topics, chance = Topics(), random.Random(seed)
    questions = [asked(number, f"q{number}", f"c{number}") for number in range(12)]
    answers = [answered(1_000 + number, f"a{number}", f"c{number}") for number in range(12)]
    committed = (0, 0)
    while committed != (12, 12):
        books, at, keep = topics.worker(), committed, True
        while keep and at != (12, 12):
            to = (min(12, at[0] + chance.randint(0, 5)), min(12, at[1] + chance.randint(0, 5)))
            keep = chance.random() < 0.5
            heard = [*questions[at[0] : to[0]], *answers[at[1] : to[1]]]
            topics.write(books.hear(heard, WALL + 10_000), keep=keep)
            at = to
            committed = at if keep else committed

    told = {one.event_id: one.event_type for one in map(read, topics.values())}
    assert Counter(opened=12, answered=12) == Counter(told.values())


def _model(story: Sequence[Heard]) -> list[Turn]:
    turns = []
    for conversation in "cd":
        facts = [one.fact for one in story if one.conversation in (conversation, ANY)]
        turns += view(known(facts), WALL, POLICY).turns
    for brand in BRANDS:
        facts = facts_of(brand, [one for one in story if one.conversation in ("e", ANY)])
        turns += view(known(facts), WALL, POLICY).turns
    return turns


def _counted(turns: object) -> list[tuple[object, ...]]:
    rows = [(one.post, one.queue, one.opened, one.end, one.ended, one.answer) for one in turns if one.counts]  # type: ignore[attr-defined]
    return sorted(rows)


def test_what_was_told_is_not_told_again() -> None:
    """The same records in the same batch: nothing is to be told."""
    topics = Topics()
    first = topics.worker().hear([asked(1, "q"), answered(2, "a1")], WALL + 10)
    topics.write(first, keep=False)

    again = topics.worker().hear([asked(1, "q"), answered(2, "a1")], WALL + 10)

    assert len(first.told) == 2
    assert [] == again.told


def test_what_was_told_waits_for_its_facts() -> None:
    """Told by an earlier version, without facts: a tick before they are read again neither forgets nor tells it."""
    topics = Topics(facts=False)
    topics.write(topics.worker().hear([asked(1, "q")], WALL + 10), keep=False)

    books = topics.worker()
    heard = books.hear([asked(3, "q9", "other")], WALL + 10)
    ticked = books.tick(WALL + 4_000)

    assert [] == [one.key for one in ticked.told if one.key.conversation == "c"]
    assert {("heron", 0): 2} == books.waiting
    name = Key("a", "heron", "c").encoded()
    assert "q" == decode(heard.states[name] or b"").turns[0].post


@pytest.mark.parametrize("header", [b"", b"\xff", b"[[1]]", None])
def test_broken_facts_are_none(header: bytes | None) -> None:
    """What is told counts without them: a header that cannot be read stops no worker."""
    assert [] == facts([("facts", header), ("ce_id", b"1")])


def test_a_mark_is_no_conversation() -> None:
    """It says from where on what is told may not be kept."""
    topics = Topics()
    topics.write(topics.worker().hear([asked(1, "q")], WALL + 10), keep=True)

    books = topics.worker()

    assert 1 == books.told_until
    assert [Key("a", "heron", "c").encoded()] == list(books.states)
