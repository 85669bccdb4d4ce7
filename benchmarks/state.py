"""`python -m benchmarks.state`: who waits, kept by every contender in turn; medians, in build/bench/state.json.

The same questions and answers, as routed records of two topics, become the same records of `responses`, one each, and
each changes the state of a conversation, which the contender keeps in its own way, with a topic behind it. Measured is
from a first share of the responses to the last, as their topic's ends say; all is read back and checked.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from agents import clients
from agents.broker import Broker
from benchmarks import kafka_streams
from benchmarks.arena import BENCH_PYTHON, ROOT, Arena, Measured, middle
from benchmarks.conversations import BRAND, records
from benchmarks.feed import fill
from benchmarks.read_responses import read_responses, state_topic
from benchmarks.recovery import measure
from pipeline.settings import Settings
from pipeline.topics import RESPONSES

REPORT = ROOT / "build" / "bench" / "state.json"
EVENTS, SLOW_EVENTS = 200_000, 20_000
WARM = 20_000
SLOW = ("faust_table",)
ORDER = ("worker", "kafka_streams", "quix_state", "faust_table")
NO_BACKLOG = 2**31
"""So many may wait before the worker tells of a backlog: it would be a record that the others do not write."""


PATIENCE_S = 60.0


class Run(NamedTuple):
    """One run, or the medians of several."""

    measured: Measured
    committed_after_s: float
    """How long after the last response the offsets of all events were committed, so that no state was under way."""


def main() -> None:
    """Run what was asked for, print the table, write the report."""
    arguments = _arguments()
    out = Console(width=120)
    found: dict[str, tuple[int, Run]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        properties = {"group.initial.rebalance.delay.ms": "3000", "log.retention.bytes": "-1"}
        with Broker(folder / "kafka", log=out.print, port=29192, heap_mb=1024, properties=properties) as broker:
            arena = Arena(broker, folder)
            for contender in ORDER if arguments.only is None else arguments.only:
                best = _best(arena, contender, arguments, out)
                if best is not None:
                    found[contender] = best
            recovery = measure(arena, arguments.conversations) if arguments.conversations else {}
    _show(found, out)
    out.print(recovery)
    _write(found, recovery)
    if not all(run.measured.complete for _, run in found.values()):
        sys.exit("some responses or states are missing or wrong")


def _best(arena: Arena, contender: str, arguments: argparse.Namespace, out: Console) -> tuple[int, Run] | None:
    """At the contender's own best number of processes."""
    count = min(arguments.events, SLOW_EVENTS) if contender in SLOW else arguments.events
    if contender == "kafka_streams" and not kafka_streams.found():
        out.print("kafka_streams: Maven or a JDK is missing, it is left out")
        return None
    tries = {}
    for processes in arguments.processes or ((1,) if contender == "kafka_streams" else (1, 2)):
        runs = [_once(arena, contender, processes, count) for _ in range(arguments.runs)]
        late = median(run.committed_after_s for run in runs)
        tries[processes] = Run(middle([run.measured for run in runs]), late)
        out.print(f"{contender} x{processes}: {_said(processes, tries[processes])}")
    processes = max(tries, key=lambda number: tries[number].measured.posts_per_s)
    return processes, tries[processes]


def _once(arena: Arena, contender: str, processes: int, count: int) -> Run:
    settings, file = arena.settings(more={"brands": [dict(BRAND)]}, responses={"backlog": NO_BACKLOG})
    fill(settings, records(settings, count, int(time.time() * 1000)))
    late = 0.0

    def commit() -> None:
        nonlocal late
        late = _seconds_until(lambda: _committed(settings) == count)

    commands = [_command(contender, file)] * processes
    measured = arena.run(settings, commands, count, skip=min(WARM, count // 10), names=[RESPONSES], then=commit)
    found = read_responses(BENCH_PYTHON, file, count, state_topic(contender, settings))
    if not found.complete(count):
        print(f"{contender} x{processes}: of {count} events {found}", file=sys.stderr)
    measured.complete = measured.complete and found.complete(count)
    return Run(measured, late)


def _command(contender: str, file: Path) -> list[str]:
    if contender == "worker":
        return [sys.executable, "-m", "agents", "--settings", str(file), "responses"]
    if contender == "kafka_streams":
        return kafka_streams.state_command(file)
    return [str(BENCH_PYTHON), "-m", f"benchmarks.contenders.{contender}", str(file)]


def _committed(settings: Settings) -> int:
    admin, group = clients.admin(settings.kafka), settings.responses.group
    try:
        offsets = admin.list_group_offsets({group: None})[group]
    finally:
        admin.close()
    return sum(max(0, one.offset) for one in offsets.values())


def _seconds_until(done: Callable[[], bool]) -> float:
    """How long it took; infinite where it did not happen."""
    started = time.monotonic()
    while not done():
        if time.monotonic() - started > PATIENCE_S:
            return math.inf
        time.sleep(0.1)
    return time.monotonic() - started


def _said(processes: int, run: Run) -> dict[str, object]:
    """As it stands in the report."""
    measured = run.measured
    return {
        "events_per_s": round(measured.posts_per_s),
        "processes": processes,
        "cpu_us_per_event": round(measured.cpu_us_per_post, 1),
        "broker_cpu_us_per_event": round(measured.broker_cpu_us_per_post, 1),
        "peak_rss_mb": round(measured.peak_rss_mb),
        "committed_after_s": round(run.committed_after_s, 1) if math.isfinite(run.committed_after_s) else None,
        "complete": measured.complete,
    }


def _show(found: dict[str, tuple[int, Run]], out: Console) -> None:
    heads = ("processes", "events/s", "CPU µs/event", "broker's", "peak MB", "committed after s", "complete")
    table = Table("contender", *heads, "worker is", title="response times, with state")
    ours = found["worker"][1].measured.posts_per_s if "worker" in found else 0.0
    for name, (processes, run) in found.items():
        said = _said(processes, run)
        ratio = f"{ours / run.measured.posts_per_s:.2f} times" if ours and name != "worker" else ""
        order = ("processes", "events_per_s", *(key for key in said if key not in ("processes", "events_per_s")))
        table.add_row(name, *(str(said[key]) for key in order), ratio)
    out.print(table)


def _write(found: dict[str, tuple[int, Run]], recovery: dict[str, float]) -> None:
    old = json.loads(REPORT.read_text()) if REPORT.exists() else {"contenders": {}}
    old["contenders"] |= {name: _said(processes, run) for name, (processes, run) in found.items()}
    old |= {"recovery": recovery} if recovery else {}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(old, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=ORDER, help="this contender; may be given again")
    parser.add_argument("--events", type=int, default=EVENTS, help="the slow ones get 20,000 at most")
    parser.add_argument("--conversations", type=int, default=1_000_000, help="so many are recovered; 0: none")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--processes", type=int, action="append", help="so many of each; may be given again")
    arguments = parser.parse_args()
    if not BENCH_PYTHON.exists():
        parser.error("the peers' environment is missing: `make .venv-bench/.ready` makes it")
    return arguments


if __name__ == "__main__":
    main()
