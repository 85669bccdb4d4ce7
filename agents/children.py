"""Processes of our own that must not outlive us: other `triage` commands, started and ended in order."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import TriageError

END_WITHIN_S = 25.0
"""A worker drains within this; then it is killed."""
_PR_SET_PDEATHSIG = 1


class ChildFailed(TriageError):
    """Raised when a command that was started ended before its time, or did not do its part."""


class Child(NamedTuple):
    """A command that was started, and where it writes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise ChildFailed when it ended otherwise than with success."""
        if self.process.poll():
            last = self.log.read_text(errors="replace").strip().splitlines()[-5:]
            said = " / ".join(last) or "it said nothing"
            raise ChildFailed(f"the {self.name} ended with exit code {self.process.returncode}: {said}")


@contextmanager
def child(arguments: list[str], settings: Path, log: Path) -> Iterator[Child]:
    """A `triage` command in a session of its own, so that Ctrl-C reaches only us; it ends with us however we end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "agents", "--settings", str(settings), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            env={**os.environ, "TRIAGE_LOG_FORMAT": "console"},  # its last lines are shown to people
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - it only makes a system call
        )
        try:
            yield Child(arguments[0], process, log)
        finally:
            _end(process)


def end_with_parent() -> None:
    """In a new child, before it becomes its program: Linux ends it when the thread that started it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=END_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
