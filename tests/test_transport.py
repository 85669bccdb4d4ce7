"""Our consumer class against the ways in which Faust's loses records; no broker is needed for the arithmetic."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from agents.app import App
from agents.transport import BUILT_ON, Batch, Consumer
from pipeline.settings import Settings

TWEETS = TP("tweets", 0)


def _consumer() -> Consumer:
    app = App("test", broker="kafka://127.0.0.1:1", web_enabled=False)
    app.settings = Settings()
    consumer = Consumer(app.transport, lambda _: None, lambda _: None, lambda *_: None)
    consumer._thread.thread_loop.close()  # made by its constructor, and never run here
    return consumer


def _records(offsets: Iterable[int], tp: TP = TWEETS) -> list[Any]:
    return [SimpleNamespace(topic=tp.topic, partition=tp.partition, offset=offset, timestamp=0) for offset in offsets]


def _commit(consumer: Consumer) -> dict[TP, int]:
    """What Faust would commit now: its own code, on our hooks."""
    offsets: dict[TP, int] = consumer._filter_committable_offsets(list(consumer._filter_tps_with_pending_acks()))
    consumer._committed_offset.update(offsets)
    return offsets


@pytest.fixture(autouse=True)
def _loop() -> Iterable[None]:
    """A current event loop, which Faust's constructors ask for."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()
    asyncio.set_event_loop(None)


def test_the_release_is_the_one_that_was_read() -> None:
    """The transport reaches into Faust: an upgrade must run the fault suite and then change this line."""
    assert BUILT_ON == faust.__version__


@pytest.mark.parametrize(
    ("committed", "offsets"),
    [(2585, [2586, 2587, 2588, 2589]), (2585, [2587, 2588]), (None, [1, 2, 3]), (0, [1, 2, 3])],
)
def test_l1_a_record_in_flight_is_not_committed_over(committed: int | None, offsets: list[int]) -> None:
    """The first record is still in flight while later ones are done: nothing is committed (Faust's issue 606)."""
    consumer = _consumer()
    consumer._committed_offset[TWEETS] = committed
    first = (committed or 0) if committed else 0
    Batch(consumer, {TWEETS: _records([first])})
    later = Batch(consumer, {TWEETS: _records(offsets)})

    later.done()

    assert {} == _commit(consumer)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.data())
def test_committed_never_passes_the_lowest_unacknowledged(lengths: list[int], data: st.DataObject) -> None:
    """For any order of acknowledgements the consumer commits at most the lowest record that is not acknowledged."""
    consumer = _consumer()
    starts = [sum(lengths[:index]) for index in range(len(lengths))]
    batches = [
        Batch(consumer, {TWEETS: _records(range(start, start + length))})
        for start, length in zip(starts, lengths, strict=True)
    ]
    open_starts = set(starts)

    for index in data.draw(st.permutations(range(len(batches)))):
        batches[index].done()
        open_starts.discard(starts[index])
        _commit(consumer)
        assert (consumer._committed_offset[TWEETS] or 0) <= min(open_starts, default=sum(lengths))

    assert sum(lengths) == consumer._committed_offset[TWEETS]


def test_l2_work_that_ends_with_an_error_is_not_committed() -> None:
    """A batch that ended without being done stays uncommitted, and so does all after it."""
    consumer = _consumer()
    failed, later = Batch(consumer, {TWEETS: _records([0, 1])}), Batch(consumer, {TWEETS: _records([2])})

    failed.begin()
    failed.end()
    later.done()

    assert {} == _commit(consumer)
    assert set() == consumer.at_work


@pytest.mark.parametrize(
    ("index", "expected"), [(0, {}), (1, {0: 6}), (2, {0: 7}), (3, {0: 7, 1: 21}), (4, {0: 7, 1: 22})]
)
def test_done_before_an_index(index: int, expected: dict[int, int]) -> None:
    """A batch that is cut short commits up to the cut, in each partition."""
    consumer = _consumer()
    other = TP("tweets", 1)
    batch = Batch(consumer, {TWEETS: _records([5, 6]), other: _records([20, 21], other)})

    batch.done_before(index)

    assert expected == {tp.partition: offset for tp, offset in _commit(consumer).items()}


def test_a_partition_taken_away_commits_nothing() -> None:
    """Work that ends after its partition was revoked moves no offset."""
    consumer = _consumer()
    batch = Batch(consumer, {TWEETS: _records([0, 1])})

    consumer.ledger.forget([TWEETS])
    batch.done()

    assert {} == _commit(consumer)


class Fetching:
    """A consumer whose thread says where it would fetch next."""

    def __init__(self, position: int, committed: int | None = None) -> None:
        self.consumer = _consumer()
        self.consumer._committed_offset[TWEETS] = committed
        self.consumer._thread = cast(Any, SimpleNamespace(next_fetched=lambda _: position, assignment=lambda: {TWEETS}))

    def passed_on(self) -> int:
        """All that was fetched is; up to where is all done?"""
        self.consumer._note_positions()
        return self.consumer.done_until(TWEETS)


@pytest.mark.parametrize("committed", [None, 0, 50])
def test_offsets_that_hold_nothing_are_done(committed: int | None) -> None:
    """A group that is new, or was away for longer than records are kept, has nothing to do before the first record."""
    assert 139 == Fetching(139, committed).passed_on()


def test_the_end_of_a_transaction_is_done() -> None:
    """Behind the last record stands its marker, which no consumer gets."""
    fetching = Fetching(position=3)
    batch = Batch(fetching.consumer, {TWEETS: _records([0, 1])})
    under_way = fetching.passed_on()
    batch.done()
    not_committed = fetching.passed_on()
    _commit(fetching.consumer)

    assert (0, 0, 3) == (under_way, not_committed, fetching.passed_on())


def test_a_position_of_before_a_seek_means_nothing() -> None:
    """What was fetched is void then, and is read again."""
    fetching = Fetching(position=9)
    fetching.passed_on()

    fetching.consumer._void_what_was_fetched()

    assert 0 == fetching.consumer.done_until(TWEETS)
