"""A responses worker whose states reach the broker late: DELAY seconds after their outputs."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from prometheus_client import CollectorRegistry

from agents import worker
from agents.responses_worker import create_responses_app
from agents.sender import Package, Sender
from pipeline import settings as settings_module
from pipeline.topics import CONVERSATIONS

send = Sender.send


async def late(self: Sender, package: Package, make_again: Callable[[], Awaitable[Package]]) -> None:
    """Wait before states are sent."""
    if any(tp.topic.endswith(CONVERSATIONS) for tp in package.batches):
        await asyncio.sleep(float(os.environ["DELAY"]))
    await send(self, package, make_again)


if __name__ == "__main__":
    Sender.send = late  # type: ignore[method-assign]
    settings = settings_module.load(Path(sys.argv[sys.argv.index("--settings") + 1]))
    worker.run(
        lambda: create_responses_app(settings, CollectorRegistry()),
        lambda line: print(line, file=sys.stderr, flush=True),
    )
