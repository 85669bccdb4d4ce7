"""Three triage workers restarted one after the other under 1,000 posts/s: nothing is lost, and how late posts are."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from arena import Result
from fixtures import _results, fault_broker, long, report

from agents.broker import Broker
from benchmarks.arena import Arena
from benchmarks.rolling import roll

pytestmark = [pytest.mark.timeout(900), pytest.mark.operations]


def test_rolling_restart(fault_broker: Broker, tmp_path: Path, report: list[Result], long: bool) -> None:
    """SIGTERM, its end, the same name again, ready, the next one; the figures are printed."""
    rolled = roll(Arena(fault_broker, tmp_path), tmp_path, rate=1000.0 if long else 300.0)

    print(json.dumps(asdict(rolled), indent=1))
    seconds = sum(one.away_s for one in rolled.restarts)
    unique = rolled.posts - rolled.lost
    result = Result("rolling-restart", rolled.posts, unique, rolled.lost, rolled.twice, seconds, rolled.lost == 0)
    report.append(result)
    assert [0, 0, 0] == [one.exit_code for one in rolled.restarts]
    assert rolled.lost == 0
    assert rolled.twice < rolled.posts / 20
