"""One partition's conversations: who waits, what is due, what is forgotten, and the same again after recovery."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.changes import Change
from pipeline.facts import Fact, Kind, Mark
from pipeline.heard import ANY, Heard
from pipeline.turns import Conversation, Policy
from pipeline.waits import LINGER_MS, Changes, Key, Waits, decode

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
    return [(key.customer, one.change) for key, one in changes.told]


def recovered(kept: dict[bytes, bytes | None], written: int) -> Waits:
    """A partition made again from the topic."""
    again = waits()
    for key, value in kept.items():
        again.load(key, value, written)
    again.loaded()
    return again


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


def _timeless(books: Waits) -> dict[bytes, Conversation]:
    """The states, but for the time at which they were last looked at."""
    return {name: msgspec.structs.replace(decode(value), clock=0) for name, value in books.states.items()}
