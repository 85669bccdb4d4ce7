"""`triage backtest`: the whole pipeline from file to queues without any Kafka, and a report on what went where."""

from __future__ import annotations

import base64
import uuid
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from time import perf_counter, time
from typing import IO, Any, BinaryIO

import msgspec
from rich.console import Console
from rich.table import Table

from agents.posts_file import PostsReader
from pipeline.brands import Brands
from pipeline.classify import Classifier
from pipeline.errors import Reason
from pipeline.posts import Queue, Stage
from pipeline.route import Outgoing, Router
from pipeline.settings import Settings
from pipeline.topics import API_HEADER, TWEETS
from pipeline.triage import Dead, triage

BATCH = 1000
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_HEADERS = ((API_HEADER, b"replay"),)


@dataclass(slots=True)
class FileRecord:
    """A post of a file as the pipeline knows records; the offset is its number in the run, from 0."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    file: str
    line: int
    topic: str = TWEETS
    partition: int = 0
    headers: Sequence[tuple[str, bytes]] = _HEADERS


class _Source(msgspec.Struct):
    """Which post a routed record came of."""

    offset: int


class _Judged(msgspec.Struct):
    """What the model said."""

    stage: Stage
    confidence: float


class _Routed(msgspec.Struct):
    """What the report needs of a routed record."""

    event_id: str
    source: _Source
    classification: _Judged


_routed = msgspec.json.Decoder(_Routed).decode


@dataclass
class Report:
    """What went where. Each row is in one place: rows == sum of queues + own + sum of dead.

    `queues`, `stages` and the confidence count rows that customers wrote; `brands` and `records` count routed records,
    of which a row that concerns two brands makes two.
    """

    rows: int = 0
    queues: Counter[Queue] = field(default_factory=Counter)
    own: int = 0
    dead: Counter[Reason] = field(default_factory=Counter)
    records: int = 0
    brands: Counter[str] = field(default_factory=Counter)
    stages: Counter[Stage] = field(default_factory=Counter)
    confidences: array[float] = field(default_factory=lambda: array("d"))
    blank: int = 0
    replies: int = 0
    linked: int = 0
    """Of the replies in CSV files, those whose parent's row was found."""
    seconds: float = 0.0
    _seen: set[bytes] = field(default_factory=set)

    @property
    def duplicates(self) -> int:
        """Routed records with the event_id of an earlier one: consumers will see them once."""
        return self.records - len(self._seen)

    @property
    def routed(self) -> int:
        """Rows that are in a queue or are the brand's own."""
        return sum(self.queues.values()) + self.own

    @property
    def adds_up(self) -> bool:
        """Whether every row is in exactly one place."""
        return self.rows == self.routed + sum(self.dead.values())

    def count_routed(self, outgoing: Sequence[Outgoing]) -> None:
        """Add a batch of routed records, told apart into rows by the place that they state."""
        rows: dict[tuple[int, Queue], _Judged] = {}
        for one in outgoing:
            routed = _routed(one.value)
            rows[routed.source.offset, one.queue] = routed.classification
            self.brands[one.brand] += 1
            self._seen.add(uuid.UUID(routed.event_id).bytes)
        self.records += len(outgoing)
        for (_, queue), judged in rows.items():
            if queue is Queue.OWN:
                self.own += 1
            else:
                self.queues[queue] += 1
                self.stages[judged.stage] += 1
                self.confidences.append(judged.confidence)

    def quantiles(self) -> dict[str, float]:
        """The model's confidence: so large a share of the posts is below."""
        ordered = sorted(self.confidences)
        return {f"p{100 * share:g}": ordered[int(share * (len(ordered) - 1))] for share in QUANTILES if ordered}

    def as_dict(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "rows": self.rows,
            "queues": {queue.value: self.queues[queue] for queue in Queue if queue is not Queue.OWN},
            "own": self.own,
            "dead": {reason.value: count for reason, count in self.dead.most_common()},
            "records": self.records,
            "duplicates": self.duplicates,
            "brands": dict(self.brands.most_common()),
            "stages": {stage.value: self.stages[stage] for stage in Stage},
            "confidence": self.quantiles(),
            "blank_lines": self.blank,
            "replies": self.replies,
            "replies_linked": self.linked,
            "adds_up": self.adds_up,
            "seconds": round(self.seconds, 3),
            "posts_per_s": round(self.rows / self.seconds, 1) if self.seconds else 0.0,
        }

    def as_json(self) -> str:
        """The same as one line of JSON."""
        return msgspec.json.encode(self.as_dict()).decode()


