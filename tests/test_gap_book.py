"""The book of gaps: what lasts, what is due, what is written."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from pipeline.backoff import Cause
from pipeline.gap_book import GapBook
from pipeline.gaps import DAY_S, Gap
from pipeline.listener_metrics import ListenerMetrics
from pipeline.settings_listener import Prices


class Bench:
    """A book, what it wrote, and its metrics."""

    def __init__(self, *known: Gap) -> None:
        self.registry = CollectorRegistry()
        self.written: list[Gap] = []
        self.metrics = ListenerMetrics(self.registry, Prices(), lambda: 0.0)
        self.book = GapBook("x", known, self.metrics, self.written.append)

    def value(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.registry.get_sample_value(name, labels)


def test_one_outage_is_one_gap() -> None:
    """Whatever else goes wrong before posts come again makes it worse, not more; each change is written."""
    bench = Bench()
    bench.book.open(Cause.STALL, 100, 130)
    bench.book.open(Cause.UNAVAILABLE, 140, 141)
    gap = bench.book.end(150)

    assert gap is not None
    assert (Cause.STALL, (Cause.UNAVAILABLE,), 50) == (gap.cause, gap.causes, gap.seconds)
    assert [gap] == bench.book.all()
    assert 3 == len(bench.written)
    assert (1, 50) == (
        bench.value("triage_gaps_total", cause="stall"), bench.value("triage_gap_seconds_total", cause="stall")
    )  # fmt: skip


def test_without_a_gap_nothing_ends() -> None:
    """A first connection."""
    assert Bench().book.end(1) is None


def test_what_is_missing_for_good_is_a_gap_that_is_closed() -> None:
    """With its reason, beside one that lasts; nobody looks for it."""
    bench = Bench()
    lasting = bench.book.open(Cause.CLOSED, 100, 130)
    gap = bench.book.missing(Cause.RESTART, 90, 140, "the file is gone")

    assert (90, 140, 140, "the file is gone", 50) == (
        gap.since, gap.until, gap.closed_at, gap.note, bench.value("triage_gap_out_of_reach_seconds_total")
    )  # fmt: skip
    assert [gap, lasting] == bench.written[::-1]
    assert bench.book.due(60) is None
    assert 1 == bench.value("triage_gaps_open")


def test_what_could_not_be_kept_is_a_gap_of_its_own() -> None:
    """Counted, beside one of the connection, until lines can be kept again."""
    bench = Bench()
    bench.book.open(Cause.STALL, 100, 130)
    bench.book.lost(90, 131)
    bench.book.lost(95, 132)
    bench.book.end(140, overflow=True)

    overflow = next(gap for gap in bench.book.all() if gap.cause is Cause.OVERFLOW)
    assert (2, 90, 140) == (overflow.lost, overflow.since, overflow.until)
    assert (140, overflow) == bench.book.due(60)


def test_sweeps_close_it_and_what_is_due_first_comes_first() -> None:
    """The second one a minute after the gap's end."""
    bench = Bench()
    first = bench.book.open(Cause.STALL, 100, 130)
    bench.book.end(150)
    bench.book.swept(first.id, 151, 10, 4, 0)
    bench.book.open(Cause.CLOSED, 160, 170)
    second = bench.book.end(180)

    assert second is not None
    assert (180, second) == bench.book.due(60)
    closed = bench.book.swept(first.id, 211, 10, 1, 0)
    bench.book.give_up(second.id, 212, "cannot look back")
    assert (211, None) == (closed.closed_at, bench.book.due(60))
    assert (5, 0) == (bench.value("triage_posts_recovered_total", cause="stall"), bench.value("triage_gaps_open"))


def test_gaps_of_a_listener_that_ended_go_on() -> None:
    """One that lasted ends with the next connection; one that was not swept is due; a closed one is forgotten."""
    bench = Bench(
        Gap("a", "x", Cause.STALL, 100, 130),
        Gap("b", "x", Cause.CLOSED, 50, 60, until=70),
        Gap("c", "x", Cause.CLOSED, 10, 20, until=30, closed_at=40),
    )
    bench.book.open(Cause.RESTART, 90, 300)
    ended = bench.book.end(310)

    assert ended is not None
    assert ("a", 90, (Cause.RESTART,)) == (ended.id, ended.since, ended.causes)
    due = bench.book.due(60)
    assert due is not None
    assert (70, "b") == (due[0], due[1].id)
    assert ["c"] == bench.book.forget(100 + 7 * DAY_S - 50)


def test_a_listener_that_stands_by_says_nothing_of_gaps() -> None:
    """Another one has them now: what this one knew would call people until it is active again."""
    bench = Bench()
    bench.book.open(Cause.STALL, 100, 130)
    before = bench.value("triage_gaps_open")

    bench.metrics.active(False)

    assert (1, 0) == (before, bench.value("triage_gaps_open"))
