"""Turns: whatever the order, delay and repetition of what is told, the waits come out as a slow model says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from slow_turns import slow

from pipeline import changes
from pipeline.calendars import WEEKDAYS, Calendar, read_week
from pipeline.changes import KEPT, Change, Told, advance
from pipeline.facts import WORDS, Fact, Kind, Mark, known, merged, order
from pipeline.turns import NEVER, Channel, Conversation, End, Outcome, Policy, Turn, view

REACTIVE, PROACTIVE, ENGAGEMENT, REVIEW = range(4)
SMALL = Policy(
    frozenset({REACTIVE, PROACTIVE, REVIEW}),
    {REACTIVE: 5, PROACTIVE: 12, REVIEW: 5},
    silent_after=20,
    forget_after=45,
    forget_open_after=80,
    together=3,
)
"""All rules within a hundred instants."""


def asked(at: int, post: str = "q", queue: int = REACTIVE, **more: object) -> Fact:
    """A customer's post."""
    return Fact(at, Kind.ASKED, post, queue, **more)  # type: ignore[arg-type]


def answered(at: int, answer: str = "a", marks: int = 0, parent: str = "", who: str = "care") -> Fact:
    """A brand's answer to the customer."""
    return Fact(at, Kind.ANSWERED, answer, marks=marks, who=who, parent=parent)


def said(at: int, kind: Kind, marks: int = 0) -> Fact:
    """A helpdesk's word."""
    return Fact(at, kind, "w", marks=marks, who="ann")


def waits(*facts: Fact, clock: int | None = None, policy: Policy = SMALL) -> list[tuple[str, End, int | None]]:
    """(opening post, how it ended, wait) of each turn."""
    at = max(fact.at for fact in facts) if clock is None else clock
    turns = view(known(facts), at, policy).turns
    return [(turn.post, turn.end, None if turn.end is End.WAITING else turn.ended - turn.opened) for turn in turns]


def outcomes(*facts: Fact, clock: int, policy: Policy = SMALL) -> list[Outcome]:
    """The outcomes in their order."""
    return [one.outcome for one in view(known(facts), clock, policy).settled]


@st.composite
def stories(draw: st.DrawFn) -> list[Fact]:
    """Facts of one conversation, edits, moves and retractions among them, within two hundred instants."""
    times = st.integers(1, 120)
    elsewhere = Fact(draw(times), Kind.GONE, "a post of another conversation", marks=Mark.GONE)
    found: list[Fact] = draw(st.sampled_from([[], [elsewhere]]))
    for number in range(draw(st.integers(0, 7))):
        post, at, queue = f"q{number}", draw(times), draw(st.integers(0, 3))
        found.append(asked(at, post, queue, marks=draw(st.sampled_from([0, 0, 0, Mark.THANKS]))))
        change = draw(st.integers(0, 9))
        if change == 0:
            found.append(asked(at + 3, post, draw(st.integers(0, 3)), revision=1))
        elif change == 1:
            marks = Mark.PERSON | found[-1].marks
            found.append(asked(at, post, draw(st.integers(0, 3)), revision=1, marks=marks))
        elif change == 2:
            found.append(Fact(at + 2, Kind.GONE, post, marks=Mark.GONE))
    for number in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from([Kind.ANSWERED] * 3 + [Kind.MESSAGED]))
        marks = draw(st.sampled_from([0, 0, 0, Mark.TO_DM, Mark.TO_EMAIL, Mark.BOT]))
        parent = draw(st.sampled_from(["", "", "q0", "q1"]))
        found.append(Fact(draw(times), kind, f"a{number}", marks=marks, who="care", parent=parent))
    together = draw(st.booleans())
    if found and together:
        word, at = draw(st.sampled_from([Kind.RESOLVED, Kind.HANDED_OFF])), draw(st.sampled_from(found)).at + 2
        found += [Fact(at, word, "w", who="ann"), Fact(at + draw(st.integers(0, 5)), Kind.ANSWERED, "a", who="care")]
    for number in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from([Kind.WROTE, Kind.RESOLVED, Kind.HANDED_OFF, Kind.ASSIGNED, Kind.NOTED]))
        marks = draw(st.sampled_from([0, Mark.ELSEWHERE, Mark.TO_DM, Mark.TO_EMAIL]))
        found.append(Fact(draw(times), kind, f"w{number}", marks=marks, who="ann"))
    return found


