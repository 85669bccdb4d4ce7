"""X in, X out, for half an hour of X's clock: `python -m benchmarks.soak_x`; writes build/soak-x.json.

Three parts on one broker: the listener with faults on a scaled clock; its throughput in real time; the poster killed
again and again in real time. The exit code is 1 where anything was lost or doubled, or X's schedule broken.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from agents.broker import Broker
from benchmarks import soak_listening, soak_posting
from benchmarks.listener import throughput

REPORT = Path(__file__).parents[1] / "build" / "soak-x.json"
CONNECTS = 50
"""X takes so many attempts to connect in 15 minutes."""
RATES = ((300.0, 60.0), (2000.0, 30.0))
SHORT_RATES = ((300.0, 5.0),)
NONE = (
    "lost", "edits_lost", "duplicates_after_dedupe", "gaps_open", "connects_without_gap", "lost_at_rates", "twice",
    "replies_lost", "unknown_and_not_hidden",
)  # fmt: skip
"""What must be 0."""


class Arguments(argparse.Namespace):
    """Of the command line."""

    minutes: float
    factor: float
    seed: int
    short: bool


def run(folder: Path, arguments: Arguments) -> dict[str, Any]:
    """All three parts; one object, as it is written."""
    short, seed = arguments.short, arguments.seed
    minutes = min(arguments.minutes, 4.0) if short else arguments.minutes
    restarts = 2 if short else 4
    with Broker(folder / "kafka", log=_say, port=19992) as broker:
        rates = []
        for number, (rate, seconds) in enumerate(SHORT_RATES if short else RATES):
            _say(f"{rate:g} posts a second for {seconds:g} s")
            rates.append(throughput(broker.bootstrap, _inside(folder, f"rate{number}"), rate, seconds))
        _say(f"{minutes:g} minutes of X's clock, {arguments.factor:g} times as fast")
        listening = soak_listening.Plan(minutes, arguments.factor, seed, restarts)
        heard = soak_listening.run(broker.bootstrap, _inside(folder, "listening"), listening)
        _say("the poster is killed")
        posting = _posting(seed, short=short)
        replies = soak_posting.run(broker.bootstrap, _inside(folder, "posting"), posting)
    p99 = {"p99_ms": rates[0]["p99_ms"]} | {f"p99_ms_at_{one['posts_per_s']:g}": one["p99_ms"] for one in rates[1:]}
    seeded = {"seed": seed, "minutes": minutes, "factor": arguments.factor}
    return heard | p99 | {"replies": replies, "rates": rates} | seeded


def _posting(seed: int, *, short: bool) -> soak_posting.Plan:
    if short:  # tests/faults/test_poster_kills.py has every point
        return soak_posting.Plan(("sending", "answer"), 2, seed, hide=False)
    return soak_posting.Plan(soak_posting.POINTS * 3, 20, seed, hide=True)


def failures(found: dict[str, Any]) -> list[str]:
    """What is not as it must be, a line each."""
    replies = found["replies"]
    counts = {name: found[name] for name in NONE if name in found}
    counts |= {"twice": replies["twice"], "replies_lost": replies["lost"]}
    counts |= {"unknown_and_not_hidden": replies["unknown_and_not_hidden"]}
    counts |= {"lost_at_rates": sum(one["lost"] for one in found["rates"])}
    wrong = [f"{name}: {counts[name]}, not 0" for name in NONE if counts[name]]
    if found["connects_per_15_min_max"] > CONNECTS:
        wrong.append(f"{found['connects_per_15_min_max']} attempts to connect in 15 minutes, X takes {CONNECTS}")
    return wrong


def main(arguments: list[str] | None = None) -> int:
    """Run it, write the report, say what is wrong; 1 where something is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak_x", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="of the fake X's clock")
    parser.add_argument("--factor", type=float, default=15.0, help="so many times as fast as the machine's it runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="a minute in all, as in `make test`")
    parser.add_argument("--report", type=Path, default=REPORT)
    read = parser.parse_args(arguments, namespace=Arguments())
    with TemporaryDirectory(prefix="soak-x-") as folder:
        found = run(Path(folder), read)
    read.report.parent.mkdir(parents=True, exist_ok=True)
    read.report.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))
    for line in (wrong := failures(found)):
        _say(line)
    return 1 if wrong else 0


def _inside(folder: Path, name: str) -> Path:
    inside = folder / name
    inside.mkdir()
    return inside


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
