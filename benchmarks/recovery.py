"""A million open conversations taken over by one worker that begins with nothing: how long, how much memory, and ticks.

Measured on the real worker from its start until /readyz says yes; the ticks while it then has nothing else to do, and
the same with deadlines that are over.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError

from benchmarks.arena import Arena
from benchmarks.conversations import BRAND, partition_of
from benchmarks.feed import fill
from benchmarks.placed import Placed
from pipeline.facts import Fact, Kind
from pipeline.heard import Heard
from pipeline.kept import Key
from pipeline.policies import Policies
from pipeline.settings import Settings
from pipeline.topics import CONVERSATIONS
from pipeline.waits import Waits

AT_ONCE = 10_000
WITHIN_S = 300.0
TICKS = 20
MINUTE = 60_000


def measure(arena: Arena, count: int) -> dict[str, float]:
    """As it stands in build/bench/state.json."""
    settings, file = arena.settings(more={"brands": [dict(BRAND)]}, responses={"backlog": 2**31})
    fill(settings, _states(settings, count, int(time.time() * 1000)))
    log = file.with_suffix(".log")
    started = time.monotonic()
    with log.open("wb") as out:
        command = [sys.executable, "-m", "agents", "--settings", str(file), "responses"]
        process = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | {"TRIAGE_LOG_FORMAT": "console"})
    try:
        address = _ready(log, process)
        seconds = time.monotonic() - started
        ticks, longest = _ticks(address)
        return {
            "conversations": count,
            "seconds": round(seconds, 1),
            "peak_rss_mb": round(_peak_mb(process.pid)),
            "waiting": _samples(address, "triage_waiting"),
            "tick_ms_mean": round(ticks * 1000, 2),
            "tick_ms_at_most": longest * 1000,
        }
    finally:
        process.terminate()
        process.wait(30)


def _states(settings: Settings, count: int, now: int) -> Iterator[Placed]:
    """Customers who asked within the last quarter of an hour, and whom nobody has answered."""
    policies, at = Policies(settings), now - 15 * MINUTE
    for first in range(0, count, AT_ONCE):
        books = Waits(policies)
        heard = [_asked(number, at + number % (15 * MINUTE)) for number in range(first, min(count, first + AT_ONCE))]
        for key, value in books.hear(heard, now).states.items():
            partition = partition_of(Key.of(key).customer, settings.topics.partitions)
            yield Placed(CONVERSATIONS, partition, key, value or b"")


def _asked(number: int, at: int) -> Heard:
    post = str(1_856_000_000_000_000_000 + number)
    return Heard(str(1_000_000_000 + number), "acme", post, Fact(at, Kind.ASKED, post, 0, place=number))


def _ready(log: Path, process: subprocess.Popen[bytes]) -> str:
    """The address of its metrics, once it is ready."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
        found = [word for word in log.read_text().split() if word.startswith("http://")]
        try:
            if found and urllib.request.urlopen(found[0].replace("/metrics", "/readyz"), timeout=5).status == 200:
                return found[0]
        except (HTTPError, URLError, TimeoutError, ConnectionError):
            continue
    raise SystemExit(f"the worker is not ready: {log.read_text()[-2000:]}")


def _ticks(address: str) -> tuple[float, float]:
    """Mean seconds of a tick, and the bound under which all of them were."""
    before = _samples(address, "triage_tick_seconds_count"), _samples(address, "triage_tick_seconds_sum")
    buckets = _buckets(address)
    while (count := _samples(address, "triage_tick_seconds_count") - before[0]) < TICKS:
        time.sleep(0.5)
    took = _samples(address, "triage_tick_seconds_sum") - before[1]
    grown = {bound: number - buckets[bound] for bound, number in _buckets(address).items()}
    return took / count, min(bound for bound, number in grown.items() if number >= count)


def _buckets(address: str) -> dict[float, float]:
    lines = _lines(address, "triage_tick_seconds_bucket")
    return {float(line.split('le="')[1].split('"')[0]): float(line.rsplit(" ", 1)[1]) for line in lines}


def _samples(address: str, name: str) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in _lines(address, name))


def _lines(address: str, name: str) -> list[str]:
    with urllib.request.urlopen(address, timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return [line for line in lines if line.startswith((name + " ", name + "{"))]


def _peak_mb(pid: int) -> float:
    """The most memory that a process ever had, as Linux keeps it."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
