"""One partition's conversations: who waits, what is due, what is forgotten, and the same again after recovery."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.changes import KEPT, Change
from pipeline.errors import StateError
from pipeline.facts import Fact, Kind, Mark, known
from pipeline.gone import EVERYTHING
from pipeline.heard import ANY, Heard
from pipeline.kept import Key, decode
from pipeline.report import Books
from pipeline.responses import encode, response
from pipeline.told import Ledger
from pipeline.turns import Channel, Conversation, Outcome, Policy, view
from pipeline.waits import LINGER_MS, Changes, Waits

POLICY = Policy(frozenset({0, 3}), {0: 5_000, 3: 5_000}, silent_after=20_000, forget_after=45_000,
                forget_open_after=80_000)  # fmt: skip
WALL = 10_000_000


def asked(customer: str, at: int, post: str, conversation: str = "c", queue: int = 0) -> Heard:
    """A customer's post."""
    return Heard(customer, "heron", conversation, Fact(WALL + at, Kind.ASKED, post, queue))


def answered(customer: str, at: int, answer: str, conversation: str = "c") -> Heard:
    """An answer to the customer."""
    return Heard(customer, "heron", conversation, Fact(WALL + at, Kind.ANSWERED, answer, who="care"))


def waits() -> Waits:
    """An empty partition."""
    return Waits(lambda _: POLICY)


def told(changes: Changes) -> list[tuple[str, Change]]:
    """Whom it is about, and what."""
    return [(key.customer, one.change) for key, one, *_ in changes.told]


def recovered(kept: dict[bytes, bytes | None], written: int) -> Waits:
    """A partition made again from the topic."""
    again = waits()
    for key, value in kept.items():
        again.load(key, value, written)
    again.loaded()
    return again


def test_a_word_on_nobody_waits_for_somebody() -> None:
    """A conversation that is not known is assigned to nobody; once its question comes, that is told, and once."""
    books = waits()
    word = Heard("a", "heron", "c", Fact(WALL + 3, Kind.ASSIGNED, "w", who="ann"))

    first, then, again = (books.hear([one], WALL + 10).told for one in (word, asked("a", 1, "q"), word))

    assert [] == first
    assert [Change.OPENED, Change.ASSIGNED] == [one.told.change for one in then]
    assert [] == again


@pytest.mark.parametrize(("key", "value"), [(b"1\x1facme\x1fc", b"\xc1"), (b"no key", b"\x90"), (b"\xff", b"x")])
def test_what_is_no_state_is_said(key: bytes, value: bytes) -> None:
    """With its key and what to do; once a tombstone stands under the key, it is as if it had never been there."""
    books = waits()
    books.load(key, value, 0)

    with pytest.raises(StateError, match="tombstone"):
        books.loaded()

    books.load(key, None, 0)
    books.loaded()
    assert {} == books.states


def test_who_waits_and_since_when() -> None:
    """Counts and the oldest, by brand and queue, through questions and answers."""
    books = waits()

    books.hear([asked("a", 1, "q1"), asked("b", 3, "q2"), asked("b", 4, "q3", "d", 3)], WALL + 5)
    before = dict(books.waiting), books.oldest("heron", 0)
    books.hear([answered("a", 6, "a1")], WALL + 6)

    assert before == ({("heron", 0): 2, ("heron", 3): 1}, WALL + 1)
    assert {("heron", 0): 1, ("heron", 3): 1} == books.waiting
    assert WALL + 3 == books.oldest("heron", 0)
    assert {("b", "c"), ("b", "d")} == {(one.key.customer, one.key.conversation) for one in books.waiters()}


def test_customers_of_one_conversation_keep_their_clocks_apart() -> None:
    """An answer to one leaves the other waiting."""
    books = waits()

    books.hear([asked("a", 1, "q1"), asked("b", 2, "q2"), answered("b", 3, "a1")], WALL + 3)

    assert ["a"] == [one.key.customer for one in books.waiters()]


