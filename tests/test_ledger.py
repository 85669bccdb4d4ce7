"""The ledger: the committed offset never passes a record that is not done."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.ledger import Ledger, Span

SPANS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=12)
"""Lengths of spans, and of the gaps before them."""


def _open_all(ledger: Ledger[str], shape: list[tuple[int, int]], start: int = 0) -> list[Span]:
    spans, offset = [], start
    for length, gap in shape:
        spans.append(ledger.open("p", offset + gap, offset + gap + length))
        offset += gap + length
    return spans


def test_nothing_done_nothing_committed() -> None:
    """With a span open and none done there is nothing to commit."""
    ledger: Ledger[str] = Ledger()
    ledger.open("p", 0, 10)

    assert ledger.committable("p") is None


def test_a_later_span_waits_for_an_earlier_one() -> None:
    """A span that is done stays uncommitted while an earlier one is open."""
    ledger: Ledger[str] = Ledger()
    first, second = ledger.open("p", 2585, 2586), ledger.open("p", 2586, 2590)

    second.done = True
    early = ledger.committable("p")
    first.done = True
    late = ledger.committable("p")

    assert (None, 2590) == (early, late)


@given(SPANS, st.data())
def test_never_past_an_open_record(shape: list[tuple[int, int]], data: st.DataObject) -> None:
    """For any order of acknowledgements and any gaps, the committed offset never passes the lowest open record."""
    ledger: Ledger[str] = Ledger()
    spans = _open_all(ledger, shape)
    committed = 0

    for index in data.draw(st.permutations(range(len(spans)))):
        spans[index].done = True
        committed = ledger.committable("p") or committed
        still_open = [span.first for span in spans if not span.done]
        assert committed <= min(still_open, default=spans[-1].end)

    assert spans[-1].end == committed


def test_forgotten_spans_do_not_come_back() -> None:
    """What was under way in a partition that was taken away commits nothing when it is done."""
    ledger: Ledger[str] = Ledger()
    span = ledger.open("p", 0, 10)

    ledger.forget(["p"])
    span.done = True

    assert ledger.committable("p") is None
    assert ledger.partitions() == []


def test_waiting_since_is_the_oldest_open() -> None:
    """The age of the lag is that of the oldest span that is not done."""
    ledger: Ledger[str] = Ledger()
    first = ledger.open("p", 0, 10, since=1000)
    ledger.open("p", 10, 20, since=2000)

    first.done = True

    assert 2000 == ledger.waiting_since("p")
