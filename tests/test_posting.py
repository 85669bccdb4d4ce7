"""The way of one answer: every step is written down; whatever breaks in between, none is posted twice, none is lost."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline.posting import Do, Entry, Posting, Rules, State, Step, decode, encode
from pipeline.replies import Reply
from pipeline.request_counts import RequestCount
from pipeline.settings_poster import Poster

REPLY = Reply("r1", "reply", "acme", "on its way", "2026-01-01T00:00:00Z", "x:100", "5", "100")
RULES = Rules(call_timeout=30_000, shown_after=60_000, unknown_after=900_000, give_up_after=86_400_000)
CAREFUL = RULES._replace(refuses_doubles=False)
"""Of who does not trust X to refuse a double."""
SURE, OVER, DAY = 90_000, 900_000, 86_400_000
DUPLICATE = "You are not allowed to create a Tweet with duplicate content."


def sending(now: int = 0, reply: Reply = REPLY, rules: Rules = RULES) -> Posting:
    """An answer whose call is about to be made."""
    posting = Posting(reply, None, rules)
    for state in (State.INTENT, State.SENDING):
        entry = posting.step(now).entry
        assert entry is not None
        assert entry.state is state
        posting.logged(entry)
    return posting


def log(posting: Posting, now: int) -> Entry:
    """Write down what the answer wants written down."""
    step = posting.step(now)
    assert step.do is Do.LOG, step
    assert step.entry is not None
    posting.logged(step.entry)
    return step.entry


def again(posting: Posting, reply: Reply = REPLY, rules: Rules = RULES) -> Posting:
    """The same answer, as a process knows it that is started after a crash."""
    return Posting(reply, None if posting.entry is None else decode(encode(posting.entry)), rules)


def lost(posting: Posting, now: int = 0) -> Posting:
    """The call is made, and its answer lost."""
    posting.called()
    posting.unreachable(now, "no answer", sent=True)
    return posting


def sent_again() -> Posting:
    """A call whose answer was lost, and which X does not show in time, is about to be made once more."""
    posting = lost(sending())
    posting.seen(None, SURE)
    log(posting, SURE)
    assert State.SENDING is log(posting, SURE + 2_000).state
    return posting


def test_the_plain_way() -> None:
    """Intent, sending, call, result, told; the result says where it is on X, and holds no text."""
    posting = sending()

    assert Do.CALL is posting.step(0).do
    posting.called()
    posting.posted("900", 5, 99, 1000.0)
    entry = log(posting, 5)

    assert (State.POSTED, "900", 1, 0, 5, 99) == (
        entry.state, entry.answer_id, entry.attempt, entry.since, entry.at, entry.remaining)  # fmt: skip
    assert Step(Do.TELL) == posting.step(5)
    assert b"on its way" not in encode(entry)


def test_a_crash_before_the_call_costs_nothing() -> None:
    """With the intent written and nothing sent, the next process sends."""
    posting = Posting(REPLY, None, RULES)
    log(posting, 0)

    step = again(posting).step(1)

    assert step.entry is not None
    assert (State.SENDING, 1) == (step.entry.state, step.entry.attempt)


def test_a_crash_with_the_call_looks_first() -> None:
    """It may be on X: it is looked for, found, and not sent."""
    posting = again(sending())

    assert Do.LOOK is posting.step(1).do
    posting.seen("900", 2)

    assert (State.POSTED, "900") == ((entry := log(posting, 2)).state, entry.answer_id)


def test_what_may_be_hidden_is_looked_for_again_and_then_unknown() -> None:
    """Looks are farther and farther apart, the last one as the time is over; unknown stays unknown."""
    posting = again(sending(), rules=CAREFUL)
    looks, now = [], 0
    while posting.step(now).do in (Do.LOOK, Do.WAIT):
        if posting.step(now).do is Do.WAIT:
            now = posting.step(now).until
        looks.append(now)
        posting.seen(None, now)
    entry = log(posting, now)

    assert (State.UNKNOWN, OVER) == (entry.state, looks[-1])
    assert [0, 2_000, 6_000, 14_000, 30_000, 62_000, 122_000] == looks[:7]
    assert Do.TELL is again(posting).step(10**12).do


def test_more_than_can_be_looked_through() -> None:
    """A wait that ends: unknown, with the reason, and never sent again by itself; X is asked for that time only."""
    posting = lost(sending())
    assert (0, 30_000 + 60_000) == posting.window

    posting.not_whole(OVER - 1)
    assert (None, Do.WAIT) == (posting.to_log, posting.step(OVER - 1).do)
    posting.not_whole(OVER)

    assert (State.UNKNOWN, True) == ((entry := log(posting, OVER)).state, "more posts" in entry.detail)


def test_unknown_and_forced_is_looked_for_first() -> None:
    """X may show it by now, since the first intent; only what it does not show goes out again."""
    posting = again(sending(now=5), rules=CAREFUL)
    posting.seen(None, OVER + 5)
    log(posting, OVER + 5)
    forced = again(posting, msgspec.structs.replace(REPLY, force=True), CAREFUL)

    assert (State.INTENT, DAY) == ((entry := log(forced, DAY)).state, entry.since)
    assert (Do.LOOK, 5) == (forced.step(DAY).do, forced.window[0])
    forced.seen("900", DAY + 1)
    assert (State.POSTED, "900") == ((entry := log(forced, DAY + 1)).state, entry.answer_id)


def test_a_duplicate_of_another_answer_is_refused() -> None:
    """No earlier attempt can have gone through: X took no more (429)."""
    posting = sending()
    posting.called()
    posting.limited(1)
    log(posting, 1)
    log(posting, 2)
    posting.called()
    posting.refused(403, DUPLICATE, 3)

    assert State.FAILED is log(posting, 3).state


def test_it_turns_up_late() -> None:
    """What X shows only after some time is posted, not unknown."""
    posting = sending()
    posting.called()
    posting.unreachable(30_000, "no answer", sent=True)

    assert Step(Do.WAIT, until=32_000) == posting.step(30_000)
    posting.seen(None, 32_000)
    posting.seen("900", 36_000)

    assert State.POSTED is log(posting, 36_000).state


def test_looks_that_fail_say_nothing() -> None:
    """While X shows nothing at all, an answer is not unknown; it is looked for again when X says."""
    posting = again(sending(), rules=CAREFUL)

    posting.not_looked(OVER + 5)

    assert Step(Do.WAIT, until=OVER + 5) == posting.step(OVER)
    assert Do.LOOK is posting.step(OVER + 5).do
    posting.seen(None, OVER + 5)
    assert State.UNKNOWN is log(posting, OVER + 5).state


def test_unavailable_is_sent_again_once_it_would_show() -> None:
    """503: that it is written down, too; X would show it by now, and does not: again."""
    posting = sending()
    posting.called()
    posting.failing(503, 10)
    assert log(posting, 10).unavailable
    posting = again(posting)

    posting.seen(None, SURE - 1)
    assert Step(Do.WAIT, until=SURE) == posting.step(SURE - 1)
    posting.seen(None, SURE)
    assert State.INTENT is log(posting, SURE).state

    assert Step(Do.WAIT, until=SURE + 2_000) == posting.step(SURE)
    assert (State.SENDING, 2, False) == ((entry := log(posting, SURE + 2_000)).state, entry.attempt, entry.unavailable)


def test_what_x_would_show_by_now_is_sent_again() -> None:
    """No answer came, and X does not show it: it is not there, or X refuses it as a double; the log says that much."""
    posting = lost(sending())

    posting.seen(None, SURE - 1)
    assert Step(Do.WAIT, until=SURE) == posting.step(SURE - 1)
    posting.seen(None, SURE)

    assert (State.INTENT, True) == ((entry := log(posting, SURE)).state, entry.doubted)
    assert posting.doubtful
    assert Step(Do.WAIT, until=SURE + 2_000) == posting.step(SURE)
    assert (State.SENDING, 2) == ((entry := log(posting, SURE + 2_000)).state, entry.attempt)


def test_it_is_sent_again_only_right_after_a_look() -> None:
    """X had no room for a quarter of an hour, or the process was killed: what turned up meanwhile is found."""
    posting = lost(sending())
    posting.seen(None, SURE)
    log(posting, SURE)

    next_one = again(posting)
    assert [Do.LOOK, Do.LOOK] == [posting.step(SURE + 60_001).do, next_one.step(SURE + 2_000).do]
    next_one.seen(None, SURE + 2_000)
    assert Do.LOG is next_one.step(SURE + 2_000).do
    posting.seen("900", SURE + 60_001)
    assert (State.POSTED, "900", 1) == ((e := log(posting, SURE + 60_001)).state, e.answer_id, e.attempt)


def test_what_x_has_and_hides_is_unknown() -> None:
    """X refuses it as a double: that is written down, it is looked for, and never sent again."""
    posting = sent_again()
    posting.called()
    posting.refused(403, DUPLICATE, SURE + 2_001)

    assert (State.SENDING, True) == ((entry := log(posting, SURE + 2_001)).state, entry.known)
    posting = again(posting)
    posting.seen(None, SURE + 2_000 + OVER - 1)
    assert Do.WAIT is posting.step(SURE + 2_000 + OVER - 1).do
    posting.seen(None, SURE + 2_000 + OVER)
    assert State.UNKNOWN is log(posting, SURE + 2_000 + OVER).state


def test_private_messages_are_not_sent_again() -> None:
    """X refuses none as a double."""
    posting = lost(sending(reply=msgspec.structs.replace(REPLY, kind="dm", post_id=None)))

    posting.seen(None, OVER)

    assert State.UNKNOWN is log(posting, OVER).state


def test_a_day_without_an_answer_is_unknown() -> None:
    """It was sent again and again, and not shown; nothing says that the first call came to nothing."""
    posting = sent_again()
    posting.called()
    posting.unreachable(DAY, "refused", sent=False)

    assert State.UNKNOWN is log(posting, DAY).state


@pytest.mark.parametrize("status", [500, 502, 504])
def test_other_failures_of_x_leave_it_in_doubt(status: int) -> None:
    """It may have been done: who does not trust X to refuse a double does not send it again."""
    posting = sending(rules=CAREFUL)
    posting.called()
    posting.failing(status, 10)

    posting.seen(None, OVER)

    assert State.UNKNOWN is log(posting, OVER).state


def test_who_would_rather_risk_a_double_can() -> None:
    """With a time in the settings, what X does not show for so long is sent again."""
    posting = Posting(REPLY, sending().entry, CAREFUL._replace(again_after=300_000))

    posting.seen(None, 329_999)
    assert Step(Do.WAIT, until=330_000) == posting.step(329_999)
    posting.seen(None, 330_000)

    assert State.INTENT is log(posting, 330_000).state


def test_no_connection_is_tried_again_at_once() -> None:
    """Nothing was sent: no look is needed; the waits grow, and after a day it has failed."""
    posting, now, waits = sending(), 0, []
    for _ in range(8):
        posting.called()
        posting.unreachable(now, "refused", sent=False)
        assert State.INTENT is log(posting, now).state
        waits.append(posting.step(now).until - now)
        now += waits[-1]
        assert State.SENDING is log(posting, now).state

    assert [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000] == waits
    posting.called()
    posting.unreachable(DAY, "refused", sent=False)
    assert (State.FAILED, "failed", "refused") == ((e := log(posting, DAY)).state, e.reason, e.detail)


def test_limited_goes_back() -> None:
    """429: X did not take it; it is written down that nothing is out."""
    posting = sending()
    posting.called()

    posting.limited(7)

    assert State.INTENT is log(posting, 7).state


@pytest.mark.parametrize("forced", [False, True])
def test_a_limit_stays_said_while_it_holds(forced: bool) -> None:
    """Somebody answers in the wait, so that it is held, or forced then: whoever posts next knows of the limit."""
    posting = sending()
    posting.called()
    posting.limited(7, 900)
    log(posting, 7)
    posting.not_looked(8, limited=True)
    log(posting, 7)

    held = posting.step(8, lambda: "answered").entry
    assert held is not None
    posting.logged(held)
    if forced:
        posting.reply = msgspec.structs.replace(REPLY, force=True)
        assert State.INTENT is log(posting, 9).state
    assert posting.entry is not None
    assert (State.INTENT if forced else State.HELD, 900) == (posting.entry.state, posting.entry.blocked())


def test_a_limit_that_is_over_is_not_said_any_more() -> None:
    """When it goes out again, for X and for looks."""
    posting = sending()
    posting.called()
    posting.limited(7, 900)
    log(posting, 7)
    posting.not_looked(800, limited=True)
    log(posting, 7)

    entry = posting.step(900).entry
    assert entry is not None
    assert (State.SENDING, 0, 0) == (entry.state, entry.not_before, entry.no_look_before)


def test_refused_is_final() -> None:
    """The reason stands in the log."""
    posting = sending()
    posting.called()

    posting.refused(403, "not allowed", 7)

    assert (State.FAILED, "refused", "403: not allowed") == ((e := log(posting, 7)).state, e.reason, e.detail)


def test_a_double_that_x_refuses_is_there() -> None:
    """Where X knows the text already when it is sent again, the first attempt went through: look for it."""
    posting, now = sent_again(), SURE + 2_001
    posting.called()

    posting.refused(403, DUPLICATE, now)

    assert log(posting, now).known
    assert Do.WAIT is posting.step(now).do
    posting.seen("900", now + 3_000)
    assert State.POSTED is log(posting, now + 3_000).state


def test_held_unless_forced() -> None:
    """An answered turn holds an answer; one that is forced, it does not, and under the same id it opens once more."""
    posting = Posting(REPLY, None, RULES)
    log(posting, 0)
    step = posting.step(1, lambda: "answered already")
    assert step.entry is not None
    posting.logged(step.entry)
    forced = msgspec.structs.replace(REPLY, force=True)

    assert (State.HELD, "answered already") == (step.entry.state, step.entry.detail)
    assert Do.TELL is again(posting).step(2).do
    reopened = again(posting, forced)
    assert State.INTENT is log(reopened, 3).state
    assert (State.SENDING, True) == ((e := log(reopened, 3)).state, e.forced)
    reopened.called()
    reopened.refused(400, "no", 4)
    log(reopened, 4)
    assert Do.TELL is again(reopened, forced).step(5).do


def test_the_count_shows_that_it_never_came() -> None:
    """Then it is sent again at once, unless that was about another attempt."""
    posting = again(sending())
    assert posting.doubtful

    posting.never_came(5)
    assert State.INTENT is log(posting, 5).state

    log(posting, 5)
    posting.never_came(6)
    assert Do.CALL is posting.step(6).do


def test_the_count_says_nothing_of_what_waits_to_go_out() -> None:
    """It is in doubt for an earlier call."""
    posting = lost(sending())
    posting.seen(None, SURE)
    log(posting, SURE)

    posting.never_came(SURE + 1)

    assert posting.to_log is None


def test_rules_are_of_the_settings() -> None:
    """In ms."""
    assert RULES == Rules.of(Poster())
    assert 5_000 == Rules.of(Poster(again_after_s=5)).again_after
    assert Rules.of(Poster(trust_duplicate_check=False)) == CAREFUL


def test_nothing_comes_of_what_is_not_written_down() -> None:
    """An outcome before the intent is a mistake of ours."""
    with pytest.raises(ValueError, match="nothing is written down"):
        Posting(REPLY, None, RULES).refused(400, "", 0)


OUTCOMES = ("fine", "fine", "lost", "dropped", "killed", "never", "no connection", "503", "500", "limited", "403")
"""Of a call. lost: X does it, dropped: X does not, and gives no answer; never: the process is killed before it."""


class Machine(RuleBasedStateMachine):
    """A poster that is killed anywhere, and an X that loses answers, fails, limits, and hides posts, some for good."""

    obeyed = RULES

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000
        self.log: dict[str, bytes] = {}
        self.on_x: dict[str, list[tuple[int, int]]] = {}
        """By answer: when each of its posts was made, and from when X shows it."""
        self.told: dict[str, State] = {}
        self.told_at: dict[str, int] = {}
        self.requests = 0
        self.postings: dict[str, Posting] = {}
        self.count = RequestCount(SURE)
        self.ids: list[str] = []
        self.undone: set[str] = set()
        """Calls that came to nothing, and gave no answer."""

    @rule()
    def ask(self) -> None:
        """A helpdesk writes an answer."""
        identity = f"r{len(self.ids)}"
        self.ids.append(identity)
        self._take(identity)

    def _take(self, identity: str) -> None:
        entry = decode(self.log[identity]) if identity in self.log else None
        self.postings[identity] = Posting(msgspec.structs.replace(REPLY, id=identity), entry, self.obeyed)

    @precondition(lambda self: self.postings)
    @rule()
    def killed(self) -> None:
        """At any moment."""
        self._end()

    def _end(self) -> None:
        """All that is in memory is gone; the log stays, and what is not told is read again."""
        for identity in set(self.postings) & set(self.log) - set(self.on_x):
            entry = decode(self.log[identity])
            if entry.state is State.SENDING and not entry.unavailable:
                self.undone.add(identity)
        self.postings = {}
        self.count = RequestCount(SURE)
        entries = sorted((decode(value) for value in self.log.values()), key=lambda entry: entry.at)
        for entry in entries:
            if entry.state is State.POSTED:
                self.count.answered(entry.remaining, entry.reset_at, entry.at)
            elif entry.state is State.SENDING:
                self.count.doubt(entry.id, entry.at)
        for identity in self.ids:
            if identity not in self.told:
                self._take(identity)

    @rule(seconds=st.sampled_from([1, 40, 200, 1000]))
    def time_passes(self, seconds: int) -> None:
        """Nothing else happens."""
        self.now += seconds * 1000

    @precondition(lambda self: self.postings)
    @rule(data=st.data(), hidden=st.sampled_from([0, 0, 10_000, 50_000, 10**9]), outcome=st.sampled_from(OUTCOMES))
    def step(self, data: st.DataObject, hidden: int, outcome: str) -> None:
        """One answer goes one step on."""
        self.now += 1
        self._go_on(data.draw(st.sampled_from(sorted(self.postings))), hidden, outcome)

    def _go_on(self, identity: str, hidden: int, outcome: str) -> None:
        posting = self.postings[identity]
        step = posting.step(self.now)
        if step.do is Do.LOG:
            assert step.entry is not None
            self.log[identity] = encode(step.entry)
            posting.logged(step.entry)
        elif step.do is Do.CALL:
            self._call(identity, posting, hidden, outcome)
        elif step.do is Do.LOOK:
            self._look(identity, posting)
        elif step.do is Do.TELL:
            assert posting.entry is not None
            self.told[identity] = posting.entry.state
            self.told_at[identity] = posting.entry.at
            del self.postings[identity]

    def _call(self, identity: str, posting: Posting, hidden: int, outcome: str) -> None:
        sent = self.now
        posting.called()
        if outcome == "never":  # the process is killed right before the call
            self._end()
            return
        if outcome == "no connection":
            posting.unreachable(self.now, "refused", sent=False)
            return
        outcome = self._at_x(identity, hidden, outcome)
        if outcome == "killed":
            self._end()
        elif outcome in ("lost", "dropped"):
            self.count.doubt(identity, sent)
            posting.unreachable(self.now + 1000, "no answer", sent=True)
        elif outcome in ("503", "500"):
            self.count.doubt(identity, sent)
            posting.failing(int(outcome), self.now)
        elif outcome == "fine":
            self._fine(identity, posting, sent)
        elif outcome == "limited":
            posting.limited(self.now)
        else:
            posting.refused(403, DUPLICATE if outcome == "double" else "not allowed", self.now)

    def _at_x(self, identity: str, hidden: int, outcome: str) -> str:
        """The call comes to X, which does it or not; what the answer is."""
        self.requests += 1
        double = self.obeyed.refuses_doubles and identity in self.on_x
        if double and outcome in ("fine", "403"):
            return "double"
        if not double and outcome in ("fine", "lost", "killed", "500"):
            self.on_x.setdefault(identity, []).append((self.now, self.now + hidden))
        if outcome == "dropped":
            self.undone.add(identity)
        return outcome

    def _fine(self, identity: str, posting: Posting, sent: int) -> None:
        left = 10**6 - self.requests
        posting.posted(f"p{identity}", self.now, left, 1.0)
        for one in self.count.answered(left, 1.0, sent):
            if one in self.postings:
                self.postings[one].never_came(self.now)

    def _look(self, identity: str, posting: Posting) -> None:
        shown = [at for made, at in self.on_x.get(identity, []) if at <= self.now]
        if shown:
            self.count.settled(identity)
        posting.seen(f"p{identity}" if shown else None, self.now)

    @invariant()
    def no_answer_twice(self) -> None:
        """X has each answer at most once, whatever was hidden."""
        assert all(len(posts) == 1 for posts in self.on_x.values())

    @invariant()
    def told_as_it_is(self) -> None:
        """Posted is on X, failed is not; unknown is what X has and hid.

        Who does not trust X to refuse a double cannot tell that from what came to nothing.
        """
        for identity, state in self.told.items():
            if state is State.POSTED:
                assert identity in self.on_x
            if state is State.FAILED:
                assert identity not in self.on_x
            if state is State.UNKNOWN:
                hidden = identity in self.on_x and self.on_x[identity][0][1] > self.told_at[identity]
                assert hidden or (not self.obeyed.refuses_doubles and identity in self.undone | set(self.on_x))

    def teardown(self) -> None:
        """In the end every answer is told, and unknown are only those that X hid, or whose call came to nothing."""
        for _ in range(200):
            if not self.postings:
                break
            for identity in list(self.postings):
                self._go_on(identity, 0, "fine")
            self.now += 30_000
        self.no_answer_twice()
        self.told_as_it_is()
        assert set(self.told) == set(self.ids)


class CarefulMachine(Machine):
    """The same with an X that takes doubles, and a poster that knows it."""

    obeyed = CAREFUL


for machine in (Machine, CarefulMachine):
    machine.TestCase.settings = settings(
        max_examples=400, stateful_step_count=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
TestMachine = Machine.TestCase
TestCarefulMachine = CarefulMachine.TestCase