def test_what_is_due_is_told_by_the_clock() -> None:
    """Near, breached, settled, each once, when its time has come."""
    books = waits()
    books.hear([asked("a", 0, "q1")], WALL)

    early, near, late = (told(books.tick(WALL + at)) for at in (4_000, 4_001, 5_001))
    answer = told(books.hear([answered("a", 6_000, "a1")], WALL + 6_000))
    rest = told(books.tick(WALL + 26_000))

    assert early == []
    assert near == [("a", Change.NEAR_BREACH)]
    assert late == [("a", Change.BREACHED)]
    assert answer == [("a", Change.ANSWERED)]
    assert rest == [("a", Change.SETTLED)]


def test_nothing_is_due_before_what_is_unread_is_read() -> None:
    """Behind a backlog a tick goes no farther than what has been read."""
    books = waits()
    books.hear([asked("a", 0, "q1")], WALL)

    held = told(books.tick(WALL + 60_000, until=WALL + 3_000))
    books.hear([answered("a", 2_000, "a1")], WALL + 60_000)

    assert held == []
    assert Change.BREACHED not in [change for _, change in told(books.tick(WALL + 60_001))]


def test_an_old_year_happens_in_that_year() -> None:
    """A replay's clock is that of its posts, and goes on with the wall's."""
    books = waits()
    year = 365 * 86_400_000

    books.hear([asked("a", 0, "q1")], WALL + year)
    then = told(books.tick(WALL + year + 3_000)), told(books.tick(WALL + year + 5_001))

    assert then == ([], [("a", Change.BREACHED)])


def test_what_is_over_is_forgotten_after_a_while() -> None:
    """A tombstone, but not before what comes late had its chance."""
    books = waits()
    books.hear([asked("a", 0, "q1"), answered("a", 1, "a1")], WALL)
    books.tick(WALL + 50_000)

    before = books.tick(WALL + 50_000 + LINGER_MS - 1)
    after = books.tick(WALL + 50_000 + LINGER_MS)

    assert before.states == {}
    assert {Key("a", "heron", "c").encoded(): None} == after.states
    assert books.states == {}


def test_what_comes_late_keeps_it() -> None:
    """A post in the meantime: it is not forgotten."""
    books = waits()
    books.hear([asked("a", 0, "q1"), answered("a", 1, "a1")], WALL)
    books.tick(WALL + 50_000)
    books.hear([asked("a", 60_000, "q2")], WALL + 60_000)

    waiting = books.waiting["heron", 0]
    expired = books.tick(WALL + 50_000 + LINGER_MS)
    gone = books.tick(WALL + 50_000 + 2 * LINGER_MS)

    assert waiting == 1
    assert [("a", Change.BREACHED), ("a", Change.EXPIRED), ("a", Change.SETTLED)] == told(expired)
    assert None not in expired.states.values()
    assert [None] == list(gone.states.values())


def test_a_private_message_answers_wherever_the_customer_waits() -> None:
    """All conversations with the brand, also one that is told of later."""
    books = waits()
    message = Heard("a", "heron", ANY, Fact(WALL + 5, Kind.MESSAGED, "m", who="care"))

    books.hear([asked("a", 1, "q1", "c")], WALL + 1)
    books.hear([message], WALL + 5)
    books.hear([asked("a", 2, "q2", "d")], WALL + 6)
    books.hear([asked("a", 7, "q3", "e")], WALL + 7)

    assert ["e"] == [one.key.conversation for one in books.waiters()]


def test_a_message_finds_the_conversation_that_begins_in_the_same_batch() -> None:
    """Whichever of the two comes first in it."""
    books = waits()
    message = Heard("a", "heron", ANY, Fact(WALL + 5, Kind.MESSAGED, "m", who="care"))

    books.hear([message, asked("a", 1, "q1")], WALL + 6)
    books.hear([asked("b", 1, "q2"), message._replace(customer="b")], WALL + 6)

    assert [] == list(books.waiters())


