"""States of the listener: one at a time of each name, and only the newest waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from agents.listener_state import StateLog, known
from pipeline.backoff import Cause
from pipeline.gaps import Checkpoint, Gap
from pipeline.settings import Settings


class FakeProducer:
    """Keeps what was sent, and whom to tell."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bytes | None]] = []
        self.done: list[Callable[[], None]] = []
        self.failed: list[Callable[[], None]] = []

    def send(self, _topic: str, value: bytes | None, key: bytes) -> Any:
        """Take a record."""
        self.sent.append((key, value))
        return self

    def add_callback(self, call: Callable[..., None], *given: object) -> None:
        """Whom to tell of the end."""
        self.done.append(lambda: call(*given, None))

    def add_errback(self, call: Callable[..., None], *given: object) -> None:
        """Whom to tell of a failure."""
        self.failed.append(lambda: call(*given, None))


def _marks(producer: FakeProducer) -> list[str | None]:
    return [msgspec.json.decode(value or b"", type=Checkpoint).mark for _, value in producer.sent]


def test_while_kafka_is_away_only_the_newest_waits() -> None:
    """The first is on its way; of those after it the last one follows."""
    producer = FakeProducer()
    state = StateLog(Settings(), producer)
    for mark in ("1", "2", "3"):
        state.checkpoint("x", Checkpoint(0, mark))

    assert (["1"], False) == (_marks(producer), state.settled)
    producer.done[0]()
    assert ["1", "3"] == _marks(producer)
    producer.done[1]()
    assert state.settled


def test_what_failed_is_sent_again_unless_there_is_something_newer() -> None:
    """When it is tried again."""
    producer = FakeProducer()
    state = StateLog(Settings(), producer)
    state.checkpoint("x", Checkpoint(0, "1"))
    producer.failed[0]()
    state.retry()

    assert ["1", "1"] == _marks(producer)
    state.checkpoint("x", Checkpoint(0, "2"))
    producer.failed[1]()
    state.retry()
    assert ["1", "1", "2"] == _marks(producer)


def test_after_the_lease_is_lost_nothing_is_written() -> None:
    """The states are another one's."""
    producer = FakeProducer()
    state = StateLog(Settings(), producer)
    state.close()
    state.checkpoint("x", Checkpoint(0, "1"))

    assert ([], True) == (producer.sent, state.settled)


def test_what_was_written_is_read() -> None:
    """Checkpoints by name, gaps; a record of another form is passed over."""
    producer = FakeProducer()
    state = StateLog(Settings(), producer)
    gap, checkpoint = Gap("a", "x", Cause.STALL, 1, 2), Checkpoint(5, "m", 6, (1.0, 2.0))
    state.gap(gap)
    state.checkpoint("dm/acme", checkpoint)
    found = known({key.decode(): value for key, value in producer.sent if value} | {"gap/b": b"{}", "else": b"1"})

    assert ({"dm/acme": checkpoint}, [gap]) == (found.checkpoints, found.gaps)
