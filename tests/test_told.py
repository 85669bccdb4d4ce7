"""What the records of `responses` come to: the report from the topic is that from the facts, whatever the order."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.facts import Fact, Kind, Mark, known
from pipeline.heard import Heard
from pipeline.posts_clock import PostsClock
from pipeline.report import Books, Report
from pipeline.responses import encode, response
from pipeline.told import Ledger
from pipeline.turns import Policy, view
from pipeline.waits import Changes, Waits

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_000 * DAY
POLICY = Policy(frozenset({0, 1}), {0: HOUR // 2, 1: 2 * HOUR})


def asked(at: int, post: str, queue: int = 0, marks: int = 0) -> Fact:
    """A customer's post."""
    return Fact(START + at, Kind.ASKED, post, queue, marks)


def answered(at: int, answer: str, marks: int = 0) -> Fact:
    """An answer."""
    return Fact(START + at, Kind.ANSWERED, answer, marks=marks, who="care")


def by_topic(batches: Iterable[Sequence[Fact]], clock: int) -> Report:
    """The report of what is told of the batches, and of the time until the clock."""
    batches, posts_clock = list(batches), PostsClock()
    newest = max(fact.at for batch in batches for fact in batch)
    posts_clock.notice(newest, newest)  # else a word that is the last of all would wait for a later post
    waits, ledger, books = Waits(lambda _: POLICY, posts_clock), Ledger(), Books()

    def take(changes: Changes) -> None:
        for key, told, version, _ in changes.told:
            ledger.take(encode(response(key, told, version, clock, POLICY)))

    for batch in batches:
        take(waits.hear([Heard("a", "heron", "c", fact) for fact in batch], newest))
    take(waits.tick(clock))
    ledger.fill(books)
    return books.report()


def by_facts(facts: Iterable[Fact], clock: int) -> Report:
    """The report as `triage report FILE` makes it: of conversations in which somebody asked."""
    facts, books = list(facts), Books()
    if any(fact.kind is Kind.ASKED for fact in facts):
        seen = view(known(facts), clock, POLICY)
        books.add("heron", seen.turns, seen.settled, POLICY)
    return books.report()


def test_the_outcome_that_counts_is_the_last_in_time() -> None:
    """Not the one told last: rows of a file in another order are the same report."""
    facts = [asked(0, "q1"), answered(HOUR, "a1"), asked(3 * DAY, "q2"), answered(3 * DAY + HOUR, "a2", Mark.TO_DM),
             asked(5 * DAY, "q3")]  # fmt: skip
    clock = START + 5 * DAY

    in_order, turned = (by_topic([[fact] for fact in order], clock) for order in (facts, [*facts[2:], *facts[:2]]))

    assert {"moved_to_dm": 1} == in_order.all.outcomes == turned.all.outcomes
    assert by_facts(facts, clock) == turned


def test_an_answer_to_nobody_has_no_outcome() -> None:
    """A brand writes to a customer who asked nothing that is known: nothing comes to rest."""
    assert {} == by_topic([[answered(0, "a1")]], START + 9 * DAY).all.outcomes


@st.composite
def stories(draw: st.DrawFn) -> list[Fact]:
    """Questions, answers and words, minutes to days apart."""
    found, at = [], 0
    for number in range(draw(st.integers(1, 8))):
        at += draw(st.sampled_from([HOUR // 60, HOUR // 6, HOUR, 20 * HOUR, 30 * HOUR, 3 * DAY, 6 * DAY, 9 * DAY]))
        kind = draw(st.sampled_from("qqaaw"))
        if kind == "q":
            found.append(asked(at, f"q{number}", draw(st.integers(0, 2)), draw(st.sampled_from([0, 0, Mark.THANKS]))))
        elif kind == "a":
            marks = draw(st.sampled_from([0, 0, Mark.TO_DM, Mark.TO_EMAIL, Mark.BOT]))
            found.append(answered(at, f"a{number}", marks))
        else:
            word = draw(st.sampled_from([Kind.RESOLVED, Kind.HANDED_OFF]))
            found.append(Fact(START + at, word, f"w{number}", marks=draw(st.sampled_from([0, Mark.TO_EMAIL]))))
    return found


@given(stories(), st.integers(0, 2**32), st.integers(1, 4), st.sampled_from([0, 2 * DAY, 40 * DAY]))
@settings(max_examples=400, deadline=None)
def test_the_report_from_the_topic_is_that_from_the_facts(facts: list[Fact], seed: int, size: int, after: int) -> None:
    """In any order and any batches, everything told twice."""
    clock = max(fact.at for fact in facts) + after
    events = [*facts, *facts]
    random.Random(seed).shuffle(events)

    found = by_topic([events[start : start + size] for start in range(0, len(events), size)], clock)

    assert by_facts(facts, clock) == found