def test_a_retraction_finds_its_post() -> None:
    """Before or after the post, in whichever conversation; a keeper tells nothing of itself."""
    books = waits()
    gone = [Heard("a", ANY, ANY, Fact(WALL + 3, Kind.GONE, post, marks=Mark.GONE)) for post in ("q1", "q2")]

    books.hear([asked("a", 1, "q1")], WALL + 1)
    after = told(books.hear(gone, WALL + 3))
    late = told(books.hear([asked("a", 2, "q2", "d")], WALL + 4))

    assert ("a", Change.RETRACTED) in after
    assert Change.OPENED not in [change for _, change in late]
    assert [] == list(books.waiters())


def other(customer: str, at: int, post: str) -> Heard:
    """A post in which no brand was recognised."""
    return Heard(customer, "other", "c", Fact(WALL + at, Kind.ASKED, post, 0))


@given(st.permutations([other("a", 1, "q1"), other("a", 2, "q2"), answered("a", 4, "a1"), other("a", 6, "q3")]),
       st.integers(1, 4))  # fmt: skip
def test_who_answers_takes_over_what_named_nobody(events: list[Heard], size: int) -> None:
    """In whatever order, in however many batches: the turns are the answering brand's, and no other's."""
    books = waits()

    for start in range(0, 4, size):
        books.hear(events[start : start + size], WALL + 10)

    found = decode(books.states[Key("a", "heron", "c").encoded()])
    assert [("q1", "a1"), ("q3", "")] == [(turn.post, turn.answer) for turn in found.turns]
    assert [("heron", "q3")] == [(one.key.brand, one.turn.post) for one in books.waiters()]
    assert {("heron", 0): 1} == {place: count for place, count in books.waiting.items() if count}


def test_a_bot_takes_nothing_over() -> None:
    """What a machine wrote answers nobody."""
    books = waits()
    reply = Heard("a", "heron", "c", Fact(WALL + 3, Kind.ANSWERED, "a1", marks=Mark.BOT, who="bot"))

    books.hear([other("a", 1, "q1"), reply], WALL + 5)

    assert ["other"] == [one.key.brand for one in books.waiters()]


def test_how_many_wait_too_long() -> None:
    """Those whose target is over, until they are answered."""
    books = waits()
    books.hear([asked("a", 0, "q1"), asked("b", 4_000, "q2")], WALL + 4_000)

    books.tick(WALL + 6_000)
    late = dict(books.late)
    books.hear([answered("a", 6_500, "a1")], WALL + 6_500)

    assert ({("heron", 0): 1}, {("heron", 0): 0}) == (late, books.late)


def test_a_tick_looks_at_so_many() -> None:
    """The others have their turn in the next one."""
    books = waits()
    books.hear([asked(str(number), 0, f"q{number}") for number in range(5)], WALL)

    ticks = [told(books.tick(WALL + 6_000, most=2)) for _ in range(3)]

    assert [2, 2, 1] == [len(one) for one in ticks]


@given(st.permutations([asked("a", 1, "q1"), asked("a", 2, "q2", "d"), asked("a", 50, "q3", "e"),
                        Heard("a", ANY, ANY, Fact(WALL + 9, Kind.GONE, EVERYTHING, marks=Mark.GONE))]),
       st.integers(1, 4))  # fmt: skip
def test_a_customer_is_forgotten(events: list[Heard], size: int) -> None:
    """All that was written until then, known or told later; what is written afterwards counts."""
    books = waits()
    told_states: dict[bytes, bytes | None] = {}

    for start in range(0, 4, size):
        told_states |= books.hear(events[start : start + size], WALL + 60).states

    assert ["q3"] == [one.turn.post for one in books.waiters()]
    for conversation in "cd":
        left = books.states.get(Key("a", "heron", conversation).encoded())
        assert left is None or not decode(left).turns


def test_a_forgotten_customers_states_go_at_once() -> None:
    """With a tombstone, and what stands in topics is named."""
    books = waits()
    books.hear([Heard("a", "heron", "c", Fact(WALL, Kind.ASKED, "q1", 0, place=7))], WALL)

    changes = books.hear([Heard("a", ANY, ANY, Fact(WALL + 9, Kind.GONE, EVERYTHING, marks=Mark.GONE))], WALL + 9)

    assert changes.states[Key("a", "heron", "c").encoded()] is None
    assert [7] == [fact.place for _, fact in changes.gone]
    assert [("a", Change.RETRACTED), ("a", Change.SETTLED)] == told(changes)


