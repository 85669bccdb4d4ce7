"""Gaps: opened, worsened, ended, swept twice, closed with counts; and how far a sweep reaches."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.backoff import Cause
from pipeline.gaps import DAY_S, REACH_S, Checkpoint, Gap, after_restart, forgotten, open_gap
from pipeline.post_times import first_id, made_at

NOW = 1_800_000_000.0


def _gap() -> Gap:
    return open_gap("x", Cause.DISCONNECT, NOW - 30, NOW, 0)


def test_a_gap_from_its_opening_to_its_close() -> None:
    """It is due at once when posts come again, and a minute later; the second sweep closes it with the sum."""
    gap = _gap()
    assert gap.due(60) is None

    ended = gap.worsened(Cause.UNAVAILABLE).worsened(Cause.UNAVAILABLE).worsened(Cause.LIMITED).ended(NOW + 70)
    once = ended.swept(NOW + 71, read=10, recovered=7)
    closed = once.swept(NOW + 131, read=11, recovered=1)

    assert (Cause.UNAVAILABLE, Cause.LIMITED) == ended.causes
    assert (100, NOW + 70, NOW + 130, None) == (ended.seconds, ended.due(60), once.due(60), closed.due(60))
    assert (None, NOW + 131, 8) == (once.closed_at, closed.closed_at, closed.recovered)


def test_the_first_sweep_reaches_as_far_as_search_goes_and_the_second_to_the_end() -> None:
    """What came after the gap need not be paid for again."""
    gap = _gap().ended(NOW + 70)

    assert (NOW - 30, None) == gap.reach(NOW + 71)
    assert (NOW - 30, NOW + 80) == gap.reach(NOW + 130)


def test_what_is_older_than_search_reaches_is_said() -> None:
    """Seven days back, no more; the record has the rest."""
    gap = open_gap("x", Cause.RESTART, NOW - 10 * DAY_S, NOW, 0).ended(NOW)

    assert NOW - REACH_S == gap.reach(NOW)[0]
    assert 3 * DAY_S == gap.swept(NOW, 0, 0, 3 * DAY_S).swept(NOW, 0, 0).out_of_reach_s


@pytest.mark.parametrize(
    ("place", "mark", "proof"), [(None, None, None), ("7:42", "7:42", None), ("7:42|ab:1", "7:42", "ab:1")]
)
def test_a_checkpoint_keeps_a_place_in_two_parts(place: str | None, mark: str | None, proof: str | None) -> None:
    """Earlier versions find the mark as they know it."""
    checkpoint = Checkpoint(NOW).at(place)

    assert (place, mark, proof) == (checkpoint.place, checkpoint.mark, checkpoint.proof)


def test_a_restart_is_a_gap_and_a_first_start_is_none() -> None:
    """From the last checkpoint on."""
    gap = after_restart("x", Checkpoint(NOW - 500), NOW)

    assert gap is not None
    assert (Cause.RESTART, NOW - 500) == (gap.cause, gap.since)
    assert after_restart("x", None, NOW) is None


def test_a_gap_that_nobody_can_fill_is_closed_with_the_reason() -> None:
    """All of it is out of reach."""
    gap = _gap().ended(NOW).given_up(NOW, "a pipe cannot be read twice")

    assert (NOW, 30, None) == (gap.closed_at, gap.out_of_reach_s, gap.due(60))


def test_closed_records_are_kept_for_a_week() -> None:
    """Open ones for ever."""
    closed = msgspec.structs.replace(_gap(), closed_at=NOW)

    assert [False, False, True] == [
        forgotten(_gap(), NOW + 30 * DAY_S),
        forgotten(closed, NOW + 6 * DAY_S),
        forgotten(closed, NOW + 8 * DAY_S),
    ]


def test_gaps_survive_the_way_to_kafka_and_back() -> None:
    """Encoded and read again."""
    gap = _gap().worsened(Cause.STALL).ended(NOW).swept(NOW, 1, 1)

    assert gap == msgspec.json.decode(msgspec.json.encode(gap), type=Gap)


def test_ids_hold_the_time() -> None:
    """An id made from a time is not greater than that of any post made then."""
    assert NOW == made_at(first_id(NOW))
    assert first_id(NOW) < first_id(NOW + 0.001)
    assert 1 == first_id(0)
