"""`triage replay`: posts from files to the topic `tweets`, at a chosen pace; done when the broker has them all."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from time import sleep, time
from typing import BinaryIO, NamedTuple, Protocol

import msgspec
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from agents import clients
from agents.interrupts import Interrupts
from agents.posts_file import Item, PostsReader, require_files
from pipeline.brands import Brands
from pipeline.errors import BrokerError, SettingsError, TopicsError
from pipeline.route import utc
from pipeline.settings import Settings
from pipeline.settings_kafka import Kafka
from pipeline.topics import API_HEADER, TWEETS

REORDER = 10_000
"""With a speed posts go out in the order of created_at, as far as one can look ahead by so many posts."""
UNDER_WAY = 10_000
"""At most so many records wait for their acknowledgement."""
ACK_TIMEOUT_S = 120.0
SAY_EVERY_S = 5.0
_NAP_S = 0.2
_FIRST = -(2**62)
_HEADERS = [(API_HEADER, b"replay")]

_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Acknowledgement(Protocol):
    """What a producer gives for a record that it took."""

    is_done: bool

    def get(self, timeout: float | None = None) -> object:
        """Wait for the broker's word; raises what went wrong."""


class Producer(Protocol):
    """What is needed of kafka-python's producer; it must wait for all replicas and be idempotent."""

    def partitions_for(self, topic: str) -> set[int]:
        """The topic's partitions."""

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None,
        headers: list[tuple[str, bytes]],
        partition: int | None,
    ) -> Acknowledgement:
        """Take a record; without a partition, the key's hash tells it."""

    def flush(self, timeout: float | None = None) -> None:
        """Send what was taken."""

    def close(self, timeout: float | None = None) -> None:
        """Give up the connections."""


@dataclass(frozen=True)
class Pace:
    """How fast posts go out, and which.

    `speed` 0: as fast as possible; 1: as the posts' own times tell; 60: an hour a minute. Posts are then put in the
    order of their times, REORDER posts ahead at most; one whose time is past goes out at once, one without a time with
    the post before it. `rate`: so many posts a second instead, in the order of the file.
    """

    speed: float = 0.0
    rate: float | None = None
    start_from: int | None = None
    """Posts created before this time (ms) are passed over; those that say no time are not."""
    rebase: bool = False
    """Shift created_at: with a speed the first post sent is now, and gaps shrink by it; else the newest one is now.

    So no post is dated ahead of the time at which it is sent, which nobody would believe.
    """
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.speed < 0 or (self.rate is not None and self.rate <= 0):
            raise SettingsError("--speed must be 0 (as fast as possible) or more, --rate more than 0")
        if self.speed and self.rate is not None:
            raise SettingsError("--speed and --rate exclude each other: give one")

    def passes_over(self, item: Item) -> bool:
        """Whether a post is too old to be sent."""
        return self.start_from is not None and item.created_at is not None and item.created_at < self.start_from


class World(NamedTuple):
    """What a replay meets outside: passed in, so that tests need neither wait nor have a broker."""

    connect: Callable[[Kafka], Producer] = clients.producer
    now: Callable[[], float] = time
    sleep: Callable[[float], None] = sleep
    stdin: BinaryIO | None = None


@dataclass(frozen=True)
class Summary:
    """What a replay did; the `sent` records are all acknowledged."""

    sent: int
    bytes: int
    seconds: float
    too_old: int
    """Posts passed over for being older than `start_from`."""
    blank: int
    """Empty lines passed over."""
    interrupted: bool = False

    @property
    def posts_per_s(self) -> float:
        """The mean rate."""
        return self.sent / self.seconds if self.seconds > 0 else 0.0

    def __str__(self) -> str:
        """One line for a person."""
        beginning = "interrupted: " if self.interrupted else ""
        return (
            f"{beginning}{self.sent:,} posts sent and acknowledged, {self.bytes:,} bytes in {self.seconds:.1f} s "
            f"({self.posts_per_s:,.0f} posts/s); passed over: {self.too_old:,} too old, {self.blank:,} empty lines"
        )


