"""The record of `responses`: what it states, and that reports made from it equal those made from the facts."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from pipeline.changes import Change, advance
from pipeline.facts import Fact, Kind, Mark, known
from pipeline.kept import Key
from pipeline.report import Books
from pipeline.response_metrics import ResponseMetrics
from pipeline.responses import Response, encode, read_settled, read_turn, response
from pipeline.settings import Brand, Settings
from pipeline.turns import Conversation, Policy, Settled, Turn, view

MINUTE = 60_000
POLICY = Policy(frozenset({0, 1, 3}), {0: 30 * MINUTE, 1: 120 * MINUTE, 3: 30 * MINUTE})
KEY = Key("5", "heron", "1")
ASKED = Fact(MINUTE, Kind.ASKED, "q", 0)


def told(conversation: Conversation, facts: list[Fact], clock: int) -> tuple[Conversation, list[Response]]:
    """The conversation after the facts, and the records of what there is to tell."""
    after = advance(conversation, facts, clock, POLICY)
    return after.conversation, [response(KEY, one, after.conversation.version + 1, clock, POLICY) for one in after.told]


def test_opened_and_answered() -> None:
    """Each record states the whole turn, times in RFC 3339, durations in seconds; and says when (itflow #514)."""
    conversation, [opened] = told(Conversation(), [ASKED], MINUTE)
    answer = Fact(3 * MINUTE, Kind.ANSWERED, "a", who="HeronAir")

    _, [answered] = told(conversation, [answer], 3 * MINUTE)

    assert opened.turn is not None
    assert answered.turn is not None
    assert ("opened", "1970-01-01T00:01:00.000Z", "waiting", None) == (
        opened.event_type, opened.at, opened.turn.state, opened.turn.wait_s)  # fmt: skip
    assert ("1970-01-01T00:03:00.000Z", True) == (answered.turn.ended_at, answered.turn.first)
    assert opened.turn.deadline_at == "1970-01-01T00:31:00.000Z"
    assert ("answered", "answered", 120.0, 120.0, "HeronAir", "public", False) == (
        answered.event_type, answered.turn.state, answered.turn.wait_s, answered.turn.business_s,
        answered.turn.answered_by, answered.turn.answered_in, answered.turn.breached)  # fmt: skip


def test_a_breach_says_by_how_much() -> None:
    """So far, while it waits."""
    conversation, _ = told(Conversation(), [ASKED], MINUTE)

    _, [breached] = told(conversation, [], 36 * MINUTE)

    assert breached.turn is not None
    assert ("breached", 300.0) == (breached.event_type, breached.turn.over_s)


def test_outcomes_and_words() -> None:
    """Moved, settled with the number of replies, and who of the helpdesk said what."""
    invite = Fact(2 * MINUTE, Kind.ANSWERED, "a", marks=int(Mark.TO_DM), who="HeronAir")
    conversation, first = told(Conversation(), [ASKED, invite], 2 * MINUTE)

    _, second = told(conversation, [Fact(3 * MINUTE, Kind.RESOLVED, "w", who="ann"),
                                    Fact(3 * MINUTE, Kind.NOTED, "n", who="bob")], 3 * MINUTE)  # fmt: skip

    assert "dm" in [one.moved_to for one in first]
    assert ("resolved_on_x", 1) in [(one.outcome, one.replies) for one in second]
    assert ("noted", "bob") in [(one.event_type, one.by) for one in second]


def test_ids_are_the_same_each_time_and_differ_from_each_other() -> None:
    """What is told again after a restart has the same id; a correction has another."""
    facts = [ASKED, Fact(2 * MINUTE, Kind.ANSWERED, "a"), Fact(9 * MINUTE, Kind.ASKED, "q2", 3)]
    conversation, first = told(Conversation(), facts, 9 * MINUTE)
    _, again = told(Conversation(), facts, 9 * MINUTE)
    _, corrected = told(conversation, [Fact(MINUTE + 1, Kind.ANSWERED, "b")], 9 * MINUTE)

    ids = [one.event_id for one in (*first, *corrected)]
    assert [one.event_id for one in first] == [one.event_id for one in again]
    assert len(ids) == len(set(ids))
    assert [one.event_type for one in corrected] == ["corrected"]


def test_what_a_record_lacks_is_said() -> None:
    """A note has neither turn nor outcome."""
    _, [*_, note] = told(Conversation(), [Fact(1, Kind.ASKED, "q", 0), Fact(1, Kind.NOTED, "n")], 1)

    with pytest.raises(ValueError, match="without a turn"):
        read_turn(note)
    with pytest.raises(ValueError, match="without an outcome"):
        read_settled(note)


def test_averages_are_of_answers_alone() -> None:
    """Bots, colleagues who were assigned and said nothing, and who still waits move no average (CW #13312)."""
    bot = Fact(2 * MINUTE, Kind.ANSWERED, "b", marks=Mark.BOT, who="HeronBot")
    assigned = Fact(3 * MINUTE, Kind.ASSIGNED, "w", who="kim")
    answer = Fact(9 * MINUTE, Kind.ANSWERED, "a", who="HeronAir")
    books = Books()

    for facts in ([ASKED, bot, assigned, answer], [ASKED, bot], [ASKED, assigned]):
        seen = view(facts, 9 * MINUTE, POLICY)
        books.add("heron", seen.turns, seen.settled, POLICY)

    found = books.report().all
    assert (1, 480.0, 480.0) == (found.first_response.n, found.first_response.mean_s, found.first_response.median_s)
    assert (3, 1, 2) == (found.turns, found.answered, found.waiting)


def test_the_share_within_the_target_and_the_average_of_a_week() -> None:
    """By queue, of the turns that opened in the week: its first instant is in it, its end is not (CW #9747, ZM #63)."""
    week = 7 * 24 * 60 * MINUTE
    books = Books(since=week, until=2 * week)

    for opened, waited in ((week - 1, 1), (week, 10), (week + 1, 40), (2 * week - 1, 10), (2 * week, 1)):
        facts = [Fact(opened, Kind.ASKED, "q", 0), Fact(opened + waited * MINUTE, Kind.ANSWERED, "a")]
        books.add("heron", view(facts, 3 * week, POLICY).turns, [], POLICY)

    found = books.report().queues["reactive"]
    assert (3, 1) == (found.turns, found.breached)
    assert 1200.0 == found.first_response.mean_s


def test_prometheus_sees_how_long_it_took() -> None:
    """The sum and the number of first responses, so their mean, at /metrics (CW #15618, grafana/oncall #3756)."""
    registry = CollectorRegistry()
    metrics = ResponseMetrics(registry, Settings(brands=(Brand(name="heron"),)), [("heron", "reactive")])
    conversation, first = told(Conversation(), [ASKED], MINUTE)
    _, second = told(conversation, [Fact(3 * MINUTE, Kind.ANSWERED, "a", who="HeronAir")], 3 * MINUTE)

    metrics.count((record, False) for record in (*first, *second))

    place = {"brand": "heron", "queue": "reactive"}
    assert (120.0, 1.0) == tuple(
        registry.get_sample_value(f"triage_first_response_seconds_{name}", place) for name in ("sum", "count")
    )


@given(
    st.lists(
        st.builds(
            lambda at, kind, number, queue: Fact(
                at * MINUTE, kind, f"{kind.name}{number}", queue if kind is Kind.ASKED else -1
            ),
            st.integers(1, 5_000),
            st.sampled_from([Kind.ASKED, Kind.ASKED, Kind.ANSWERED, Kind.MESSAGED, Kind.RESOLVED]),
            st.integers(0, 4),
            st.integers(0, 3),
        ),
        max_size=12,
    )
)
def test_a_report_from_the_records_equals_one_from_the_facts(facts: list[Fact]) -> None:
    """Told one by one in any order, the last record of each turn and outcome counts."""
    conversation, clock = Conversation(), 0
    turns: dict[str, Turn] = {}
    outcomes: list[Settled] = []
    for fact in facts:
        clock = max(clock, fact.at)
        conversation, records = told(conversation, [fact], clock)
        for record in (msgspec.json.decode(encode(one), type=Response) for one in records):
            _write_down(record, turns, outcomes)
    from_records, from_facts = Books(), Books()

    from_records.add("heron", turns.values(), sorted(outcomes, key=lambda one: one.at), POLICY)
    seen = view(known(facts), clock, POLICY)
    from_facts.add("heron", seen.turns, sorted(seen.settled, key=lambda one: one.at), POLICY)

    assert from_facts.report() == from_records.report()


def _write_down(record: Response, turns: dict[str, Turn], outcomes: list[Settled]) -> None:
    if record.turn is not None:
        turns[record.turn.post_id] = read_turn(record)
        if record.event_type in (Change.RETRACTED.name.lower(), Change.SUPERSEDED.name.lower()):
            del turns[record.turn.post_id]
    if record.event_type == Change.SETTLED.name.lower():
        outcomes.append(read_settled(record))
    elif record.event_type == Change.UNSETTLED.name.lower():
        outcomes.remove(read_settled(record))