def backtest(
    settings: Settings,
    files: Sequence[str | Path],
    classifier: Classifier,
    *,
    write: Path | None = None,
    stdin: BinaryIO | None = None,
) -> Report:
    """Send the posts of the files through the pipeline; `write` names a folder for what it makes, a file a queue.

    Posts without a time are dated now, as the worker would date them by their arrival.

    Raises:
        UnreadableFile: a file cannot be read.
    """
    reader = PostsReader(Brands(settings.brands), stdin=stdin)
    router = Router(settings, classifier.model, classifier.second)
    report, started = Report(), perf_counter()
    records = _records(reader, files)
    with ExitStack() as stack:
        written = _open_all(write, stack) if write is not None else {}
        while batch := list(islice(records, BATCH)):
            triaged = triage(batch, classifier, router, int(time() * 1000))
            report.rows += len(batch)
            report.count_routed(triaged.outgoing)
            report.dead.update(dead.error.reason for dead in triaged.dead)
            if written:
                _write(written, batch, triaged.outgoing, triaged.dead)
    report.blank, report.replies, report.linked = reader.blank, reader.replies, reader.linked
    report.seconds = perf_counter() - started
    return report


def show(report: Report, out: Console) -> None:
    """The report for a person."""
    says = report.as_dict()
    dead = sum(report.dead.values())
    table = Table("place", "rows", "share")
    places = {**{f"queue.{name}": count for name, count in says["queues"].items()}, "posts.own": report.own}
    for place, count in (places | {f"dead: {reason}": count for reason, count in says["dead"].items()}).items():
        table.add_row(place, f"{count:,}", f"{count / report.rows:.1%}" if report.rows else "")
    out.print(table)
    sums = "every row is in one place" if report.adds_up else "THE SUM IS WRONG: please report this"
    out.print(f"{report.rows:,} rows = {report.routed:,} routed + {dead:,} dead: {sums}", highlight=False)
    lines = {
        "routed records": f"{report.records:,} (one a brand), {report.duplicates:,} with the event_id of another",
        "brands": _few(says["brands"]),
        "stages": _few(says["stages"]),
        "confidence": ", ".join(f"{name} {value:.2f}" for name, value in says["confidence"].items()),
        "replies": f"{report.replies:,} in CSV files, {report.linked:,} with their parent found",
        "empty lines": f"{report.blank:,}",
        "took": f"{report.seconds:.1f} s, {says['posts_per_s']:,.0f} posts/s",
    }
    for name, line in lines.items():
        out.print(f"{name}: {line}", highlight=False, markup=False)


def _few(counts: dict[str, int]) -> str:
    shown = [f"{name} {count:,}" for name, count in list(counts.items())[:12]]
    return ", ".join(shown) + (f" and {len(counts) - 12} more" if len(counts) > 12 else "")


def _records(reader: PostsReader, files: Iterable[str | Path]) -> Iterator[FileRecord]:
    offset = 0
    for file in files:
        for item in reader.read(file):
            yield FileRecord(offset, int(time() * 1000), item.key, item.value, str(file), item.line)
            offset += 1


def _open_all(folder: Path, stack: ExitStack) -> dict[str, IO[bytes]]:
    folder.mkdir(parents=True, exist_ok=True)
    names = [*(queue.value for queue in Queue), "dead"]
    return {name: stack.enter_context((folder / f"{name}.jsonl").open("wb")) for name in names}


def _write(
    files: dict[str, IO[bytes]], batch: Sequence[FileRecord], outgoing: Sequence[Outgoing], dead: Sequence[Dead]
) -> None:
    for one in outgoing:
        files[one.queue.value].write(one.value + b"\n")
    first = batch[0].offset
    for letter in dead:
        files["dead"].write(_dead_line(batch[letter.record.offset - first], letter) + b"\n")


def _dead_line(record: FileRecord, letter: Dead) -> bytes:
    """Where a broken record stood, why it is broken, and its bytes; as text where they are any."""
    line: dict[str, Any] = {"file": record.file, "line": record.line, "reason": letter.error.reason}
    line["detail"] = letter.error.detail
    value = record.value or b""
    try:
        line["value"] = value.decode()
    except UnicodeDecodeError:
        line["value_base64"] = base64.b64encode(value).decode()
    return msgspec.json.encode(line)
