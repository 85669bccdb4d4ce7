"""Dead letters: what their headers keep, and when there are too many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dead import DeadLetter, DeadLimit, headers, read_headers
from pipeline.errors import BadMessage, Reason
from pipeline.route import Place

PLACE = Place("tweets", 3, 42, 1_700, attempt=2)


@given(st.sampled_from(Reason), st.text())
def test_headers_round_trip(reason: Reason, detail: str) -> None:
    """What was written is read back; what UTF-8 cannot carry is replaced."""
    expected = detail.encode("utf-8", "replace").decode()

    found = read_headers(headers(BadMessage(reason, detail), PLACE, "decode"))

    assert DeadLetter(reason, expected, "decode", "tweets", 3, 42, 1_700, 2) == found
    assert "tweets:3:42" == found.id


def test_other_records_are_refused() -> None:
    """A record without our headers is no dead letter of ours."""
    with pytest.raises(ValueError, match="no dead letter of ours"):
        read_headers([("dlq.reason", b"not_json")])


def test_a_run_passes_the_limit() -> None:
    """The fourth in a row passes a limit of three; a good one in between starts anew."""
    limit = DeadLimit(in_row=3, share=1.0, window=1000)

    assert [None, None, 2] == [
        limit.passed_at([True, True, False]),
        limit.passed_at([True]),
        limit.passed_at([True, True, True, False]),
    ]
    assert "dead_in_row" in limit.says()


def test_a_share_passes_the_limit() -> None:
    """More than half of the window broken passes, though never two in a row."""
    limit = DeadLimit(in_row=10, share=0.5, window=4)

    found = limit.passed_at([True, False, True, False, True, True, False])

    assert 5 == found
    assert "dead_share" in limit.says()


class SlowLimit:
    """The same rule, recounted from the whole history each time."""

    def __init__(self, *, in_row: int, share: float, window: int) -> None:
        self.rule = (in_row, share, window)
        self.history: list[bool] = []

    def passed_at(self, broken: list[bool]) -> int | None:
        """The index of the broken record with which a limit is passed."""
        in_row, share, window = self.rule
        for index, one in enumerate(broken):
            self.history.append(one)
            run = next((n for n, b in enumerate(reversed(self.history)) if not b), len(self.history))
            if one and (run > in_row or sum(self.history[-window:]) > share * window):
                return index
        return None


@given(
    st.lists(st.lists(st.booleans(), max_size=8), max_size=8),
    st.integers(1, 5),
    st.sampled_from([0.25, 0.5, 1.0]),
    st.integers(1, 12),
)
def test_the_limit_against_a_slow_one(batches: list[list[bool]], in_row: int, share: float, window: int) -> None:
    """For any batches the fast limit stops at the same record as the slow one."""
    fast = DeadLimit(in_row=in_row, share=share, window=window)
    slow = SlowLimit(in_row=in_row, share=share, window=window)

    for batch in batches:
        expected = slow.passed_at(batch)
        assert expected == fast.passed_at(batch)
        if expected is not None:
            return
