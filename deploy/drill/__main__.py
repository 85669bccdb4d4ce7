"""`make drill`: each fault is made, its alerts must fire and end and no others; writes build/drill.json.

Spans in the rules are divided by a factor, so that an hour passes in a minute. Kafka's and X's own times, and those
of the programs, are as in life.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import NamedTuple

from deploy.drill.faults import FAULTS, SHORT, SLOW, Fault
from deploy.drill.place import ROOT, Place, made
from deploy.drill.watch import Alarm, until

REPORT = ROOT / "build" / "drill.json"
FACTOR = 60
QUIET_S = 30.0
"""So long nothing may fire before the first fault ..."""
CALM_S = 5.0
"""... and so long before each other one."""
WITHIN_S = 300.0


class Row(NamedTuple):
    """A line of build/drill.json."""

    fault: str
    alert: str
    seconds_to_fire: float
    seconds_to_end: float


class Found(NamedTuple):
    """What came of one fault."""

    rows: list[Row]
    beside: list[Alarm]
    wrong: list[Alarm]


def drill(place: Place, fault: Fault) -> Found:
    """Make one fault, wait for its alerts, end it, wait until they end."""
    watch, before = place.watch, place.watch.now()
    began = time.monotonic()
    fault.begin(place)
    until(lambda: _fired(place, fault, began), WITHIN_S, f"{fault.name}: all of {', '.join(fault.alerts)} fire")
    fault.end(place)
    ended = time.monotonic()
    until(lambda: _over(place), WITHIN_S, f"{fault.name}: ended, and all alerts end")
    rows = [
        Row(fault.name, name, round(watch.fired(name, began) or 0.0, 1), round(watch.ended(name, ended), 1))
        for name in fault.alerts
    ]
    others = sorted(alarm for alarm in watch.seen(began) - before if alarm.name not in fault.alerts)
    return Found(rows, others, [alarm for alarm in watch.seen(began) - before if not _right(alarm, fault)])


def _fired(place: Place, fault: Fault, began: float) -> bool:
    return all(place.watch.fired(name, began) is not None for name in fault.alerts)


def _over(place: Place) -> bool:
    """Whether nothing fires, and has not for a while, but what looks back for hours; no fault may end a program."""
    for program in place.programs.values():
        program.check()
    fired = place.watch.now() | place.watch.seen(time.monotonic() - CALM_S)
    return all(alarm.name in SLOW for alarm in fired)


def _right(alarm: Alarm, fault: Fault) -> bool:
    if alarm.name == "TriageGone" and alarm.component != fault.program:
        return False
    return alarm.name in (*fault.alerts, *fault.beside)


def run(folder: Path, prometheus: str, faults: Iterable[Fault]) -> list[Found]:
    """Start all, be quiet for a while, make the faults.

    Raises:
        TimeoutError: an alert does not fire, or does not end.
    """
    found = []
    with made(folder, prometheus, FACTOR) as place:
        began = time.monotonic()
        time.sleep(QUIET_S)
        found.append(Found([], [], sorted(place.watch.seen(began))))
        _say(f"{QUIET_S:g} s without a fault: {_names(found[0].wrong) or 'nothing fires'}")
        for fault in faults:
            found.append(drill(place, fault))
            _say_found(found[-1])
    return found


def _say_found(found: Found) -> None:
    for row in found.rows:
        life = f"{row.seconds_to_fire * FACTOR / 60:.0f} min in life"
        times = f"fires {row.seconds_to_fire:5.1f} s ({life}), ends {row.seconds_to_end:5.1f} s"
        _say(f"{row.fault:40} {row.alert:24} {times}")
    if found.beside:
        _say(f"{'':40} beside: {_names(found.beside)}")
    if found.wrong:
        _say(f"{'':40} WRONG: {_names(found.wrong)}")


def _names(alarms: Iterable[Alarm]) -> str:
    return ", ".join(f"{alarm.name} ({alarm.severity})" for alarm in alarms)


def main(arguments: list[str] | None = None) -> int:
    """Drill, write the report; 1 where an alert fires that is wrong."""
    parser = argparse.ArgumentParser(prog="python -m deploy.drill", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--short", action="store_true", help="two faults only, as in `make deploy-test`")
    parser.add_argument("--only", default="", help="faults with this word in their name")
    parser.add_argument("--folder", type=Path, help="where logs and data stay; else nowhere")
    parser.add_argument("--report", type=Path, default=REPORT)
    asked = parser.parse_args(arguments)
    prometheus = which("prometheus", path=str(ROOT / "build" / "tools")) or which("prometheus")
    if prometheus is None:
        _say("prometheus is not there: bash deploy/tools.sh debian brings it, or says why not")
        return 2
    faults = [fault for fault in (SHORT if asked.short else FAULTS) if asked.only in fault.name]
    if asked.folder:
        asked.folder.mkdir(parents=True)
    with TemporaryDirectory(prefix="drill-") as folder:
        found = run(asked.folder or Path(folder), prometheus, faults)
    rows = [row._asdict() for one in found for row in one.rows]
    asked.report.parent.mkdir(parents=True, exist_ok=True)
    asked.report.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 1 if any(one.wrong for one in found) else 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