class AnyOrder(RuleBasedStateMachine):
    """Facts are told in any order, late and twice; ticks come in between."""

    @initialize(story=stories())
    def begin(self, story: list[Fact]) -> None:
        """Nothing is told yet."""
        self.untold = story
        self.heard: list[Fact] = []
        self.conversation = Conversation()
        self.clock = 0
        self.report: dict[str, Turn] = {}
        self.outcomes: list[tuple[str, int]] = []

    @rule(place=st.integers(0, 100), count=st.integers(1, 4))
    def tell(self, place: int, count: int) -> None:
        """Some facts arrive together."""
        batch = [self.untold.pop(place % len(self.untold)) for _ in range(min(count, len(self.untold)))]
        self.hear(batch)

    @rule(place=st.integers(0, 100))
    def tell_again(self, place: int) -> None:
        """A fact arrives once more."""
        self.hear(self.heard[place % len(self.heard)] for _ in range(min(1, len(self.heard))))

    @rule(by=st.integers(1, 60))
    def tick(self, by: int) -> None:
        """Time passes."""
        self.clock += by
        self.hear([])

    def hear(self, facts: object, *, again: bool = True) -> None:
        """Tell, and keep the books that a reader of `responses` would keep."""
        batch = list(facts)  # type: ignore[call-overload]
        self.clock = max([self.clock, *(fact.at for fact in batch if fact.kind not in (*WORDS, Kind.GONE))])
        after = advance(self.conversation, batch, self.clock, SMALL)
        self.heard += batch
        self.conversation = after.conversation
        for told in after.told:
            self.write_down(told)
        if again:
            once_more = advance(self.conversation, batch, self.clock, SMALL)
            assert once_more.told == []
            assert once_more.conversation == self.conversation
        assert after.wake > self.clock or after.over

    def write_down(self, told: Told) -> None:
        """The last word on a turn counts."""
        if told.turn is not None:
            self.report.pop(told.turn.post, None)
            if told.change not in (Change.RETRACTED, Change.SUPERSEDED) and told.turn.counts:
                self.report[told.turn.post] = told.turn
        elif told.settled is not None and told.change is Change.SETTLED:
            self.outcomes.append((told.settled.outcome.name, told.settled.at))
        elif told.settled is not None:
            self.outcomes.remove((told.settled.outcome.name, told.settled.at))

    @invariant()
    def as_the_slow_model_says(self) -> None:
        """State and told both are what the slow model makes of the same facts."""
        turns, settled = slow(self.heard, self.clock, SMALL)

        assert turns == [_plain(turn) for turn in self.conversation.turns]
        assert settled == [(one.outcome.name, one.at) for one in self.conversation.settled]
        assert sorted(settled) == sorted(self.outcomes)
        counted = [turn for turn in turns if turn["wanted"] or turn["end"] == "ANSWERED"]
        assert sorted(counted, key=_post) == sorted(map(_plain, self.report.values()), key=_post)


