"""`triage adapt`: records in, payloads out, and what is neither is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agents.adapt_command import adapt_lines
from pipeline.adapters import Helpdesk

EXAMPLES = Path(__file__).parents[1] / "docs" / "contracts" / "examples"


def _line(name: str) -> bytes:
    return json.dumps(json.loads((EXAMPLES / f"{name}.json").read_bytes())).encode() + b"\n"


def _run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "agents", "adapt", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)


def test_a_payload_a_line() -> None:
    """From standard input, in its order, and exit code 0."""
    done = _run("servicenow", given=_line("urgent") + b"\n" + _line("edit"))

    found = [json.loads(line)["id"] for line in done.stdout.splitlines()]

    assert (0, b"") == (done.returncode, done.stderr)
    assert ["x:1970000000000000009:lumotram", "x:1970000000000000006:quillbank"] == found


def test_from_a_file(tmp_path: Path) -> None:
    """The same from a file."""
    file = tmp_path / "queue.jsonl"
    file.write_bytes(_line("urgent"))

    done = _run("zendesk-push", "--from", str(file))

    assert "zendesk-push" == json.loads(done.stdout)["helpdesk"]


@pytest.mark.parametrize("arguments", [["zendesk", "--from", "/nowhere/at/all"], ["freshdesk"]])
def test_wrong_usage(arguments: list[str]) -> None:
    """A file that is not there and a helpdesk that is not known are wrong usage, and say so."""
    done = _run(*arguments)

    assert 2 == done.returncode
    assert arguments[-1] in done.stderr.decode()


def test_what_is_no_record_is_named() -> None:
    """A broken line hides no other, and is counted; an event of a newer type is only mentioned."""
    out: list[str] = []
    said: list[str] = []
    newer = json.dumps(json.loads(_line("edit")) | {"event_type": "praised"}).encode()

    bad = adapt_lines(Helpdesk.CHATWOOT, [b"{broken\n", newer, _line("urgent")], out=out.append, say=said.append)

    assert (1, 1) == (bad, len(out))
    assert ["line 1 is no routed record", "line 2 is an event of a newer type"] == [
        line.split(" (")[0].split(":")[0] for line in said
    ]


def test_exit_code_1_where_a_line_was_broken() -> None:
    """So that a script sees it."""
    assert 1 == _run("zammad", given=b"{}\n").returncode
