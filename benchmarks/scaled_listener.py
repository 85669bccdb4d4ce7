"""The real listener on a clock that runs faster: `python -m benchmarks.scaled_listener SETTINGS FACTOR START AT`.

Its clock showed START when the machine's showed AT, both in seconds since 1970; another process has the same one.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from agents.listener import run_listener
from pipeline import settings as settings_module
from pipeline.clocks import ScaledClock
from pipeline.errors import TriageError


def say(line: str) -> None:
    """A line on standard error."""
    print(line, file=sys.stderr, flush=True)


def main(settings: str, factor: str, start: str, at: str) -> int:
    """Listen until SIGTERM; 1: it ended by itself."""
    logging.basicConfig(level="WARNING")
    begins = float(start) + (time.time() - float(at)) * float(factor)
    clock = ScaledClock(float(factor), start=begins)
    try:
        run_listener(settings_module.load(Path(settings)), follow=None, say=say, clock=clock)
    except TriageError as error:
        say(f"{type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