@given(stories(), st.integers(1, 3))
def test_summing_up_changes_nothing_that_is_told_in_time(story: list[Fact], size: int) -> None:
    """With very few facts kept one by one, what is told in its order comes to the same turns and outcomes."""
    plain = [fact for fact in story if not fact.revision and not fact.parent and not fact.marks & Mark.GONE]
    facts = sorted({fact.at: fact for fact in plain}.values(), key=order)
    reader = AnyOrder()
    reader.begin([])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "KEPT", 6)
        for start in range(0, len(facts), size):
            reader.hear(facts[start : start + size], again=False)
            assert sum(fact.at <= reader.clock for fact in reader.conversation.facts) <= 6 + size  # others wait

    turns, settled = slow(facts, reader.clock, SMALL)
    counted = [turn for turn in turns if turn["wanted"] or turn["end"] == "ANSWERED"]
    assert sorted(counted, key=_post) == sorted(map(_plain, reader.report.values()), key=_post)
    assert sorted(settled) == sorted(reader.outcomes)


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=15, deadline=None)
TestAnyOrder = AnyOrder.TestCase


def _post(turn: dict[str, object]) -> str:
    return str(turn["post"])


def _plain(turn: Turn) -> dict[str, object]:
    return {
        "post": turn.post, "opened": turn.opened, "queue": turn.queue, "wanted": turn.wanted, "first": turn.first,
        "end": turn.end.name, "ended": turn.ended, "answer": turn.answer, "breached": turn.breached,
    }  # fmt: skip


@given(st.permutations([asked(5), asked(7, revision=1, queue=1), asked(6, revision=1, queue=2, marks=Mark.PERSON),
                        Fact(9, Kind.GONE, "q", marks=Mark.GONE)]))  # fmt: skip
def test_versions_of_a_post_end_in_the_same_fact(versions: list[Fact]) -> None:
    """Edited, moved by a person, retracted: the person's queue stands, the first time counts, gone is gone."""
    found = versions[0]
    for version in versions[1:]:
        found = merged(found, version)

    assert Fact(5, Kind.ASKED, "q", 2, Mark.PERSON | Mark.GONE, 1, latest=1, named=1) == found


def test_a_long_conversation_is_summed_up_and_counts_go_on() -> None:
    """200 questions and answers in order: no more than KEPT facts are kept, and every wait was told once."""
    conversation, told = Conversation(), list[Told]()
    for number in range(200):
        for fact in (asked(number * 10 + 1, f"q{number}"), answered(number * 10 + 4, f"a{number}")):
            after = advance(conversation, [fact], fact.at, SMALL)
            conversation, told = after.conversation, told + after.told
            assert len(conversation.facts) <= KEPT

    again = advance(conversation, [asked(1, "q0"), answered(4, "a0")], 2000, SMALL)

    waits = [one.turn.ended - one.turn.opened for one in told if one.turn and one.change is Change.ANSWERED]
    assert waits == [3] * 200
    assert [True] + [False] * 199 == [one.turn.first for one in told if one.turn and one.change is Change.ANSWERED]
    assert {Change.OPENED, Change.ANSWERED} == {one.change for one in told}
    assert again.told == []


def test_a_long_wait_does_not_expire_while_the_customer_writes() -> None:
    """Though of its posts those between the first and the newest are counted only, and lie far apart."""
    conversation, told = Conversation(), list[Change]()
    for number in range(420):
        after = advance(conversation, [asked(1 + number, f"q{number:03}")], 1 + number, SMALL)
        conversation, told = after.conversation, told + [one.change for one in after.told]

    assert [("q000", 420, End.WAITING)] == [(turn.post, turn.posts, turn.end) for turn in conversation.turns]
    assert {Change.OPENED, Change.FOLLOWED_UP, Change.NEAR_BREACH, Change.BREACHED} == set(told)


def test_what_came_before_a_long_wait_is_not_forgotten() -> None:
    """Kind words between an answer and the wait keep the conversation from its rest, though they are summed up."""
    facts = [asked(1), answered(2), asked(12, "e1", ENGAGEMENT), asked(24, "e2", ENGAGEMENT)]
    facts += [asked(40 + number, f"q{number:03}") for number in range(KEPT)]
    conversation, told = Conversation(), list[Change]()
    for fact in facts:
        after = advance(conversation, [fact], fact.at, SMALL)
        conversation, told = after.conversation, told + [one.change for one in after.told]

    assert len(conversation.facts) < KEPT
    assert Change.SETTLED not in told
    assert [("q000", KEPT + 2)] == [(turn.post, turn.posts) for turn in conversation.turns if turn.waiting]