MANY = 3 * KEPT


def long_wait() -> tuple[Waits, Ledger]:
    """Many posts in one conversation, which nobody answers; and what a reader of `responses` knows."""
    books, ledger = waits(), Ledger()
    for number in range(MANY):
        fact = Fact(WALL + number, Kind.ASKED, f"q{number}", 0, place=number)
        take(ledger, books.hear([Heard("a", "heron", "c", fact)], WALL + number))
    return books, ledger


def long_talk() -> tuple[Waits, Ledger]:
    """Many questions, each of them answered and resolved."""
    books, ledger = waits(), Ledger()
    for at in range(0, MANY, 3):
        take(ledger, books.hear([asked("a", at, f"q{at}"), answered("a", at + 1, f"a{at}")], WALL + at))
        word = Fact(WALL + at + 2, Kind.RESOLVED, f"w{at}", who="ann")
        take(ledger, books.hear([Heard("a", "heron", "c", word)], WALL + at + 2))
    return books, ledger


def take(ledger: Ledger, changes: Changes) -> None:
    """As the worker writes it, and a reader reads it."""
    for key, one, version, _ in changes.told:
        ledger.take(encode(response(key, one, version, WALL, POLICY)))


def gone(at: int, post: str) -> Heard:
    """A retraction."""
    return Heard("a", ANY, ANY, Fact(WALL + at, Kind.GONE, post, marks=Mark.GONE))


@pytest.mark.parametrize(("retracted", "expected"), [
    (EVERYTHING, set(range(MANY))), ("q3", {3}), (f"q{MANY - 1}", {MANY - 1})
])  # fmt: skip
def test_a_long_conversation_is_forgotten_too(retracted: str, expected: set[int]) -> None:
    """Of many posts most are not kept one by one; wherever their records stand, they are named."""
    books, _ = long_wait()

    changes = books.hear([gone(MANY, retracted)], WALL + MANY)

    assert expected == {fact.place for _, fact in changes.gone}


def test_a_long_wait_counts_its_posts() -> None:
    """Those that are not kept one by one too, once, though they are told again."""
    books, _ = long_wait()

    books.hear([asked("a", number, f"q{number}") for number in range(MANY)], WALL + MANY)

    [waiter] = books.waiters()
    assert ("q0", MANY) == (waiter.turn.post, waiter.turn.posts)
    assert len(books.states[Key("a", "heron", "c").encoded()]) < 64 * 1024


@pytest.mark.parametrize("number", [70, MANY])
def test_posts_retracted_one_by_one_wait_no_more(number: int) -> None:
    """Each by its own record, in either order: nobody is left that nothing ends."""
    for posts in (range(number), range(number)[::-1]):
        books, ledger = waits(), Ledger()
        for post in range(number):
            take(ledger, books.hear([asked("a", post, f"q{post}")], WALL + post))

        for place, post in enumerate(posts):
            take(ledger, books.hear([gone(number + place, f"q{post}")], WALL + number + place))

        assert ([], []) == (list(books.waiters()), list(ledger.turns()))
        assert {("heron", 0): 0} == books.waiting


@pytest.mark.parametrize("story", [long_wait, long_talk])
def test_forgetting_a_long_conversation_takes_back_what_was_told(story: Callable[[], tuple[Waits, Ledger]]) -> None:
    """Its turns are told as retracted, its outcomes as not standing, the gauges go down, the state goes."""
    books, ledger = story()

    changes = books.hear([gone(MANY, EVERYTHING)], WALL + MANY)
    take(ledger, changes)

    report = Books()
    ledger.fill(report)
    assert (0, 0) == (report.report().all.turns, report.report().all.waiting)
    assert {"retracted": 1} == report.report().all.outcomes
    assert Change.SUPERSEDED not in [change for _, change in told(changes)]
    assert not any(books.waiting.values())
    assert changes.states[Key("a", "heron", "c").encoded()] is None


