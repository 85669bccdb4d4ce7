"""Whether the turn that an answer is meant for is answered already."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.answered import answered, asked_in
from pipeline.changes import advance
from pipeline.facts import Fact, Kind
from pipeline.posting import Entry, State
from pipeline.replies import Reply
from pipeline.turns import Conversation, Policy

MINUTE = 60_000
POLICY = Policy(frozenset({0}), {0: 30 * MINUTE})
REPLY = Reply("r1", "reply", "acme", "x", "2026-01-01T00:00:00Z", "x:1", "5", "1")
OURS = Entry("r0", State.POSTED, "h", "acme", "reply", 0, 3 * MINUTE, "5", "1", "1", answer_id="900")
FACTS = [
    Fact(MINUTE, Kind.ASKED, "1", 0),
    Fact(2 * MINUTE, Kind.ASKED, "2", 0),
    Fact(3 * MINUTE, Kind.ANSWERED, "a", who="kim", parent="2"),
    Fact(5 * MINUTE, Kind.ASKED, "3", 0),
]


def conversation(*facts: Fact) -> Conversation:
    """Its state."""
    return advance(Conversation(), facts, 6 * MINUTE, POLICY).conversation


def to(post: str) -> Reply:
    """An answer to a post."""
    return msgspec.structs.replace(REPLY, post_id=post)


@pytest.mark.parametrize(("post", "late"), [("1", True), ("x:2", True), ("3", False), ("77", False)])
def test_by_the_state(post: str, late: bool) -> None:
    """A turn's answer answers all of its posts; a later post opens another; what is not known is not held."""
    assert late is bool(answered(to(post), conversation(*FACTS), ()))


def test_who_answered_is_said() -> None:
    """So that a helpdesk can look."""
    assert "its turn is answered already, by kim in a: force it, or leave it" == answered(
        REPLY, conversation(*FACTS), ()
    )


def test_nobody_answered_yet() -> None:
    """Neither by the state nor by ours."""
    assert answered(REPLY, conversation(*FACTS[:2]), ()) is None
    assert answered(REPLY, None, ()) is None


@pytest.mark.parametrize(("post", "late"), [("1", True), ("2", True), ("3", False)])
def test_by_ours_that_the_state_does_not_show_yet(post: str, late: bool) -> None:
    """Posted since the post was written, to whichever post of the conversation."""
    state = conversation(FACTS[0], FACTS[1], FACTS[3])

    assert late is bool(answered(to(post), state, [OURS]))


@pytest.mark.parametrize(
    "entry",
    [
        msgspec.structs.replace(OURS, state=State.FAILED),
        msgspec.structs.replace(OURS, kind="dm"),
        msgspec.structs.replace(OURS, id="r1"),
        msgspec.structs.replace(OURS, post_id="7"),
    ],
)
def test_what_is_no_answer_of_ours(entry: Entry) -> None:
    """What failed, a private message, the answer itself, one to another post of which no time is known."""
    assert answered(REPLY, None, [entry]) is None


def test_by_ours_without_a_state() -> None:
    """The same post is enough."""
    assert "the answer r0 was posted for it already (900): force it, or leave it" == answered(REPLY, None, [OURS])


@pytest.mark.parametrize("kind", ["dm", "post"])
def test_others_answer_no_turn(kind: str) -> None:
    """A private message and a post to all are never held."""
    reply = msgspec.structs.replace(REPLY, kind=kind)

    assert answered(reply, conversation(*FACTS), [OURS]) is None


def test_by_a_turn_that_is_summed_up() -> None:
    """A long conversation keeps its older posts in a sum: what was answered there is answered."""
    facts = [
        fact
        for at in range(MINUTE, 200 * MINUTE, MINUTE)
        for fact in (
            Fact(at, Kind.ASKED, f"{at}", 0, place=at),
            Fact(at + 1, Kind.ANSWERED, f"a{at}", who="kim", parent=f"{at}"),
        )
    ]
    state = advance(Conversation(), facts, 201 * MINUTE, POLICY).conversation

    assert state.summed is not None
    assert asked_in(state, f"{MINUTE}") is not None
    assert f"its turn is answered already, by kim in a{MINUTE}: force it, or leave it" == answered(
        to(f"{MINUTE}"), state, ()
    )