def test_a_long_wait_that_is_taken_back_leaves_what_came_before() -> None:
    """All posts that waited are gone; the kind word before them is open still, and hundreds more may follow."""
    facts = [asked(1, "e", ENGAGEMENT), *(asked(2 + number, f"q{number:03}") for number in range(KEPT))]
    conversation, patient = Conversation(), SMALL._replace(forget_after=5000, forget_open_after=5000)
    for fact in facts:
        conversation = advance(conversation, [fact], fact.at, patient).conversation
    gone = [Fact(300, Kind.GONE, f"q{number:03}", marks=Mark.GONE) for number in range(KEPT)]
    for fact in [*gone, *(asked(301 + number, f"e{number:03}", ENGAGEMENT) for number in range(2 * KEPT))]:
        conversation = advance(conversation, [fact], fact.at, patient).conversation

    assert ["e"] == [turn.post for turn in conversation.turns]
    assert len(conversation.facts) <= KEPT


def test_a_second_post_does_not_restart_the_clock() -> None:
    """The wait counts from the first unanswered post (ZoomSphere's count from the last flatters)."""
    assert waits(asked(10), asked(12, "q2"), answered(14)) == [("q", End.ANSWERED, 4)]


def test_a_goodbye_opens_no_turn() -> None:
    """Thanks after an answer wait for nothing (CW #10178, the eternal goodbye); before one they do."""
    thanks = asked(8, "t", marks=Mark.THANKS)

    assert waits(asked(1), answered(3), thanks) == [("q", End.ANSWERED, 2)]
    assert waits(thanks) == [("t", End.WAITING, None)]


def test_a_bot_stops_no_clock() -> None:
    """What a machine answers is no answer (CW #13181, 14.7 days; #7679)."""
    assert waits(asked(1), answered(2, "b", Mark.BOT), answered(6)) == [("q", End.ANSWERED, 5)]


def test_a_hand_over_to_a_colleague_leaves_the_clock_running() -> None:
    """Assigning ends nothing, and the answer after it is measured (CW #13417, handoff left the clock nil)."""
    assert waits(asked(1), said(2, Kind.ASSIGNED), answered(4)) == [("q", End.ANSWERED, 3)]


def test_a_conversation_that_wakes_up_is_a_new_turn() -> None:
    """After it was resolved a new post opens its own turn (CW #11787, 985,492 s; #12058)."""
    facts = asked(1), answered(2), said(3, Kind.RESOLVED), asked(41, "q2"), answered(43, "a2")

    assert waits(*facts) == [("q", End.ANSWERED, 1), ("q2", End.ANSWERED, 2)]


def test_resolving_ends_the_wait() -> None:
    """What is resolved neither waits nor is breached later (CW #10178; #15024, a miss that grew for ever)."""
    found = view(known([asked(1), said(3, Kind.RESOLVED)]), 70, SMALL)

    assert [(End.RESOLVED, 3, False)] == [(turn.end, turn.ended, turn.breached) for turn in found.turns]
    assert [Outcome.RESOLVED_ON_X] == [one.outcome for one in found.settled]


def test_answer_and_resolve_in_one_step() -> None:
    """Answered and resolved at the same instant: the response time is kept (ZM #3551)."""
    assert waits(asked(1), answered(4), said(4, Kind.RESOLVED)) == [("q", End.ANSWERED, 3)]


