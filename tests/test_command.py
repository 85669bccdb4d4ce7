"""The `triage` command: help that teaches, and exit codes that are stated."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

COMMANDS = [
    ["demo"], ["broker", "up"], ["broker", "down"], ["broker", "status"], ["topics", "create"], ["topics", "check"],
    ["worker"], ["responses"], ["listen"], ["post"], ["reply"], ["waiting"], ["report"], ["forget"], ["desk", "move"],
    ["fake-x"], ["replay"], ["classify"], ["backtest"], ["tail"], ["dead", "list"], ["dead", "show"],
    ["dead", "replay"], ["settings"], ["contracts"], ["adapt"],
]  # fmt: skip


def _run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agents", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=cwd)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: list[str]) -> None:
    """--help says what it does and exits with 0."""
    done = _run(*command, "--help")

    assert 0 == done.returncode
    assert "Usage: " in done.stdout


def test_exit_codes_are_stated() -> None:
    """The help of the whole names each exit code."""
    assert "Exit codes: 0 fine; 1 failed" in " ".join(_run("--help").stdout.split())


def test_classify_explains(tmp_path: Path) -> None:
    """Stage, confidence, queue, and the words that spoke for it."""
    done = _run("classify", "--json", "my order has not arrived, where is it?", cwd=tmp_path)

    found = json.loads(done.stdout)

    assert "reactive" == found["stage"]
    assert pytest.approx(1.0, abs=0.001) == sum(found["scores"].values())
    assert found["words"]


def test_backtest_in_json(tmp_path: Path) -> None:
    """Rows, queues, own and dead add up."""
    file = tmp_path / "posts.jsonl"
    file.write_text('{"id":"1","text":"where is my order"}\n{broken\n{"id":"2","text":"love it"}\n')

    found = json.loads(_run("backtest", str(file), "--json", cwd=tmp_path).stdout)

    assert 3 == found["rows"] == sum(found["queues"].values()) + found["own"] + sum(found["dead"].values())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nonsense"], 2), (["-s", "/nowhere.yaml", "settings"], 3), (["broker", "status", "--folder", "/nowhere"], 4)],
)
def test_wrong_calls(arguments: list[str], code: int) -> None:
    """Wrong usage, wrong settings and a missing broker have their own exit codes."""
    assert code == _run(*arguments).returncode


def test_ctrl_c_ends_the_demo_at_once(tmp_path: Path) -> None:
    """Ctrl-C ends the demo cleanly, with its summary and nothing left behind."""
    command = [sys.executable, "-m", "agents", "demo", "--plain", "--speed", "60"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        said_first = list(takewhile(lambda line: " posts, " not in line, process.stderr))
        assert process.poll() is None, said_first

        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)

    assert 130 == process.returncode
    assert "stopped by Ctrl-C" in said
    assert "from Kafka to queue" in said
    assert [] == list(tmp_path.iterdir())
