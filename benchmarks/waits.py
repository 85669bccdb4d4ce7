"""One partition's conversations, a million of them: `python -m benchmarks.waits` writes build/bench/waits.json.

How many facts are taken a second, how long recovery takes once the topic is read, how much memory that is, and how long
a tick lasts when nothing is due, and when as much is due as one tick takes. No Kafka: that is the agent's part.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import psutil

from pipeline.facts import Fact, Kind
from pipeline.heard import Heard
from pipeline.turns import Policy
from pipeline.waits import Waits

CONVERSATIONS = 1_000_000
BATCH = 1_000
REPORT = Path(__file__).parents[1] / "build" / "bench" / "waits.json"
START = 1_764_000_000_000
MINUTE = 60_000
POLICY = Policy(frozenset({0, 1, 3}), {0: 30 * MINUTE, 1: 120 * MINUTE, 3: 30 * MINUTE})


def main(count: int = CONVERSATIONS) -> None:
    """Measure, print, write."""
    books, end = Waits(lambda _: POLICY), START + count
    started = perf_counter()
    for first in range(0, count, BATCH):
        books.hear([_asked(number) for number in range(first, first + BATCH)], end)
    heard = perf_counter() - started
    states = books.states
    del books
    before = psutil.Process().memory_info().rss
    books = Waits(lambda _: POLICY)
    recovery = _seconds(lambda: _recover(books, states, end))
    idle = _seconds(lambda: books.tick(end))
    busy = _seconds(lambda: books.tick(end + 25 * MINUTE))
    found = {
        "conversations": count,
        "facts_per_s": round(count / heard),
        "recovery_s": round(recovery, 1),
        "peak_rss_mb": round(psutil.Process().memory_info().rss / 1e6),
        "rss_before_recovery_mb": round(before / 1e6),
        "tick_ms": {"nothing due": round(idle * 1000, 2), "as much as it takes": round(busy * 1000, 1)},
    }
    print(json.dumps(found, indent=1))
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(found, indent=1) + "\n")


def _asked(number: int) -> Heard:
    post = str(1_856_000_000_000_000_000 + number)
    fact = Fact(START + number, Kind.ASKED, post, number % 4, place=number)
    return Heard(str(1_000_000_000 + number), "northwind", post, fact)


def _recover(books: Waits, states: dict[bytes, bytes], written: int) -> None:
    for key, value in states.items():
        books.load(key, value, written)
    books.loaded()


def _seconds(act: Callable[[], object]) -> float:
    started = perf_counter()
    act()
    return perf_counter() - started


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