@pytest.mark.parametrize("kind", [Kind.RESOLVED, Kind.HANDED_OFF])
@pytest.mark.parametrize("private", [False, True], ids=["in public", "in private"])
def test_an_answer_that_x_dates_after_its_word(kind: Kind, private: bool) -> None:
    """Answered and resolved with one button, the post is made moments later: the response time is kept (ZM #3551)."""
    answer = Fact(6, Kind.MESSAGED, "a", who="care") if private else answered(6)

    seen = view(known([asked(1), said(4, kind, Mark.TO_DM), answer]), 60, SMALL)

    assert [("q", End.ANSWERED, 6, "a", "care", private)] == [
        (turn.post, turn.end, turn.ended, turn.answer, turn.who, turn.private) for turn in seen.turns
    ]
    assert [4] == [one.at for one in seen.settled]


def test_the_rest_of_an_answer_leaves_the_helpdesks_word() -> None:
    """A second post moments after the word: the outcome is what the helpdesk said, and not silence a day later."""
    facts = (asked(1), answered(3), said(4, Kind.RESOLVED), answered(5, "a2"))

    assert [Outcome.RESOLVED_ON_X] == outcomes(*facts, clock=60)


def test_what_comes_long_after_a_word_is_no_answer_to_it() -> None:
    """A kind word later on does not make a wait that was resolved in time a long one."""
    assert waits(asked(1), said(4, Kind.RESOLVED), answered(8)) == [("q", End.RESOLVED, 3)]


def test_thanks_after_a_kind_word_wait_for_nothing() -> None:
    """Answered, "love it" and then "thanks": the open turn that nobody need answer does not make a wait of them."""
    facts = asked(1), answered(3), asked(5, "q2", ENGAGEMENT), asked(7, "t", REVIEW, marks=Mark.THANKS)

    assert [End.ANSWERED, End.WAITING] == [end for _, end, _ in waits(*facts)]
    assert [False] == [turn.wanted for turn in view(known(facts), 7, SMALL).turns[1:]]
    assert [Outcome.RESOLVED_SILENT] == outcomes(*facts, clock=70)


def test_thanks_that_a_person_moved_wait() -> None:
    """Who moves them into a queue that wants an answer has read more than thanks in them."""
    moved = asked(8, "t", PROACTIVE, revision=1, marks=Mark.THANKS | Mark.PERSON)

    assert waits(asked(1), answered(3), asked(8, "t", REVIEW, marks=Mark.THANKS), moved) == [
        ("q", End.ANSWERED, 2), ("t", End.WAITING, None),
    ]  # fmt: skip


def test_thanks_after_a_word_wait_for_nothing() -> None:
    """Resolved by telephone, and the customer says thanks (CW #10178); a further question waits all the same."""
    thanks = asked(8, "t", marks=Mark.THANKS)

    assert waits(asked(1), said(3, Kind.RESOLVED), thanks) == [("q", End.RESOLVED, 2)]
    assert waits(asked(1), said(3, Kind.RESOLVED), asked(7, "q2"), thanks) == [
        ("q", End.RESOLVED, 2), ("q2", End.WAITING, None),
    ]  # fmt: skip


def test_an_answer_after_its_word_counts_though_the_wait_is_summed_up() -> None:
    """Of a long conversation too it is told as answered."""
    conversation = Conversation()
    for number in range(KEPT):
        facts = [asked(number * 10 + 1, f"q{number}"), answered(number * 10 + 2, f"a{number}")]
        conversation = advance(conversation, facts, number * 10 + 2, SMALL).conversation
    end = KEPT * 10
    notes = [Fact(end + 4, Kind.NOTED, f"n{number:03}") for number in range(KEPT)]
    conversation = advance(
        conversation, [asked(end + 1, "q"), said(end + 4, Kind.RESOLVED), *notes], end + 4, SMALL
    ).conversation
    assert "q" not in [fact.id for fact in conversation.facts]

    after = advance(conversation, [answered(end + 6, "a")], end + 6, SMALL)

    assert [(Change.ANSWERED, "q", 5)] == [
        (told.change, told.turn.post, told.turn.ended - told.turn.opened) for told in after.told if told.turn
    ]


