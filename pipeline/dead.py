"""Dead letters: the original bytes with the reason and the place in headers, and the limit on how many there may be."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from pipeline.errors import BadMessage, Reason
from pipeline.route import Place
from pipeline.traces import TRACE_HEADER


class DeadLetter(msgspec.Struct, frozen=True):
    """What the headers of a record in `tweets.dead` say."""

    reason: Reason
    detail: str
    step: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    attempt: int

    @property
    def id(self) -> str:
        """The source topic, partition and offset: consumers that dedupe on it see each broken record once."""
        return f"{self.topic}:{self.partition}:{self.offset}"


def headers(error: BadMessage, place: Place, step: str = "decode") -> list[tuple[str, bytes]]:
    """The headers of a dead letter; `detail` never holds text of the post."""
    fields = {
        "id": f"{place.topic}:{place.partition}:{place.offset}",
        "reason": error.reason.value,
        "detail": error.detail,
        "step": step,
        "topic": place.topic,
        "partition": str(place.partition),
        "offset": str(place.offset),
        "timestamp": str(place.timestamp),
        "attempt": str(place.attempt),
    }
    found = [(f"dlq.{name}", value.encode("utf-8", "replace")) for name, value in fields.items()]
    return found if place.trace is None else [*found, (TRACE_HEADER, place.trace)]


def read_headers(found: Sequence[tuple[str, bytes]]) -> DeadLetter:
    """The headers of a dead letter, read back.

    Raises:
        ValueError: the record was not written by the triage worker.
    """
    fields = {name[4:]: (value or b"").decode() for name, value in found if name.startswith("dlq.")}
    try:
        return msgspec.convert({name: fields[name] for name in DeadLetter.__struct_fields__}, DeadLetter, strict=False)
    except (KeyError, msgspec.ValidationError) as error:
        raise ValueError(f"no dead letter of ours: {error}") from error


class DeadLimit:
    """Says when so much is broken that the fault must be ours: nothing may be skipped wholesale.

    After getsentry/arroyo's DlqLimit: a run length, and a share, here over a sliding window of records.
    """

    def __init__(self, *, in_row: int, share: float, window: int) -> None:
        self._in_row = in_row
        self._share = share
        self._window = window
        self._run = 0
        self._good_since_dead: deque[int] = deque([0])
        self._good = 0

    def passed_at(self, broken: Sequence[bool]) -> int | None:
        """Count a batch, in its order (True: broken); the index of the record with which a limit is passed, or None."""
        if True not in broken:  # nearly always, and so without a look at each
            self._run = 0 if broken else self._run
            self._count_good(len(broken))
            return None
        for index, is_broken in enumerate(broken):
            if not is_broken:
                self._run = 0
                self._count_good(1)
            elif self._count_dead():
                return index
        return None

    def says(self) -> str:
        """Why the limit is passed, with the names of the settings."""
        if self._run > self._in_row:
            return f"more than {self._in_row} records in a row are broken (worker.dead_in_row)"
        return f"more than {self._share:.0%} of the last {self._window} records are broken (worker.dead_share)"

    def _count_good(self, count: int) -> None:
        self._good_since_dead[-1] += count
        self._good += count
        self._shrink()

    def _count_dead(self) -> bool:
        self._run += 1
        self._good_since_dead.append(0)
        self._shrink()
        return self._run > self._in_row or len(self._good_since_dead) - 1 > self._share * self._window

    def _shrink(self) -> None:
        """Keep the window's length: the oldest good ones go first, then the dead one after them."""
        while (over := self._good + len(self._good_since_dead) - 1 - self._window) > 0:
            oldest = self._good_since_dead[0]
            if oldest > 0 or len(self._good_since_dead) == 1:
                self._good_since_dead[0] -= min(over, oldest)
                self._good -= min(over, oldest)
            else:
                self._good_since_dead.popleft()
