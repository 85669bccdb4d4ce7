"""Under which brand a post counts: in whatever order and batches it is told, the same."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_whose import facts_of

from pipeline.changes import Change
from pipeline.facts import Fact, Kind, Mark, known
from pipeline.heard import ANY, Heard
from pipeline.kept import Key, decode
from pipeline.posts_clock import PostsClock
from pipeline.report import Books, Report
from pipeline.responses import encode, response
from pipeline.told import Ledger
from pipeline.turns import Policy, Turn, view
from pipeline.waits import Changes, Waits

POLICY = Policy(frozenset({0}), {0: 5_000}, silent_after=20_000, forget_after=10**9, forget_open_after=10**9)
WALL = 10_000_000
BRANDS = ("acme", "beta", "other")
Row = tuple[object, ...]


def post(brand: str, at: int, post: str = "q", revision: int = 0, marks: int = 0, queue: int = 0) -> Heard:
    """A customer's post, as it was routed to a brand."""
    return Heard("a", brand, "c", Fact(WALL + at, Kind.ASKED, post, queue, marks, revision))


def answer(brand: str, at: int, answer: str) -> Heard:
    """A brand's answer."""
    return Heard("a", brand, "c", Fact(WALL + at, Kind.ANSWERED, answer, who=brand))


def gone(at: int, post: str) -> Heard:
    """A retraction."""
    return Heard("a", ANY, ANY, Fact(WALL + at, Kind.GONE, post, marks=Mark.GONE))


class Told:
    """The books after some batches, and what a reader of `responses` knows."""

    def __init__(self, batches: Iterable[Sequence[Heard]]) -> None:
        clock = PostsClock()
        clock.notice(WALL + 1_000, WALL + 1_000)  # else a word that is the last of all would wait for a later post
        self.books, self.ledger = Waits(lambda _: POLICY, clock), Ledger()
        self.changes: list[tuple[str, Change]] = []
        for batch in batches:
            self.write(self.books.hear(batch, WALL + 1_000))

    def write(self, changes: Changes) -> None:
        """As the worker writes it."""
        for key, told, version, _ in changes.told:
            self.changes.append((key.brand, told.change))
            self.ledger.take(encode(response(key, told, version, WALL, POLICY)))

    def report(self) -> Report:
        """Of all that was told."""
        books = Books()
        self.ledger.fill(books)
        return books.report()

    def rows(self) -> list[Row]:
        """The turns that count."""
        return sorted(_row(whose.brand, turn) for whose, turn, _ in self.ledger.turns() if turn.counts)

    def waiting(self) -> dict[str, int]:
        """How many wait, by brand, as the gauges say."""
        return {brand: count for (brand, _), count in self.books.waiting.items() if count}


def _row(brand: str, turn: Turn) -> Row:
    return brand, turn.post, turn.opened, turn.queue, turn.first, turn.end, turn.ended, turn.answer


def batches(events: Sequence[Heard], size: int) -> list[Sequence[Heard]]:
    """The events in batches of a size."""
    return [events[start : start + size] for start in range(0, len(events), size)]


@given(st.permutations([post("other", 0), answer("acme", 60, "a1"), answer("beta", 120, "b1")]), st.integers(1, 3))
def test_the_earliest_answer_takes_over(events: list[Heard], size: int) -> None:
    """Two brands answer a post that names none: it is that of the first in time, and counts once."""
    found = Told(batches(events, size))

    assert [("acme", "a1")] == [(row[0], row[-1]) for row in found.rows()]
    assert {} == found.waiting()
    assert {"acme": 1} == {brand: waits.answered for brand, waits in found.report().brands.items() if waits.turns}


def test_what_an_earlier_answer_changes_is_told() -> None:
    """Beta was told first: its turn is superseded, and Acme's is told."""
    found = Told([[post("other", 0)], [answer("beta", 120, "b1")], [answer("acme", 60, "a1")]])

    assert ("beta", Change.SUPERSEDED) in found.changes
    assert ("acme", Change.ANSWERED) in found.changes


def test_a_deleted_answer_keeps_what_it_took_over() -> None:
    """The customer waits for the brand that had answered, in either order of telling."""
    events = [post("other", 0), answer("acme", 60, "a1"), answer("beta", 120, "b1"), gone(200, "a1")]

    for order in (events, events[::-1]):
        assert {"acme": 1} == Told([[event] for event in order]).waiting()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [("other", "acme", "acme"), ("acme", "other", "other"), ("acme", "beta", "beta")],
    ids=["names a brand now", "names none any more", "names another"],
)
@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("turned", [False, True])
def test_an_edit_names_other_brands(before: str, after: str, expected: str, size: int, *, turned: bool) -> None:
    """The customer waits once, under the brand that the newest version names, from when the post was first written."""
    events = [post(before, 0), post(after, 50, revision=1)]

    found = Told(batches(events[::-1] if turned else events, size))

    assert {expected: 1} == found.waiting()
    assert [(expected, "q", WALL)] == [row[:3] for row in found.rows()]