def test_the_first_answer_clears_the_breach_to_come() -> None:
    """Answered in time, nothing breaches later (ZM #2082, #3140)."""
    found = view(known([asked(1), answered(4)]), 70, SMALL)

    assert not found.turns[0].breached


def test_a_later_answer_does_not_replace_the_first_response() -> None:
    """Two answers to one post: the first counts, once (ZM #5177; two replies counted by ZoomSphere)."""
    turns = view(known([asked(1), answered(3, "a1"), answered(9, "a2")]), 9, SMALL).turns

    assert [("a1", 3, True)] == [(turn.answer, turn.ended, turn.first) for turn in turns]


def test_a_customers_further_post_starts_the_next_clock() -> None:
    """After an answer a new post waits for its own (ZM #1322; CW #4043, #4744: the next response has its own time)."""
    turns = view(known([asked(1), answered(3), asked(5, "q2"), answered(9, "a2")]), 9, SMALL).turns

    assert [(True, 2), (False, 4)] == [(turn.first, turn.ended - turn.opened) for turn in turns]


def test_values_are_never_lost_when_it_closes() -> None:
    """First response and end survive resolving and expiry (ZM #4516, #2579, #4777)."""
    found = view(known([asked(1), answered(3), said(5, Kind.RESOLVED)]), 100, SMALL)

    assert found.over
    assert [(True, 3, End.ANSWERED)] == [(turn.first, turn.ended, turn.end) for turn in found.turns]


def test_another_account_of_the_brand_answers() -> None:
    """Whichever account it is, it is an answer, and said whose."""
    assert view(known([asked(1), answered(3, who="other")]), 3, SMALL).turns[0].who == "other"


def test_an_answer_before_its_question() -> None:
    """A clock that runs behind: the answer that names the question took no time, never less."""
    assert waits(answered(3, parent="q"), asked(5)) == [("q", End.ANSWERED, 0)]


def test_a_deleted_question_waits_no_more() -> None:
    """Retracted before or after it was told: no turn, and the outcome says so."""
    gone = Fact(4, Kind.GONE, "q", marks=Mark.GONE)

    assert waits(gone, asked(1)) == []
    assert outcomes(gone, asked(1), clock=5) == [Outcome.RETRACTED]


def test_the_answer_to_a_deleted_post_answers_the_next() -> None:
    """The first post is gone: the turn is the second one's."""
    assert waits(asked(1), asked(2, "q2"), Fact(3, Kind.GONE, "q", marks=Mark.GONE), answered(6)) == [
        ("q2", End.ANSWERED, 4)
    ]


def test_a_deleted_answer_answered_nothing() -> None:
    """The customer waits again, from the same start."""
    assert waits(asked(1), answered(3), Fact(5, Kind.GONE, "a", marks=Mark.GONE)) == [("q", End.WAITING, None)]


def test_an_edit_keeps_the_clock() -> None:
    """The edited question counts from when it was first asked, in the queue of the edit."""
    turns = view(known([asked(1), asked(4, revision=1, queue=PROACTIVE), answered(6)]), 6, SMALL).turns

    assert [(1, PROACTIVE, 6)] == [(turn.opened, turn.queue, turn.ended) for turn in turns]


def test_a_move_takes_the_clock_along() -> None:
    """From review to proactive: the new target counts from the same start."""
    moved = asked(1, queue=PROACTIVE, revision=1, marks=Mark.PERSON)
    before = advance(Conversation(), [asked(1, queue=REVIEW)], 2, SMALL)

    after = advance(before.conversation, [moved], 3, SMALL)

    [turn] = after.conversation.turns
    assert (1, 13) == (turn.opened, turn.due)
    assert [Change.REQUEUED] == [told.change for told in after.told]


