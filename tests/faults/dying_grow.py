"""`triage topics grow` that kills itself at its DIES_AT-th step: where it widens topics, or sends records."""

from __future__ import annotations

import os
import signal
from typing import Any

from agents import growing
from agents.__main__ import main

steps = iter(range(1, 1000))


def dying(step: Any) -> Any:
    """Do the step, unless it is the one: then nothing, or half of it."""

    def wrapped(*arguments: Any) -> Any:
        if next(steps) == int(os.environ["DIES_AT"]):
            if step is acknowledged:
                some = list(arguments[0])
                for future in some[: len(some) // 2]:
                    future.get(timeout=60)
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*arguments)

    return wrapped


if __name__ == "__main__":
    acknowledged = growing.acknowledged
    growing.acknowledged = dying(acknowledged)
    growing._widen = dying(growing._widen)
    main()