def replay(
    settings: Settings, files: Sequence[str | Path], pace: Pace, out: Console, world: World | None = None
) -> Summary:
    """Send the posts of the files to `tweets` and wait until the broker has acknowledged each; Ctrl-C ends it early.

    Raises:
        UnreadableFile: a file cannot be read; what came before it is sent.
        TopicsError: the topic is not there.
        BrokerError: the broker cannot be reached, or did not take everything.
    """
    world = world or World()
    brands = Brands(settings.brands)
    reader = PostsReader(brands, stdin=world.stdin)
    require_files(files)  # before the broker is asked: this is wrong more often
    newest = _newest(PostsReader(brands), files, pace) if pace.rebase and not pace.speed else None
    try:
        producer = world.connect(settings.kafka)
        try:
            return _Replay(producer, settings.topics.name(TWEETS), pace, world, newest).run(reader, files, out)
        finally:
            producer.close(timeout=ACK_TIMEOUT_S)
    except KafkaError as error:
        raise BrokerError(f"the broker did not take everything ({error!r}): check it, then replay again") from error


class _Replay:
    """One run: choose, put in order, wait, send, count."""

    def __init__(self, producer: Producer, topic: str, pace: Pace, world: World, newest: int | None) -> None:
        self._producer = producer
        self._topic = topic
        self._pace = pace
        self._world = world
        self._newest = newest
        self._open: deque[Acknowledgement] = deque()
        self._sent = self._bytes = self._too_old = self._ahead = self._files_read = 0
        self._started = 0.0

    def run(self, reader: PostsReader, files: Sequence[str | Path], out: Console) -> Summary:
        """Send everything; what was taken is acknowledged, or raises, whatever ends the run."""
        partitions = cycle(self._partitions())
        self._started = self._world.now()
        interrupted = False
        try:
            with _progress(out, self._world.now) as show, Interrupts() as interrupts:

                def tick(left: float) -> None:
                    interrupts.check()
                    show(self._sent, self._share(reader, len(files)), left)

                posts = islice(self._in_order(self._chosen(reader, files)), self._pace.limit)
                for item in self._paced(posts, tick):
                    self._send(item, next(partitions) if item.key is None else None)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self._settle()
        seconds = self._world.now() - self._started
        return Summary(self._sent, self._bytes, seconds, self._too_old, reader.blank, interrupted)

    def _partitions(self) -> list[int]:
        try:
            return sorted(self._producer.partitions_for(self._topic))
        except KafkaTimeoutError as error:
            raise TopicsError(f"no topic {self._topic} on the broker: run `triage topics create`") from error

    def _chosen(self, reader: PostsReader, files: Sequence[str | Path]) -> Iterator[Item]:
        for file in files:
            for item in reader.read(file):
                if self._pace.passes_over(item):
                    self._too_old += 1
                else:
                    yield item
            self._files_read += 1

    def _in_order(self, items: Iterable[Item]) -> Iterator[tuple[int, Item]]:
        """The posts with their times (of the post before, where they say none); sorted where a speed is set."""
        timed = _timed(items)
        if not self._pace.speed:
            yield from timed
            return
        heap: list[tuple[int, int, Item]] = []
        for number, (at, item) in enumerate(timed):
            heapq.heappush(heap, (at, number, item))
            self._ahead = len(heap)
            if len(heap) > REORDER:
                at, _, item = heapq.heappop(heap)  # noqa: PLW2901 - the one that is due goes out for the one read
                yield at, item
        while heap:
            at, _, item = heapq.heappop(heap)
            self._ahead = len(heap)
            yield at, item

    def _paced(self, posts: Iterable[tuple[int, Item]], tick: Callable[[float], None]) -> Iterator[Item]:
        """Each post when it is due, dated anew where wanted."""
        first: int | None = None
        for number, (at, item) in enumerate(posts):
            if first is None and at != _FIRST:
                first = at
            gap = (at - first) / (self._pace.speed or 1) / 1000 if first is not None else 0.0
            if self._pace.rate is not None:
                self._wait(number / self._pace.rate, tick)
            elif self._pace.speed:
                self._wait(gap, tick)
            tick(0.0)
            if self._pace.rebase and item.created_at is not None:
                late = gap if self._newest is None else (item.created_at - self._newest) / 1000
                yield item._replace(value=redated(item.value, int((self._started + late) * 1000)))
            else:
                yield item

    def _wait(self, due: float, tick: Callable[[float], None]) -> None:
        while (left := self._started + due - self._world.now()) > 0:
            tick(left)
            self._world.sleep(min(left, _NAP_S))

    def _send(self, item: Item, partition: int | None) -> None:
        try:
            self._open.append(self._producer.send(self._topic, item.value, item.key, list(_HEADERS), partition))
        except MessageSizeTooLargeError as error:
            raise BrokerError(
                f"line {item.line} has {len(item.value):,} bytes, more than the topic takes: take it out of the file"
            ) from error
        self._sent += 1
        self._bytes += len(item.value)
        while self._open and (self._open[0].is_done or len(self._open) > UNDER_WAY):
            self._open.popleft().get(timeout=ACK_TIMEOUT_S)

    def _settle(self) -> None:
        self._producer.flush(timeout=ACK_TIMEOUT_S)
        while self._open:
            self._open.popleft().get(timeout=ACK_TIMEOUT_S)

    def _share(self, reader: PostsReader, files: int) -> float | None:
        """How much is done: what is read of the files, less what waits for its time."""
        of_file = reader.share_read() if self._files_read < files else 0.0
        if of_file is None:
            return None
        return (self._files_read + of_file) / files * self._sent / max(1, self._sent + self._ahead)