def test_breaches_are_told_once_and_by_how_much() -> None:
    """At 80% of the target near, after it breached, for whoever escalates (CW #6889); and no more while it waits on."""
    conversation = advance(Conversation(), [asked(10)], 10, SMALL).conversation
    told: list[tuple[int, Change]] = []
    for clock in range(11, 40):
        after = advance(conversation, [], clock, SMALL)
        conversation, told = after.conversation, told + [(clock, one.change) for one in after.told]

    assert told == [(15, Change.NEAR_BREACH), (16, Change.BREACHED)]
    assert conversation.turns[0].due == 15


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((asked(1), answered(2)), [Outcome.RESOLVED_SILENT]),
        ((asked(1), answered(2, marks=Mark.TO_DM)), [Outcome.MOVED_TO_DM]),
        ((asked(1), answered(2, marks=Mark.TO_EMAIL)), [Outcome.MOVED_TO_EMAIL]),
        ((asked(1), said(2, Kind.HANDED_OFF, Mark.TO_EMAIL)), [Outcome.MOVED_TO_EMAIL]),
        ((asked(1), said(2, Kind.RESOLVED, Mark.ELSEWHERE)), [Outcome.RESOLVED_ELSEWHERE]),
        ((asked(1),), [Outcome.EXPIRED]),
        ((asked(1, queue=ENGAGEMENT),), []),
        ((asked(1), answered(2), asked(3, "q2", queue=ENGAGEMENT)), [Outcome.RESOLVED_SILENT]),
    ],
    ids=[
        "silent",
        "to dm",
        "to e-mail",
        "handed off",
        "elsewhere",
        "nobody answered",
        "no answer is due",
        "chatted on",
    ],
)
def test_every_conversation_has_an_outcome_in_the_end(facts: tuple[Fact, ...], expected: list[Outcome]) -> None:
    """After a long silence it is resolved, moved or expired."""
    assert expected == outcomes(*facts, clock=150)


def test_a_post_that_wants_no_answer_does_not_keep_a_conversation_from_its_rest() -> None:
    """It is quiet since that post; the outcome is that of the answer."""
    facts = (asked(1), answered(2, marks=Mark.TO_DM), asked(9, "q2", queue=ENGAGEMENT))

    assert [] == outcomes(*facts, clock=9 + SMALL.silent_after - 1)
    assert [Outcome.MOVED_TO_DM] == outcomes(*facts, clock=9 + SMALL.silent_after)


def test_what_was_forgotten_is_no_part_of_a_new_conversation() -> None:
    """Neither where it went on, nor how many answers it had."""
    wrote = Fact(3, Kind.WROTE, "m")
    old = (asked(1), said(2, Kind.RESOLVED), asked(3, "q2", queue=ENGAGEMENT), wrote)
    new = (asked(200, "q3"), answered(203, "a3"))

    seen = view(known([*old, *new]), 300, SMALL)

    assert [(Outcome.RESOLVED_ON_X, 0), (Outcome.RESOLVED_SILENT, 1)] == [
        (one.outcome, one.replies) for one in seen.settled
    ]


def test_engagement_is_measured_when_answered() -> None:
    """A post that wants no answer does not wait; if one comes, its time is known."""
    conversation = advance(Conversation(), [asked(1, queue=ENGAGEMENT)], 4, SMALL)

    after = advance(conversation.conversation, [answered(7)], 7, SMALL)

    assert conversation.told == []
    assert [(Change.ANSWERED, 6)] == [(one.change, one.turn.ended - one.turn.opened) for one in after.told if one.turn]


def test_only_open_hours_count_towards_the_target() -> None:
    """Asked before closing, due after opening: the lunch gap and the night do not count (CW #14009, #13392)."""
    hour = 3_600_000
    day = Calendar("UTC", read_week({name: ["09:00-17:00"] for name in WEEKDAYS}))
    policy = Policy(frozenset({REACTIVE}), {REACTIVE: 2 * hour}, {REACTIVE: day})

    [turn] = view([asked(16 * hour)], 16 * hour, policy).turns

    assert 34 * hour == turn.due
    assert 2 * hour == policy.business(REACTIVE, 16 * hour, 34 * hour)


