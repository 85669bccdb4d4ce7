"""Counts of the whole way round: which clocks were stopped by an answer that went out to X and came back."""

from __future__ import annotations

from itertools import permutations

import msgspec
import pytest

from pipeline.loop import Loop
from pipeline.posts import Queue
from pipeline.replies import Reply
from pipeline.responses import ReplyState, Response, TurnState

AT = "2026-03-01T10:00:00.000Z"


def _asked(identity: str) -> Reply:
    return Reply(identity, "reply", "acme", "We look into it", AT, "x:1", "5", "1")


def _posted(identity: str, answer_id: str) -> Response:
    state = ReplyState(identity, "reply", "posted", "x:1", answer_id)
    return Response("1.0", "e", "reply_posted", AT, "acme", "5", "1", 0, reply=state)


def _answered(post: str, answer_id: str, wait_s: float, *, first: bool = True) -> Response:
    turn = TurnState(
        post, Queue.REACTIVE, True, AT, None, 1, first, "answered", AT, wait_s, wait_s, False, None, answer_id,
        "Acme", "public",
    )  # fmt: skip
    return Response("1.0", "e", "answered", AT, "acme", "5", "1", 1, turn=turn)


@pytest.fixture
def loop() -> Loop:
    """Two answers are asked for."""
    loop = Loop()
    loop.asked = {"a": _asked("a"), "b": _asked("b")}
    return loop


RECORDS = [_posted("a", "91"), _posted("b", "92"), _answered("1", "91", 4.0), _answered("2", "92", 2.0)]


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_the_order_does_not_matter(loop: Loop, order: tuple[int, ...]) -> None:
    """The poster and the responses worker tell each in their own time."""
    for place in order:
        loop.add_response(RECORDS[place])

    assert (2, 2, 3.0) == (loop.posted, loop.stopped, loop.first_response_s)


def test_an_answer_of_somebody_else_is_not_ours(loop: Loop) -> None:
    """A clock that was stopped by what the poster did not post has not gone the whole way."""
    loop.add_response(_posted("a", "91"))
    loop.add_response(_answered("1", "77", 4.0))

    assert (1, 0, None) == (loop.posted, loop.stopped, loop.first_response_s)


def test_next_responses_are_no_first_ones(loop: Loop) -> None:
    """The median is that of first responses."""
    for record in (*RECORDS[:3], _answered("2", "92", 50.0, first=False)):
        loop.add_response(record)

    assert (2, 4.0) == (loop.stopped, loop.first_response_s)


def test_settled(loop: Loop) -> None:
    """Everything is told and everything posted has come back; a failed answer is waited for no longer."""
    before = loop.settled
    failed = msgspec.structs.replace(RECORDS[1], reply=ReplyState("b", "reply", "failed", "x:1"))
    for record in (RECORDS[0], failed):
        loop.add_response(record)
    between = loop.settled
    loop.add_response(RECORDS[2])

    assert (False, False, True) == (before, between, loop.settled)


def test_a_post_that_is_not_routed_is_waited_for(loop: Loop) -> None:
    """What X sent is under way until it is in a queue."""
    loop.asked, loop.heard = {}, 1

    assert not loop.settled


def test_json(loop: Loop) -> None:
    """One line, for programs."""
    for record in RECORDS:
        loop.add_response(record)

    found = msgspec.json.decode(loop.as_json())

    assert (2, 2, 2, 3.0) == tuple(
        found[name] for name in ("asked", "answered", "clocks_stopped", "median_first_response_s")
    )
