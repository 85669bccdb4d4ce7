"""`make bench`: every contender in turn on the same posts, medians of three, ratios, and latency at three rates."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agents.broker import Broker
from benchmarks import kafka_streams
from benchmarks.arena import BENCH_PYTHON, ROOT, Arena, Measured, middle
from benchmarks.latency import latencies
from benchmarks.read_back import read_back

REPORT = ROOT / "build" / "bench" / "main.json"
POSTS, SLOW_POSTS = 200_000, 20_000
SLOW = ("confluent_ngrams", "faust_plain", "quix")
SAME_MODEL = ("worker", "kafka_streams")
"""Their records must be the same value for value; of the others all but the verdict."""
BY_KEY = ("quix",)
"""Its partitions cannot be chosen: its records stand where their keys hash to."""
WARM = 20_000
ORDER = ("worker", "confluent_loop", "confluent_ngrams", "kafka_streams", "faust_plain", "quix")


def main() -> None:
    """Run what was asked for, print the tables, write the report."""
    arguments = _arguments()
    out = Console(width=120)
    found: dict[str, tuple[int, Measured]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        properties = {"group.initial.rebalance.delay.ms": "3000", "log.retention.bytes": "-1"}
        with Broker(folder / "kafka", log=out.print, port=29192, heap_mb=1024, properties=properties) as broker:
            arena = Arena(broker, folder)
            for contender in arguments.only or ORDER:
                best = _best(arena, contender, arguments, out)
                if best is not None:
                    found[contender] = best
        half = found["worker"][1].posts_per_s / 2 if "worker" in found else 10_000
        rates = {"100": 100.0, "1000": 1000.0, "half": half}
        with Broker(folder / "fresh", log=out.print, port=29192, heap_mb=1024) as broker:
            latency = {} if arguments.no_latency else latencies(Arena(broker, folder), rates, seconds=arguments.seconds)
    _show(found, latency, out)
    _write(found, latency)
    if not all(measured.complete for _, measured in found.values()):
        sys.exit("some outputs are missing")


def _best(arena: Arena, contender: str, arguments: argparse.Namespace, out: Console) -> tuple[int, Measured] | None:
    """At the contender's own best number of processes."""
    count = min(arguments.posts, SLOW_POSTS) if contender in SLOW else arguments.posts
    if contender == "kafka_streams" and not kafka_streams.found():
        out.print("kafka_streams: Maven or a JDK is missing, it is left out")
        return None
    tries = {}
    for processes in arguments.processes or ((1,) if contender == "kafka_streams" else (1, 2, 3)):
        runs = [_once(arena, contender, processes, count) for _ in range(arguments.runs)]
        tries[processes] = middle(runs)
        out.print(f"{contender} x{processes}: {tries[processes].posts_per_s:,.0f} posts/s {asdict(tries[processes])}")
    processes = max(tries, key=lambda number: tries[number].posts_per_s)
    return processes, tries[processes]


def _once(arena: Arena, contender: str, processes: int, count: int) -> Measured:
    settings, file = arena.settings()
    arena.load(settings, count)
    skip = min(WARM, count // 10)
    measured = arena.run(settings, [_command(contender, file)] * processes, count, skip=skip)
    checked = read_back(BENCH_PYTHON, file, same_model=contender in SAME_MODEL)
    wrong = 0 if contender in BY_KEY else checked.wrong
    if wrong:
        print(checked, file=sys.stderr)
    measured.complete = measured.complete and checked.unique == count and not wrong
    return measured


def _command(contender: str, file: Path) -> list[str]:
    if contender == "worker":
        return [sys.executable, "-m", "agents", "--settings", str(file), "worker"]
    if contender == "kafka_streams":
        return kafka_streams.command(file)
    return [str(BENCH_PYTHON), "-m", f"benchmarks.contenders.{contender}", str(file)]


def _show(found: dict[str, tuple[int, Measured]], latency: dict[str, dict[str, float]], out: Console) -> None:
    table = Table(
        "contender", "processes", "posts/s", "CPU µs/post", "broker's", "peak MB", "worker is", title="throughput"
    )
    ours = found["worker"][1].posts_per_s if "worker" in found else 0.0
    for name, (processes, run) in found.items():
        ratio = f"{ours / run.posts_per_s:.2f} times" if ours and name != "worker" else ""
        row = (f"{run.posts_per_s:,.0f}", f"{run.cpu_us_per_post:.1f}", f"{run.broker_cpu_us_per_post:.1f}")
        table.add_row(name, str(processes), *row, f"{run.peak_rss_mb:.0f}", ratio)
    out.print(table)
    second = Table("posts/s", "p50 ms", "p99 ms", "p99.9 ms", title="latency, Kafka timestamp to routed timestamp")
    for name, values in latency.items():
        second.add_row(name, *(f"{values[key]:.1f}" for key in ("p50", "p99", "p999")))
    out.print(second)


def _write(found: dict[str, tuple[int, Measured]], latency: dict[str, dict[str, float]]) -> None:
    old = json.loads(REPORT.read_text()) if REPORT.exists() else {"contenders": {}, "latency_ms": {}}
    for name, (processes, run) in found.items():
        old["contenders"][name] = asdict(run) | {"processes": processes}
    old["latency_ms"] |= latency
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(old, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=ORDER, help="this contender; may be given again")
    parser.add_argument("--posts", type=int, default=POSTS)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each rate of the latency table lasts")
    parser.add_argument("--processes", type=int, action="append", help="so many of each; may be given again")
    parser.add_argument("--no-latency", action="store_true")
    arguments = parser.parse_args()
    if not BENCH_PYTHON.exists() and shutil.which("uv") is None:
        parser.error("the peers' environment is missing: run it through `make bench`")
    return arguments


if __name__ == "__main__":
    main()