def test_the_first_post_of_a_long_wait_can_be_moved() -> None:
    """The clock goes along into the other queue, as in a short one."""
    books, _ = long_wait()
    moved = Fact(WALL, Kind.ASKED, "q0", 3, Mark.PERSON, 1)

    changes = books.hear([Heard("a", "heron", "c", moved)], WALL + MANY)

    assert [("a", Change.REQUEUED)] == told(changes)
    assert {("heron", 0): 0, ("heron", 3): 1} == books.waiting


def test_a_late_answer_ends_a_long_wait() -> None:
    """Also one from among the posts that are not kept one by one; later posts wait for theirs."""
    books, ledger = long_wait()

    take(ledger, books.hear([answered("a", 10, "a1")], WALL + MANY))

    turns = sorted((turn.opened, turn.answer) for _, turn, _ in ledger.turns())
    assert (WALL, "a1") == turns[0]
    assert [""] == [answer for _, answer in turns[1:]]
    assert {("heron", 0): 1} == books.waiting


def test_versions_in_several_queues_are_all_retracted() -> None:
    """Moved and edited: each record is named, with the highest revision of all."""
    books = waits()
    versions = [(3, 0, 0, 5), (1, Mark.PERSON, 1, 6), (3, 0, 3, 7)]
    for queue, marks, revision, place in versions:
        fact = Fact(WALL + 1, Kind.ASKED, "q1", queue, marks, revision, place=place)
        books.hear([Heard("a", "heron", "c", fact)], WALL + 1)

    changes = books.hear([Heard("a", ANY, ANY, Fact(WALL + 9, Kind.GONE, "q1", marks=Mark.GONE))], WALL + 9)

    assert {(3, 5, 3), (1, 6, 3), (3, 7, 3)} == {(one.queue, one.place, one.latest) for _, one in changes.gone}


def test_what_is_told_again_leaves_nothing_behind() -> None:
    """Ten thousand doubles: no more to look at than before."""
    books = waits()
    events = [asked(str(number), 1, f"q{number}") for number in range(10)]
    for _ in range(1_000):
        books.hear(events, WALL + 1)

    assert 10 == len(books._due)


def test_a_message_is_about_what_has_not_come_to_rest() -> None:
    """Resolved on X on the first day, it stays so when the brand writes about something else on the third."""
    books = waits()
    word = Fact(WALL + 2, Kind.RESOLVED, "w", who="ann")
    books.hear([asked("a", 1, "q1"), answered("a", 2, "a1"), Heard("a", "heron", "c", word)], WALL + 3)
    books.hear([asked("a", 30_000, "q2", "d")], WALL + 30_000)

    message = Heard("a", "heron", ANY, Fact(WALL + 30_005, Kind.MESSAGED, "dm:1", who="care"))
    changes = [books.hear([message], WALL + 30_005), books.tick(WALL + 60_000)]

    settled = [(one.key.conversation, one.told.settled.outcome) for some in changes for one in some.told
               if one.told.settled]  # fmt: skip
    assert [("d", Outcome.MOVED_TO_DM)] == settled
    assert [Outcome.RESOLVED_ON_X] == [
        one.outcome for one in decode(books.states[Key("a", "heron", "c").encoded()]).settled
    ]


def test_a_message_moves_what_was_answered_lately() -> None:
    """Within the settle time the conversation goes on where the brand, or the customer, wrote."""
    books = waits()
    books.hear([asked("a", 1, "q1"), answered("a", 2, "a1")], WALL + 2)

    books.hear([Heard("a", "heron", ANY, Fact(WALL + 19_000, Kind.WROTE, "dm:1"))], WALL + 19_000)

    assert ["moved_to_dm"] == [
        one.told.settled.outcome.name.lower() for one in books.tick(WALL + 30_000).told if one.told.settled
    ]


