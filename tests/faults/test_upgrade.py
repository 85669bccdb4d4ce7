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
from story import MINUTE, StoryFeed

ROOT = Path(__file__).parents[2]
SINCE, WHERE = "FACTS_HEADER", "pipeline/kept.py"
"""The version before is the last one without this: what it tells does not carry the facts that it follows from (format
4 of tests/upgrade). It is found by that, because a history that was written again has other numbers."""
NO_HISTORY = f"no history here in which {SINCE} came into {WHERE}"
RATE = 1000.0
Note = Callable[[str, object], None]
pause = threading.Event().wait
pytestmark = [pytest.mark.timeout(900), pytest.mark.operations]


def _older(folder: Path) -> Path | None:
    """The version before in a folder of its own, taken from the history; None where that does not reach back so far."""
    came = _git("log", "--first-parent", f"-S{SINCE}", "--format=%H", "--", WHERE)
    packed = _git("archive", f"{came.stdout.decode().split()[-1]}^") if came.stdout else came
    if packed.returncode or not packed.stdout:
        return None
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)


def exchange(run: Run, command: str, older: Path, *, pace: float) -> None:
    """An older worker beside a newer one: it becomes newer (it is killed), then the other one older (it is stopped)."""
    _start(run, command, "w1", older)
    _start(run, command, "w2", None)
    pause(pace)
    run.kill(run.workers[0])
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
    older = _older(tmp_path)
    if older is None:
        record_property("not run", f"upgrade of the triage worker: {NO_HISTORY}")
        return
    run = arena.run("upgrade-triage")
    feed = run.feed(RATE).start()

    exchange(run, "worker", older, pace=10.0 if long else 1.0)
    produced = feed.end()
    run.ended(produced)
    result = run.result(produced, most_duplicates=len(run.undone_by_kills()) + int(4 * RATE))

    run.stop()
    report.append(result)
    assert result.passed, f"{result}; logs in {run.folder}"


def test_responses_worker(
    arena: Arena, report: list[Result], long: bool, tmp_path: Path, record_property: Note
) -> None:
    """Upgraded and rolled back: each takes over what the other wrote, and the state is the model's."""
    older = _older(tmp_path)
    if older is None:
        record_property("not run", f"upgrade of the responses worker: {NO_HISTORY}")
        return
    run = arena.run("upgrade-responses")
    # The version before took an answer that came just after a helpdesk's word for one to nobody: all come before it.
    feed = StoryFeed(run.settings, word_after=9 * MINUTE - 1000).start()

    exchange(run, "responses", older, pace=10.0 if long else 2.0)

    judge(run, report, feed, named=False)
