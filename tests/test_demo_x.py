"""`triage demo --x`, really: fake X, listener, Kafka, worker, helpdesk, poster, fake X, listener, clocks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil

COMMAND = [sys.executable, "-m", "agents", "demo", "--x"]


def test_clocks_are_stopped_by_answers_that_went_the_whole_way(tmp_path: Path) -> None:
    """Every answer of the helpdesk is posted on X, heard there again, and stops its customer's clock."""
    done = subprocess.run(
        [*COMMAND, "--json", "--speed", "2400"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=240
    )

    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["published"] > 500
    assert found["heard"] == found["routed"] > 400
    assert {} == found["not_posted"]
    assert found["asked"] == found["answered"] == found["clocks_stopped"] > 20
    assert found["clocks_stopped"] == found["own"]
    assert 0 < found["median_first_response_s"] < 60
    assert {} == found["dead"]
    assert [] == list(tmp_path.iterdir())


def test_ctrl_c_ends_it_and_nothing_is_left(tmp_path: Path) -> None:
    """Ctrl-C in the middle: exit code 130, what came so far is said, no process and no file is left."""
    with subprocess.Popen(
        [*COMMAND, "--plain", "--speed", "60"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "clocks stopped" in line)

        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=90)

    assert 130 == process.returncode
    assert "stopped by Ctrl-C" in said
    assert "median first response" in " ".join(said.split())
    assert len(started) >= 5  # the broker and four commands
    assert not any(child.is_running() for child in started)
    assert [] == list(tmp_path.iterdir())
