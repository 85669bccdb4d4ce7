"""An older version and this one side by side on the same topics and state, exchanged for each other under load."""

from __future__ import annotations

import subprocess
import tarfile
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from arena import Arena, Result, Run, terminate, wait_for
from clocks import judge
from fixtures import _results, arena, fault_broker, long, report
from story import StoryFeed

ROOT = Path(__file__).parents[2]
BEFORE = "9090fdba636fd6a21a27721d5dbff18a4f734cc2"
"""The version before: the last one whose states lack a field that they have now (format 2 of tests/upgrade)."""
BEFORE_CLOCKS = "f7c9c0f3b62242db8052ee14d504337e04646d2a"
"""Of the responses worker: since then partition p of all topics is one worker's, which no older one can share."""
RATE = 1000.0
Note = Callable[[str, object], None]
pause = threading.Event().wait
pytestmark = [pytest.mark.timeout(900), pytest.mark.operations]


def _older(version: str, folder: Path) -> Path | None:
    """A version in a folder of its own, taken from the history; None where there is no history."""
    packed = subprocess.run(["git", "archive", version], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        return None
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def exchange(run: Run, command: str, older: Path, *, pace: float) -> None:
    """An older worker beside a newer one: it becomes newer (it is killed), then the other one older (it is stopped)."""
    _start(run, command, "w1", older)
    _start(run, command, "w2", None)
    pause(pace)
    run.workers[0].kill()
    run.workers[0].wait()
    _start(run, command, "w1", None)
    pause(pace)
    assert terminate(run.workers[1], within=25)[0] == 0
    _start(run, command, "w2", older)
    pause(pace)


def _start(run: Run, command: str, name: str, version: Path | None) -> None:
    run.worker(name, command=command, home=version)
    wait_for(lambda: "ready" in run.said(), within=60, what=f"{name} of {version or 'now'} is ready")


def test_triage_worker(arena: Arena, report: list[Result], long: bool, tmp_path: Path, record_property: Note) -> None:
    """Upgraded and rolled back: each post is routed, whoever did it."""
    older = _older(BEFORE, tmp_path)
    if older is None:
        record_property("not run", f"upgrade of the triage worker: no history here, and so no {BEFORE[:7]}")
        return
    run = arena.run("upgrade-triage")
    feed = run.feed(RATE).start()

    exchange(run, "worker", older, pace=10.0 if long else 1.0)
    result = run.result(feed.end(), most_duplicates=int(4 * RATE))

    run.stop()
    report.append(result)
    assert result.passed, f"{result}; logs in {run.folder}"


def test_responses_worker(
    arena: Arena, report: list[Result], long: bool, tmp_path: Path, record_property: Note
) -> None:
    """Upgraded and rolled back: each takes over what the other wrote, and the state is the model's."""
    older = _older(BEFORE_CLOCKS, tmp_path)
    if older is None:
        record_property("not run", f"upgrade of the responses worker: no history here, and so no {BEFORE_CLOCKS[:7]}")
        return
    run = arena.run("upgrade-responses")
    feed = StoryFeed(run.settings).start()

    exchange(run, "responses", older, pace=10.0 if long else 2.0)

    judge(run, report, feed, named=False)
