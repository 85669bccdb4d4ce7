"""`triage reply --wait`: what came of an answer, as the poster tells it in `responses`."""

from __future__ import annotations

from time import monotonic

import msgspec
from kafka.errors import KafkaError

from agents import clients
from agents.command import Exit
from pipeline.errors import BrokerError
from pipeline.responses import ReplyState, Response
from pipeline.settings import Settings
from pipeline.topics import RESPONSES

EXITS = {"posted": Exit.FINE, "failed": Exit.FAILED, "held": Exit.HELD, "unknown": Exit.UNKNOWN}
"""Exit codes, by what came of the answer."""
_decode = msgspec.json.Decoder(Response).decode
_POLL_S = 0.5


class Outcomes:
    """Hears what is told from now on: make it before the answer is written.

    Raises (also its method):
        TopicsError, BrokerError: `responses` cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topics.name(RESPONSES)
        self._consumer = clients.consumer(settings.kafka)
        for _ in clients.stored(self._consumer, self._topic, newest=0):
            pass  # nothing: it only goes to the end

    def close(self) -> None:
        """Hear no more."""
        self._consumer.close()

    def of(self, identity: str, within_s: float) -> ReplyState | None:
        """What comes of an answer; None: nothing is told in time."""
        deadline = monotonic() + within_s
        while (left := deadline - monotonic()) > 0:
            for value in self._poll(min(left, _POLL_S)):
                if (state := _state(value)) is not None and state.id == identity:
                    return state
        return None

    def _poll(self, seconds: float) -> list[bytes | None]:
        try:
            fetched = self._consumer.poll(timeout_ms=round(1000 * seconds))
        except KafkaError as error:
            raise BrokerError(f"{self._topic} cannot be read ({error!r}): check the broker") from error
        return [record.value for records in fetched.values() for record in records]


def line(state: ReplyState) -> str:
    """What came of an answer, for people."""
    reason = f" ({state.reason})" if state.reason else ""
    said = f"as {state.answer_id}" if state.state == "posted" else state.detail
    return f"{state.id}: {state.state}{reason}" + (f", {said}" if said else "")


def _state(value: bytes | None) -> ReplyState | None:
    try:
        return None if value is None else _decode(value).reply
    except msgspec.DecodeError:  # of a newer version: not what we wait for
        return None
