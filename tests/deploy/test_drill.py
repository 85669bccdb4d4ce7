"""The drill in its short form: a real Prometheus, real programs, two faults; `make drill` makes all of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from deploy_tools import ROOT

from deploy.drill.watch import Alarm, Watch

PYTHON = ROOT / ".venv" / "bin" / "python"
"""The programs' own environment; that of these tests has what checks files."""


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("prometheus")
def test_alerts_fire_and_end_with_their_faults(tmp_path: Path) -> None:
    """Poison and a killed worker: each fires its alert and no other, and both end with the fault."""
    report = tmp_path / "drill.json"

    done = subprocess.run(
        [PYTHON, "-m", "deploy.drill", "--short", "--report", report],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout + done.stderr
    rows = json.loads(report.read_text())
    assert ["TriageDeadLetters", "TriageGone"] == [row["alert"] for row in rows]
    assert all(0 < row["seconds_to_fire"] < 60 and row["seconds_to_end"] < 60 for row in rows)


def test_a_watch_says_when_an_alert_fired_and_ended() -> None:
    """In seconds after a moment; what fired before that moment and never after it has not fired."""
    alarm = Alarm("TriageLag", "any", "critical", "on-call")
    nobody: Any = None
    watch = Watch(nobody)
    watch._looks = [(float(at), frozenset([alarm] if at in (1, 4, 5) else [])) for at in range(8)]

    assert 2 == watch.fired("TriageLag", 2)
    assert 1 == watch.ended("TriageLag", 5)
    assert 0 == watch.ended("TriageLag", 6)
    assert watch.fired("TriageLag", 6) is None
    assert {alarm} == watch.seen(5)
    assert set() == watch.seen(6)
