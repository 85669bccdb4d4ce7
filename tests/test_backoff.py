"""When to connect again: X's own figures, as a pure schedule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.backoff import GOOD_AFTER_S, WINDOW_S, Backoff, Cause


def _waits(causes: list[Cause], **how: float) -> list[float]:
    """How long is waited before each next attempt, each failing at once."""
    state, now, waits = Backoff(), 1000.0, []
    for cause in causes:
        state = state.ended(cause, now, **how)
        waits.append(state.not_before - now)
        now = state.not_before
    return waits


@pytest.mark.parametrize("cause", [Cause.DISCONNECT, Cause.STALL, Cause.CLOSED])
def test_errors_of_the_network_wait_a_little_longer_each_time(cause: Cause) -> None:
    """At once, then 250 ms more each time, up to 16 s."""
    waits = _waits([cause] * 80)

    assert waits[:4] == [0.0, 0.25, 0.5, 0.75]
    assert waits[64:] == [16.0] * 16


def test_after_a_good_connection_only_the_first_is_at_once() -> None:
    """X asks for one attempt at once; the next ones are each 250 ms later."""
    good = Backoff().ended(Cause.DISCONNECT, 0.0, lived_s=GOOD_AFTER_S)
    second = good.ended(Cause.DISCONNECT, 0.0)

    assert [0.0, 0.25, 0.5] == [one.not_before for one in (good, second, second.ended(Cause.DISCONNECT, 0.0))]


def test_errors_of_http_double() -> None:
    """From 5 s to 320 s."""
    assert _waits([Cause.UNAVAILABLE] * 9) == [5, 10, 20, 40, 80, 160, 320, 320, 320]


def test_too_many_requests_double_from_a_minute() -> None:
    """60 s, doubled each time."""
    assert _waits([Cause.LIMITED] * 5) == [60, 120, 240, 480, 960]


def test_the_reset_header_is_obeyed() -> None:
    """Not before X says so, and not before its schedule either."""
    assert 701 == Backoff().ended(Cause.LIMITED, 0.0, reset_at=700.0).not_before
    assert 60 == Backoff().ended(Cause.LIMITED, 0.0, reset_at=5.0).not_before


def test_a_limit_is_known_to_the_next_listener() -> None:
    """Until when X's limit holds is kept; other waits are this process's own."""
    assert 701 == Backoff().ended(Cause.LIMITED, 0.0, reset_at=700.0).limited_until
    assert 0 == Backoff().ended(Cause.UNAVAILABLE, 7.0).limited_until


@pytest.mark.parametrize("cause", [Cause.DISCONNECT, Cause.IN_STREAM, Cause.QUIET, Cause.CLOSED])
def test_after_a_good_connection_at_once(cause: Cause) -> None:
    """Whatever had gone wrong before."""
    state = Backoff()
    for _ in range(5):
        state = state.ended(Cause.UNAVAILABLE, 0.0)

    assert 7.0 == state.ended(cause, 7.0, lived_s=GOOD_AFTER_S).not_before


def test_a_server_that_accepts_and_closes_at_once_is_no_hot_loop() -> None:
    """Tweepy connects again at once for ever; here the waits grow, and X's limit of attempts holds."""
    state, now, attempts = Backoff(most=45), 0.0, []
    while now < 3600:
        state = state.reached(now).ended(Cause.CLOSED, now, lived_s=0.1)
        attempts.append(now)
        now = state.not_before

    assert max(sum(at <= one < at + WINDOW_S for one in attempts) for at in attempts) <= 45
    assert len(attempts) > 100, "it does not give up either"


def test_somebody_is_told_at_the_upper_bound() -> None:
    """The bound reached is visible, and a good connection takes it back."""
    state = Backoff()
    for _ in range(7):
        assert not state.at_bound
        state = state.ended(Cause.UNAVAILABLE, 0.0)

    assert state.at_bound
    assert not state.ended(Cause.DISCONNECT, 0.0, lived_s=GOOD_AFTER_S).at_bound


def test_waits_go_on_doubling_over_a_restart() -> None:
    """What the process before left: when it tried, and until when X's limit holds."""
    before = Backoff()
    waits = []
    for number in range(4):
        now = before.not_before
        before = before.reached(now).ended(Cause.LIMITED, now)
        waits.append(before.not_before - now)
        if number % 2:
            before = Backoff.resumed(before.attempts, before.limited_until, now + 1)

    assert [60, 120, 240, 480] == waits
    assert Backoff() == Backoff.resumed((), 0.0, 10.0)


def test_restarts_break_no_limit_of_attempts() -> None:
    """One that dies soon after it connected, and is started again each five seconds, waits for its turn too."""
    made: list[float] = []
    now = 0.0
    while now < 3600:
        begun = Backoff.resumed(tuple(made), 0.0, now)
        now = max(now, begun.not_before)
        made = list(begun.reached(now).attempts)
        assert len(made) <= 45
        now += 5

    assert len(made) > 20


def test_who_takes_over_again_knows_what_the_other_one_did() -> None:
    """Its attempts count, its limit holds; what is known of one's own last attempts is not forgotten for it."""
    mine = Backoff(attempts=(100.0, 200.0))
    theirs = Backoff.resumed((200.0, 400.0), 1301.0, 500.0)

    both = mine.joined(theirs)

    assert ((100.0, 200.0, 400.0), 1301.0, 1301.0) == (both.attempts, both.not_before, both.limited_until)
    assert both == theirs.joined(mine)


def test_own_waits_go_on_where_nobody_else_has_connected() -> None:
    """The lease was away for a moment only."""
    mine = Backoff(attempts=(100.0,)).ended(Cause.UNAVAILABLE, 100.0).ended(Cause.UNAVAILABLE, 105.0)

    both = mine.joined(Backoff.resumed((100.0,), 0.0, 106.0))

    assert mine == both


@given(st.lists(st.tuples(st.sampled_from(Cause), st.floats(0, 300), st.booleans()), max_size=300))
def test_no_mixture_breaks_the_limit_of_attempts(story: list[tuple[Cause, float, bool]]) -> None:
    """However connections end, and however long they live, at most so many reach X in 15 minutes."""
    state, now, attempts = Backoff(most=45), 0.0, []
    for cause, lived_s, reached in story:
        if reached:
            attempts.append(now)
            state = state.reached(now)
        now += lived_s
        state = state.ended(cause, now, lived_s=lived_s)
        assert state.not_before >= now
        now = state.not_before

    assert all(later - first >= WINDOW_S for first, later in zip(attempts, attempts[45:], strict=False))