def test_a_quick_answer_in_the_morning_is_quick() -> None:
    """Asked at night, answered five minutes after opening: three hours by the wall, five minutes of work (CW #6548)."""
    minute = 60_000
    day = Calendar("UTC", read_week({name: ["09:00-17:00"] for name in WEEKDAYS}))
    policy = Policy(frozenset({REACTIVE}), {REACTIVE: 30 * minute}, {REACTIVE: day})
    asked_at, answered_at = 6 * 60 * minute, (9 * 60 + 5) * minute

    [turn] = view([asked(asked_at), answered(answered_at)], answered_at, policy).turns

    assert 185 * minute == turn.ended - turn.opened
    assert 5 * minute == policy.business(REACTIVE, turn.opened, turn.ended)
    assert not turn.breached


def test_hours_that_never_open_never_breach() -> None:
    """A queue that is always closed has no deadline."""
    policy = Policy(frozenset({REACTIVE}), {REACTIVE: 5}, {REACTIVE: Calendar("UTC", read_week({}))})

    assert view([asked(1)], 10**9, policy).turns[0].due == NEVER


@pytest.mark.parametrize("kind", [Kind.RESOLVED, Kind.HANDED_OFF, Kind.ASSIGNED, Kind.NOTED])
def test_a_word_from_later_moves_no_clock(kind: Kind) -> None:
    """Ten years ahead it neither breaches nor expires a wait; it waits for its time, and is looked at then."""
    early = view(known([asked(1), said(70, kind)]), 4, SMALL)
    close = view(known([asked(1), said(6, kind)]), 4, SMALL)

    assert [(End.WAITING, False)] == [(turn.end, turn.breached) for turn in early.turns]
    assert [] == early.settled
    assert 6 == close.wake
    assert not close.over


@pytest.mark.parametrize("post", ["p", "*"])
def test_a_retraction_from_later_moves_no_clock(post: str) -> None:
    """Said today of an old year's post of the same customer: who waits elsewhere goes on waiting."""
    later = Fact(70, Kind.GONE, post, marks=Mark.GONE)

    found = view(known([asked(1), later]), 4, SMALL)

    assert [(End.WAITING, False)] == [(turn.end, turn.breached) for turn in found.turns]
    assert [] == found.settled
    assert not found.over


@pytest.mark.parametrize("kind", [Kind.GONE, Kind.NOTED])
def test_what_waits_for_its_time_is_looked_at_then(kind: Kind) -> None:
    """Alone, or behind a conversation that is over: once, and not at every tick until then."""
    later = Fact(900, kind, "p", marks=Mark.GONE if kind is Kind.GONE else 0)

    found = [view(known([*facts, later]), 500, SMALL) for facts in ([], [asked(1), answered(2)])]

    assert [(900, False)] * 2 == [(seen.wake, seen.over) for seen in found]


def test_words_from_later_are_not_summed_up() -> None:
    """A hundred of them beside one post: the posts that come before their time still count."""
    words = [Fact(50 + number, Kind.NOTED, f"w{number:03}") for number in range(100)]
    conversation = advance(Conversation(), [asked(1), *words], 2, SMALL).conversation

    after = advance(conversation, [answered(4)], 4, SMALL)

    assert [(End.ANSWERED, 4)] == [(turn.end, turn.ended) for turn in after.conversation.turns]
    assert 102 == len(after.conversation.facts)


def test_private_messages_answer_and_say_so() -> None:
    """A private message of the brand ends the wait and moves the conversation."""
    found = view(known([asked(1), Fact(4, Kind.MESSAGED, "m", who="care")]), 4, SMALL)

    assert [(End.ANSWERED, True)] == [(turn.end, turn.private) for turn in found.turns]
    assert Channel.DM is found.progress.channel
