"""Dead letters: headers that read back, and the limit that says when the fault must be ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dead import DeadLetter, DeadLimit, headers, read_headers
from pipeline.errors import BadMessage, Reason
from pipeline.route import Place

OFFSETS = st.integers(-1, 2**63 - 1)
BATCHES = st.lists(st.lists(st.booleans(), max_size=12), max_size=12)


@given(st.sampled_from(Reason), st.text(), OFFSETS, OFFSETS, st.integers(1, 1000))
def test_headers_read_back(reason: Reason, detail: str, offset: int, timestamp: int, attempt: int) -> None:
    """What the headers of a dead letter say is what was written."""
    place = Place("p.tweets", 11, offset, timestamp, attempt=attempt)

    letter = read_headers(headers(BadMessage(reason, detail), place, "classify"))

    assert DeadLetter(reason, detail, "classify", "p.tweets", 11, offset, timestamp, attempt) == letter


def test_the_id_is_the_place() -> None:
    """Topic, partition and offset: the same record, dead-lettered twice, is one."""
    found = headers(BadMessage(Reason.NOT_JSON, ""), Place("tweets", 3, 41, 0))

    assert b"tweets:3:41" == dict(found)["dlq.id"]
    assert "tweets:3:41" == read_headers(found).id


def test_a_detail_of_half_characters_is_written_all_the_same() -> None:
    """A detail that is no UTF-8 does not stop a dead letter."""
    found = headers(BadMessage(Reason.FAILED, "half \ud83d"), Place("tweets", 0, 0, 0))

    assert "half ?" == read_headers(found).detail


def test_other_headers_are_passed_over() -> None:
    """Headers that others add do not matter."""
    found = headers(BadMessage(Reason.FAILED, "x"), Place("tweets", 0, 0, 0))

    assert read_headers(found) == read_headers([("traceparent", b"\xff"), *found, ("dlq.later", b"1")])


@pytest.mark.parametrize(
    "found",
    [
        [],
        [("dlq.reason", b"not_json")],
        [*headers(BadMessage(Reason.FAILED, ""), Place("t", 0, 0, 0)), ("dlq.reason", b"no such reason")],
        [*headers(BadMessage(Reason.FAILED, ""), Place("t", 0, 0, 0)), ("dlq.offset", b"many")],
        [*headers(BadMessage(Reason.FAILED, ""), Place("t", 0, 0, 0)), ("dlq.detail", b"\xff")],
    ],
)
def test_what_is_not_ours_is_refused(found: list[tuple[str, bytes]]) -> None:
    """Headers that the worker did not write raise, whatever is wrong with them."""
    with pytest.raises(ValueError, match=r"no dead letter of ours|invalid start byte"):
        read_headers(found)


def test_a_good_record_starts_the_run_anew() -> None:
    """The fourth in a row passes a limit of three, over batches and empty ones; a good one ends the run."""
    limit = DeadLimit(in_row=3, share=1.0, window=1000)

    found = [limit.passed_at(batch) for batch in ([True, True, False], [True], [], [True, True, True, False])]

    assert [None, None, None, 2] == found


def test_a_share_passes_the_limit() -> None:
    """More than half of the window broken passes, though there are never three in a row."""
    limit = DeadLimit(in_row=10, share=0.5, window=4)

    assert 5 == limit.passed_at([True, False, True, False, True, True, False])


class SlowLimit:
    """The limit as its words have it: all records kept, all counted again each time."""

    def __init__(self, *, in_row: int, share: float, window: int) -> None:
        self.in_row, self.share, self.window = in_row, share, window
        self.seen: list[bool] = []

    def passed_at(self, broken: list[bool]) -> int | None:
        """Look at the run's length and the window's share after each record that is broken."""
        for index, is_broken in enumerate(broken):
            self.seen.append(is_broken)
            run = next((length for length, one in enumerate(reversed(self.seen)) if not one), len(self.seen))
            if is_broken and (run > self.in_row or sum(self.seen[-self.window :]) > self.share * self.window):
                return index
        return None


@given(BATCHES, st.integers(1, 6), st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]), st.integers(1, 9))
def test_the_limit_is_as_its_words_have_it(batches: list[list[bool]], in_row: int, share: float, window: int) -> None:
    """Over any batches the limit says what a slow and obvious one says."""
    limit = DeadLimit(in_row=in_row, share=share, window=window)
    slow = SlowLimit(in_row=in_row, share=share, window=window)

    for batch in batches:
        expected = slow.passed_at(batch)
        assert expected == limit.passed_at(batch)
        if expected is not None:
            break


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 60))
def test_batches_do_not_matter(records: list[bool], cut: int) -> None:
    """However records are cut into batches, the limit is passed with the same one."""
    whole, parts = (DeadLimit(in_row=4, share=0.5, window=10) for _ in range(2))

    first = parts.passed_at(records[:cut])
    second = parts.passed_at(records[cut:]) if first is None else None

    found = first if first is not None or second is None else second + len(records[:cut])
    assert whole.passed_at(records) == found


def test_says_which_setting() -> None:
    """The message names the limit that was passed and its setting."""
    run, share = DeadLimit(in_row=2, share=1, window=100), DeadLimit(in_row=1000, share=0.02, window=100)

    assert (2, 4) == (run.passed_at([True] * 5), share.passed_at([True, False, True, False, True]))
    assert "more than 2 records in a row are broken (worker.dead_in_row)" == run.says()
    assert "more than 2% of the last 100 records are broken (worker.dead_share)" == share.says()
