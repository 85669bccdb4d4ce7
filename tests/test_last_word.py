"""The ledger of `responses`: of each turn the last word counts, also where topics have grown."""

from __future__ import annotations

import msgspec

from pipeline.facts import QUEUES
from pipeline.posts import Queue
from pipeline.responses import Response, TurnState, encode
from pipeline.told import Ledger, changes_something
from pipeline.turns import End

AT = "2026-11-26T07:00:00.000Z"
TURN = TurnState(
    "p", Queue.REACTIVE, wanted=True, opened_at=AT, deadline_at=AT, posts=1, first=True, state="waiting", ended_at=None,
    wait_s=1, business_s=1, breached=False, over_s=None, answer_id=None, answered_by=None, answered_in=None,
)  # fmt: skip
OPENED = Response("1.0", "e1", "opened", AT, "acme", "1", "c", 1, TURN)
ANSWERED = msgspec.structs.replace(
    OPENED,
    event_id="e2",
    event_type="answered",
    revision=2,
    turn=msgspec.structs.replace(TURN, state="answered", ended_at=AT, answer_id="a", answered_by="Acme",
                                 answered_in="public"),
)  # fmt: skip


def ends(*told: tuple[Response, int, int]) -> list[End]:
    """How the turns ended, of records with partition and timestamp in the order in which they are read."""
    ledger = Ledger()
    for said, partition, written in told:
        ledger.take(encode(said), partition, written)
    return [turn.end for _, turn, _ in ledger.turns()]


def test_the_last_word_of_a_partition_counts() -> None:
    """Whatever the clocks of its writers said."""
    assert [End.ANSWERED] == ends((OPENED, 0, 5), (ANSWERED, 0, 4))
    assert QUEUES[0] is Queue.REACTIVE


def test_of_two_partitions_the_later_one_counts() -> None:
    """In whichever order they are read."""
    assert [End.ANSWERED] == ends((OPENED, 0, 5), (ANSWERED, 3, 6))
    assert [End.ANSWERED] == ends((ANSWERED, 3, 6), (OPENED, 0, 5))


def test_a_turn_that_does_not_count_stays_so() -> None:
    """An older record of another partition does not bring it back."""
    gone = msgspec.structs.replace(OPENED, event_type="retracted")

    assert [] == ends((gone, 3, 6), (OPENED, 0, 5))


def test_what_states_must_say_too() -> None:
    """Turns and outcomes of customers; not backlogs, and not what cannot be read."""
    backlog = msgspec.structs.replace(OPENED, event_type="backlog_began", customer="", turn=None)

    assert [True, False, False, False] == [
        changes_something(value) for value in (encode(OPENED), encode(backlog), b"{", None)
    ]