def test_what_nobody_asked_has_no_outcome() -> None:
    """A word on it, or a retraction in another conversation, settles nothing where only the brand wrote."""
    books = waits()
    word = Heard("a", "heron", "d", Fact(WALL + 3, Kind.NOTED, "w", who="ann"))

    changes = [
        books.hear([one], WALL + 9) for one in (asked("a", 1, "q1"), gone(2, "q1"), answered("a", 3, "a1", "d"), word)
    ]
    changes.append(books.tick(WALL + 30_000))

    assert ["c"] == [one.key.conversation for some in changes for one in some.told if one.told.settled]


def test_a_message_from_before_is_about_something_else() -> None:
    """A private message that came before a conversation began answers and moves nothing in it."""
    books = waits()
    books.hear([Heard("a", "heron", ANY, Fact(WALL + 1, Kind.MESSAGED, "dm:1", who="care"))], WALL + 1)

    books.hear([asked("a", 5, "q1", "d"), answered("a", 6, "a1", "d")], WALL + 6)

    state = decode(books.states[Key("a", "heron", "d").encoded()])
    assert (Channel.X, "a1") == (state.channel, state.turns[0].answer)


@given(
    st.lists(
        st.tuples(*map(st.sampled_from, ("ab", range(0, 9_000, 7), range(10), (True, False), "cd"))),
        max_size=25,
    ),
    st.integers(0, 25),
)  # fmt: skip
def test_recovered_books_are_the_same(story: list[tuple[str, int, int, bool, str]], cut: int) -> None:
    """Made again from the topic in the middle: same counts, same oldest, and the same is told from there on."""
    events = [
        asked(who, at, f"{who}q{number}{talk}", talk) if asks else answered(who, at, f"{who}a{number}{talk}", talk)
        for who, at, number, asks, talk in story
    ]
    books = waits()
    kept: dict[bytes, bytes | None] = {}
    for event in events[:cut]:
        kept |= books.hear([event], WALL + 9_000).states

    again = recovered(kept, WALL + 9_000)

    assert books.states == again.states
    assert {name: count for name, count in books.waiting.items() if count} == again.waiting
    assert books.oldest("heron", 0) == again.oldest("heron", 0)
    rest = [books.hear(events[cut:], WALL + 9_000), books.tick(WALL + 60_000)]
    rest_again = [again.hear(events[cut:], WALL + 9_000), again.tick(WALL + 60_000)]
    assert [sorted(told(one)) for one in rest] == [sorted(told(one)) for one in rest_again]
    assert _timeless(books) == _timeless(again)


_WORDS = [(40, Kind.RESOLVED), (12, Kind.ASSIGNED), (99_000, Kind.RESOLVED), (25, Kind.HANDED_OFF), (3, Kind.NOTED)]
_ANY = [
    asked("a", 1, "q1"), answered("a", 8, "a1"), asked("a", 20, "q2"), asked("a", 60, "q3"),
    *(Heard("a", "heron", "c", Fact(WALL + at, kind, f"w{at}", who="ann")) for at, kind in _WORDS),
]  # fmt: skip


@given(st.permutations(_ANY), st.integers(1, 4), st.sampled_from([5, 30, 61, 4_062, 30_000, 99_001]))
def test_words_and_posts_of_an_old_year_in_any_order(events: list[Heard], size: int, later: int) -> None:
    """Whatever is heard first: the waits are those that follow from all facts at the posts' time."""
    books, year = waits(), 365 * 86_400_000

    for start in range(0, len(events), size):
        books.hear(events[start : start + size], WALL + year)
    books.tick(WALL + year + later)

    found = decode(books.states[Key("a", "heron", "c").encoded()])
    expected = view(known(one.fact for one in events), WALL + 60 + later, POLICY)
    assert expected.turns == found.turns
    assert expected.settled == found.settled
    assert WALL + 60 + later >= found.clock


def _timeless(books: Waits) -> dict[bytes, Conversation]:
    """The states, but for the time at which they were last looked at."""
    return {name: msgspec.structs.replace(decode(value), clock=0) for name, value in books.states.items()}