def redated(value: bytes, at: int) -> bytes:
    """A record with another created_at (ms), everything else as it was."""
    parts = _parts(value)
    created_at = msgspec.Raw(f'"{utc(at)}"'.encode())
    if "data" not in parts:
        return msgspec.json.encode(parts | {"created_at": created_at})
    data = _parts(parts["data"]) | {"created_at": created_at}
    return msgspec.json.encode(parts | {"data": msgspec.Raw(msgspec.json.encode(data))})


def _newest(reader: PostsReader, files: Sequence[str | Path], pace: Pace) -> int | None:
    """The newest time (ms) of what will be sent."""
    if "-" in map(str, files):
        raise SettingsError("--rebase now of standard input needs --speed: else the newest post must be known first")
    posts = (item for file in files for item in reader.read(file) if not pace.passes_over(item))
    return max((item.created_at for item in islice(posts, pace.limit) if item.created_at is not None), default=None)


def _timed(items: Iterable[Item]) -> Iterator[tuple[int, Item]]:
    at = _FIRST
    for item in items:
        at = at if item.created_at is None else item.created_at
        yield at, item


@contextmanager
def _progress(out: Console, now: Callable[[], float]) -> Iterator[Callable[[int, float | None, float], None]]:
    """What shows how far it is, at most as often as a person can read: a bar on a terminal, else plain lines."""
    every, started = (_NAP_S if out.is_terminal else SAY_EVERY_S), now()
    shown = started
    with Progress(
        TextColumn("replay"), BarColumn(), TextColumn("{task.description}"), console=out, disable=not out.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)

        def show(sent: int, share: float | None, left: float) -> None:
            nonlocal shown
            at = now()
            if at - shown < every:
                return
            shown = at
            says = f"{sent:,} sent, {sent / (at - started):,.0f}/s"
            if left > SAY_EVERY_S:
                says += f", the next one in {left:,.0f} s"
            bar.update(task, description=says, completed=share or 0.0, total=None if share is None else 1.0)
            if not out.is_terminal:
                out.print(f"replay: {says}", highlight=False)

        yield show
