"""A poster that kills itself: as it passes the point DIE_AT with the answer DIE_ID ("": whichever comes first)."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

from agents.poster_worker import run_poster
from pipeline import settings as settings_module


def die(point: str, identity: str) -> None:
    """As SIGKILL from outside would, at this very point."""
    if point == os.environ.get("DIE_AT") and identity == (os.environ.get("DIE_ID") or identity):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    logging.basicConfig(level=os.environ.get("TRIAGE_LOG_LEVEL", "WARNING"))
    run_poster(
        settings_module.load(Path(sys.argv[1])),
        say=lambda line: print(line, file=sys.stderr, flush=True),
        hook=die,
    )
