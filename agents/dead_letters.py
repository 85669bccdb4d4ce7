"""`triage dead`: look at what could not be read, and send it through again, from where it came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from kafka import KafkaConsumer
from kafka.errors import KafkaError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents import clients
from agents.shown import shown
from pipeline.dead import DeadLetter, read_headers
from pipeline.errors import BrokerError, Reason, TriageError
from pipeline.settings import Settings
from pipeline.topics import API_HEADER, ATTEMPT_HEADER, DEAD
from pipeline.traces import TRACE_HEADER, of

SHOWN_BYTES = 4096


class Found(NamedTuple):
    """A dead letter with its original bytes, and where it stands in `tweets.dead`."""

    letter: DeadLetter
    key: bytes | None
    value: bytes | None
    partition: int
    offset: int
    trace: bytes | None = None


class Wanted(NamedTuple):
    """Which dead letters: all, those of one reason, or one by the id that `list` shows."""

    reason: Reason | None = None
    id: str | None = None

    def fits(self, letter: DeadLetter) -> bool:
        """Whether a letter is among them."""
        return (self.reason is None or letter.reason is self.reason) and (self.id is None or letter.id == self.id)


class NoSuchLetter(TriageError):
    """Raised when no dead letter has the id that was named."""


def find(settings: Settings, wanted: Wanted) -> list[Found]:
    """The dead letters in the topic now, each once by its id, oldest first.

    Raises:
        TopicsError: there is no topic `tweets.dead`.
        BrokerError: the broker does not answer.
    """
    consumer = clients.consumer(settings.kafka)
    try:
        found = {item.letter.id: item for item in _read(consumer, settings) if wanted.fits(item.letter)}
    finally:
        consumer.close()
    return sorted(found.values(), key=lambda item: item.letter.timestamp)


def show_list(settings: Settings, wanted: Wanted, limit: int, out: Console) -> None:
    """A table of the newest, and how many there are by reason."""
    found = find(settings, wanted)
    table = Table("id", "reason", "detail", "when", "attempt", "bytes", box=None, header_style="dim")
    for item in found[-limit:]:
        letter = item.letter
        when = datetime.fromtimestamp(letter.timestamp / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        size = "-" if item.value is None else str(len(item.value))
        cells = letter.id, letter.reason.value, letter.detail[:60], when, str(letter.attempt), size
        table.add_row(*(Text(shown(cell)) for cell in cells))
    out.print(table)
    out.print(f"{len(found)} dead letters" + (f", the newest {limit} shown" if len(found) > limit else ""))


def show_one(settings: Settings, identity: str, say: Callable[[str], None]) -> None:
    """Its headers, and the beginning of its bytes as Python would write them, so that nothing in them acts.

    Raises:
        NoSuchLetter: there is none of that id.
    """
    found = find(settings, Wanted(id=identity))
    if not found:
        raise NoSuchLetter(f"no dead letter has the id {identity}: `triage dead list` shows them")
    item = found[0]
    for name in DeadLetter.__struct_fields__:
        say(f"{name}: {shown(str(getattr(item.letter, name)))}")
    say(f"key: {item.key!r}")
    say(f"value: {item.value[:SHOWN_BYTES]!r}" if item.value is not None else "value: none (a tombstone)")


def replay(settings: Settings, wanted: Wanted, *, dry_run: bool) -> int:
    """Send the original bytes to where they came from again, topic and partition; how many.

    Where the topics have grown, to the partition of their key: the old one may not be the customer's any more.

    Raises:
        BrokerError: the broker did not take one.
    """
    found = find(settings, wanted)
    if dry_run or not found:
        return len(found)
    producer, grown = clients.producer(settings.kafka), settings.topics.grown
    try:
        sent = [
            producer.send(item.letter.topic, item.value, item.key, _headers(item), partition)
            for item in found
            for partition in [None if grown and item.key is not None else item.letter.partition]
        ]
        for future in sent:
            future.get(timeout=60)
    except KafkaError as error:
        raise BrokerError(f"not all dead letters were sent again ({error!r}): try again, doubles do no harm") from error
    finally:
        producer.close()
    return len(found)


def _headers(item: Found) -> list[tuple[str, bytes]]:
    trace = [] if item.trace is None else [(TRACE_HEADER, item.trace)]
    return [(API_HEADER, b"dead"), (ATTEMPT_HEADER, str(item.letter.attempt + 1).encode()), *trace]


def _read(consumer: KafkaConsumer, settings: Settings) -> Iterator[Found]:
    for record in clients.stored(consumer, settings.topics.name(DEAD)):
        letter = read_headers(record.headers)
        yield Found(letter, record.key, record.value, record.partition, record.offset, of(record.headers))