def test_an_edit_for_two_brands_leaves_both() -> None:
    """It comes as a record for each, perhaps in two batches: what was taken back in between is told again."""
    events = [post("acme", 0), post("beta", 0), post("beta", 50, revision=1), post("acme", 50, revision=1)]

    found = Told([[event] for event in events])

    assert {"acme": 1, "beta": 1} == found.waiting()
    assert ["acme", "beta"] == [row[0] for row in found.rows()]


def test_a_move_for_one_brand_leaves_the_other() -> None:
    """A person's revision is no edit: the post still names the other brand."""
    moved = post("acme", 0, revision=5, marks=Mark.PERSON, queue=1)

    found = Told([[post("acme", 0), post("beta", 0)], [moved]])

    assert {"beta": 1} == found.waiting()
    state = decode(found.books.states[Key("a", "acme", "c").encoded()])
    assert [1] == [turn.queue for turn in state.turns]


@st.composite
def stories(draw: st.DrawFn) -> list[Heard]:
    """Posts with edits that name others, answers of two brands, and retractions."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, 100))
        for revision in range(draw(st.integers(1, 3))):
            named = draw(st.sampled_from([("other",), ("other",), ("acme",), ("beta",), ("acme", "beta")]))
            found += [post(brand, at + revision, f"q{number}", revision) for brand in named]
        if draw(st.integers(0, 5)) == 0:
            found.append(gone(draw(st.integers(0, 200)), f"q{number}"))
    for number in range(draw(st.integers(0, 3))):
        found.append(answer(draw(st.sampled_from(BRANDS[:2])), draw(st.integers(0, 200)), f"a{number}"))
    return found


def test_a_persons_choice_stays_when_an_edit_names_the_brand_since() -> None:
    """It named nobody, a person moved it; the edit that names the brand comes before or after the answer."""
    story = [
        post("other", 0, "q"),
        post("other", 0, "q", 1, Mark.PERSON, 1),
        post("acme", 2, "q", 2),
        answer("acme", 9, "a"),
    ]

    in_turn, at_once = Told([[story[0]], [story[1]], [story[3]], [story[2]]]), Told([story])

    assert [("acme", "q", 1)] == [(row[0], row[1], row[3]) for row in at_once.rows()]
    assert at_once.rows() == in_turn.rows()


@given(stories(), st.integers(0, 2**32), st.integers(1, 5))
@settings(max_examples=400, deadline=None)
def test_order_and_batches_change_nothing(story: list[Heard], seed: int, size: int) -> None:
    """Shuffled and doubled, in any batches: the turns are those that a slow model finds, and as many wait."""
    events = [*story, *story]
    random.Random(seed).shuffle(events)

    found = Told(batches(events, size))

    expected = sorted(_row(brand, turn) for brand in BRANDS for turn in _slow(brand, story) if turn.counts)
    assert expected == found.rows()
    waiting = [row[0] for row in expected if row[5] == 0]
    assert {brand: waiting.count(brand) for brand in waiting} == found.waiting()


def _slow(brand: str, story: Sequence[Heard]) -> list[Turn]:
    return view(known(facts_of(brand, story)), WALL + 1_000, POLICY).turns


@st.composite
def moved_and_said(draw: st.DrawFn) -> list[Heard]:
    """Beside posts and answers, what persons do: they move posts, and say words; and private messages."""
    found = draw(stories())
    for _ in range(draw(st.integers(0, 2))):
        post_id, brand, at = f"q{draw(st.integers(0, 2))}", draw(st.sampled_from(BRANDS)), draw(st.integers(0, 100))
        found.append(post(brand, at, post_id, draw(st.integers(1, 6)), Mark.PERSON, draw(st.integers(0, 1))))
    for number in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from([Kind.RESOLVED, Kind.HANDED_OFF, Kind.MESSAGED, Kind.WROTE]))
        fact = Fact(WALL + draw(st.integers(0, 200)), kind, f"w{number}", who="ann")
        private = kind in (Kind.MESSAGED, Kind.WROTE)
        brand = draw(st.sampled_from(BRANDS[:2] if private else BRANDS))
        found.append(Heard("a", brand, ANY if private else "c", fact))
    return found


@given(moved_and_said(), st.integers(0, 2**32), st.integers(1, 5))
@settings(max_examples=400, deadline=None)
def test_what_persons_do_depends_on_no_order_either(story: list[Heard], seed: int, size: int) -> None:
    """Moves, words and messages too: as if all had been told in one batch."""
    events = [*story, *story]
    random.Random(seed).shuffle(events)

    found, at_once = Told(batches(events, size)), Told([story])

    assert at_once.rows() == found.rows()
    assert at_once.waiting() == found.waiting()
    assert at_once.report() == found.report()
