"""Replaying files to `tweets`: pace, order, times, acknowledgements, what is said."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any, Protocol
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, NotLeaderForPartitionError
from kafka.partitioner.default import murmur2
from rich.console import Console

from agents.posts_file import UnreadableFile
from agents.replay import Pace, Summary, World, redated, replay
from pipeline.decode import decode
from pipeline.errors import BrokerError, SettingsError, TopicsError
from pipeline.posts import Post
from pipeline.settings import Brand, Settings, Topics
from pipeline.settings_kafka import Kafka

NOON = 1_772_366_400_000
SETTINGS = Settings(brands=(Brand(name="northwind"),), topics=Topics(prefix="test."))


@dataclass
class Ack:
    """An acknowledgement that has come, or the failure instead."""

    error: Exception | None = None
    is_done: bool = False
    asked: bool = False

    def get(self, timeout: float | None = None) -> object:
        """Note that somebody waited."""
        assert timeout
        self.asked = True
        if self.error is not None:
            raise self.error
        return None


@dataclass
class FakeKafka:
    """A producer, a clock that only sleep moves, and a list of what was sent when."""

    at: float = NOON / 1000 + 86_400
    sent: list[tuple[float, bytes, bytes | None, int | None]] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    topics: set[str] = field(default_factory=set)
    naps: int = 0
    flushed: bool = False
    closed: bool = False
    on_send: Callable[[int], Exception | None] = lambda _: None

    def partitions_for(self, topic: str) -> set[int]:
        """Three."""
        self.topics.add(topic)
        return {0, 1, 2}

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None,
        headers: list[tuple[str, bytes]],
        partition: int | None,
    ) -> Ack:
        """Note the record."""
        assert [("triage_api", b"replay")] == headers
        self.topics.add(topic)
        self.acks.append(Ack(self.on_send(len(self.sent))))
        self.sent.append((self.at, value, key, partition))
        return self.acks[-1]

    def flush(self, timeout: float | None = None) -> None:
        """Note it."""
        self.flushed = timeout is not None

    def close(self, timeout: float | None = None) -> None:
        """Note it."""
        self.closed = timeout is not None

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.at += seconds
        self.naps += 1

    def world(self, stdin: str = "") -> World:
        """Everything outside, faked."""
        return World(lambda _: self, lambda: self.at, self.sleep, io.BytesIO(stdin.encode()))


def posts(*seconds: float | None) -> str:
    """Posts created so many seconds after noon, numbered from 1, a line each."""
    return "".join(post(number, at) + "\n" for number, at in enumerate(seconds, 1))


def post(number: int, at: float | None) -> str:
    """One post in its envelope."""
    data: dict[str, object] = {"id": str(number), "text": "hello", "author_id": f"c{number}"}
    if at is not None:
        data["created_at"] = _iso(at)
    return json.dumps({"data": data})


def _iso(at: float) -> str:
    return f"2026-03-01T12:{int(at) // 60:02d}:{int(at) % 60:02d}.{int(at * 1000) % 1000:03d}Z"


def run(kafka: FakeKafka, lines: str, pace: Pace) -> Summary:
    """Replay what comes by standard input, quietly."""
    return replay(SETTINGS, ["-"], pace, Console(file=io.StringIO()), kafka.world(lines))


def ids(kafka: FakeKafka) -> list[str]:
    """The posts in the order in which they were sent."""
    return [found.id for found in decoded(kafka)]


def decoded(kafka: FakeKafka) -> list[Post]:
    """What the worker would see."""
    found = decode([value for _, value, _, _ in kafka.sent], [0] * len(kafka.sent))
    return [one for one in found if isinstance(one, Post)]


def offsets(kafka: FakeKafka) -> list[float]:
    """Seconds from the first record sent to each."""
    return [round(at - kafka.sent[0][0], 3) for at, _, _, _ in kafka.sent]


def test_everything_is_sent_and_every_acknowledgement_awaited() -> None:
    """As fast as possible is the default: no waiting, the order of the file, keys by customer, the partition by key."""
    kafka = FakeKafka()

    summary = run(kafka, posts(5, 0, None) + "\nbroken\n", Pace())

    assert [b"c1", b"c2", b"c3", None] == [key for _, _, key, _ in kafka.sent]
    assert [None, None, None, 0] == [partition for _, _, _, partition in kafka.sent]
    assert all(ack.asked for ack in kafka.acks)
    assert (True, True, 0, {"test.tweets"}) == (kafka.flushed, kafka.closed, kafka.naps, kafka.topics)
    size = sum(len(value) for _, value, _, _ in kafka.sent)
    assert Summary(sent=4, bytes=size, seconds=0.0, too_old=0, blank=1) == summary


def test_records_without_a_key_go_round() -> None:
    """Broken records are spread evenly over the partitions."""
    kafka = FakeKafka()

    run(kafka, "x\n" * 7, Pace())

    assert [0, 1, 2, 0, 1, 2, 0] == [partition for _, _, _, partition in kafka.sent]


def test_speed_follows_the_posts_own_times() -> None:
    """At 60 an hour takes a minute; posts go out in the order of their times, undated ones with the one before."""
    kafka = FakeKafka()

    run(kafka, posts(60, 0, None, 600), Pace(speed=60))

    assert ["2", "3", "1", "4"] == ids(kafka)
    assert [0, 0, 1, 10] == offsets(kafka)


def test_a_rate_is_kept() -> None:
    """So many posts a second, in the order of the file."""
    kafka = FakeKafka()

    run(kafka, posts(9, 5, 7), Pace(rate=2))

    assert ["1", "2", "3"] == ids(kafka)
    assert [0, 0.5, 1.0] == offsets(kafka)


def test_older_posts_are_passed_over_and_counted() -> None:
    """--from keeps what says no time, and broken records."""
    kafka = FakeKafka()

    summary = run(kafka, posts(0, 30, None, 29.999) + "broken\n", Pace(start_from=NOON + 30_000))

    assert (["2", "3"], 3, 2) == (ids(kafka), summary.sent, summary.too_old)


@pytest.mark.parametrize("speed", [0.0, 4.0])
def test_the_limit_ends_it(speed: float) -> None:
    """So many are sent: the first of the file, or with a speed the earliest."""
    kafka = FakeKafka()

    summary = run(kafka, posts(9, 5, 7), Pace(speed=speed, limit=2))

    assert (["2", "3"] if speed else ["1", "2"], 2) == (ids(kafka), summary.sent)


def test_rebased_posts_are_created_when_they_are_sent() -> None:
    """With a speed the gaps shrink by it, so that ingest lag stays what it is."""
    kafka = FakeKafka()

    run(kafka, posts(0, 60, 90), Pace(speed=2, rebase=True))

    sent_at = [round(at * 1000) for at, _, _, _ in kafka.sent]
    assert [NOON + 86_400_000 + gap for gap in (0, 30_000, 45_000)] == sent_at
    assert sent_at == [found.created_at for found in decoded(kafka)]


def test_rebased_without_a_speed_gaps_stay(tmp_path: Path) -> None:
    """The newest post of the file is now, none is dated ahead; undated and broken ones are untouched."""
    kafka, file = FakeKafka(), tmp_path / "posts.jsonl"
    file.write_text(posts(0, 60, None) + "broken\n")

    replay(SETTINGS, [file], Pace(rebase=True), Console(file=io.StringIO()), kafka.world(""))

    assert [NOON + 86_340_000, NOON + 86_400_000, 0] == [found.created_at for found in decoded(kafka)]
    assert [post(3, None).encode(), b"broken"] == [value for _, value, _, _ in kafka.sent[2:]]


@pytest.mark.parametrize("wrap", [True, False])
def test_rebasing_changes_created_at_alone(*, wrap: bool) -> None:
    """Other bytes stay as they were: numbers, escapes, fields that nobody knows; in envelopes and bare posts."""
    bare = b'{"id":"1","created_at":"2026-03-01T12:00:00.000Z","text":"\\u00e9 \xc3\xa9","n":1.50,"z":{"a":[1, 2]}}'
    value = b'{"data":' + bare + b',"extra":[ 1 ]}' if wrap else bare

    changed = redated(value, NOON + 61_001)

    assert value.replace(b"12:00:00.000", b"12:01:01.001") == changed


@pytest.mark.parametrize(("pace", "newest"), [(Pace(rebase=True, limit=2), 60), (Pace(rebase=True, rate=2), 90)])
def test_what_is_not_sent_is_not_the_newest(tmp_path: Path, pace: Pace, newest: int) -> None:
    """Whichever is the newest of those that are sent is now."""
    kafka, file = FakeKafka(), tmp_path / "posts.jsonl"
    file.write_text(posts(0, 60, 90))

    replay(SETTINGS, [file], pace, Console(file=io.StringIO()), kafka.world(""))

    assert NOON + 86_400_000 == max(found.created_at for found in decoded(kafka))
    assert NOON + 86_400_000 - newest * 1000 == decoded(kafka)[0].created_at


def test_standard_input_is_read_once() -> None:
    """Its newest post cannot be known before the first is sent."""
    with pytest.raises(SettingsError, match="needs --speed"):
        run(FakeKafka(), posts(0, 60), Pace(rebase=True))


@given(st.lists(st.one_of(st.none(), st.integers(0, 3599)), max_size=40), st.sampled_from([0.0, 1.0, 60.0]))
def test_whatever_the_times_each_post_is_sent_once(seconds: list[int | None], speed: float) -> None:
    """At any speed all posts arrive, and with one in the order of their times and never early."""
    kafka = FakeKafka()

    run(kafka, posts(*seconds), Pace(speed=speed, rebase=speed > 0))

    assert sorted(ids(kafka), key=int) == [str(number) for number in range(1, len(seconds) + 1)]
    if speed:
        times = [found.created_at for found in decoded(kafka) if found.created_at]
        assert sorted(times) == times
        assert max(times, default=0) <= kafka.at * 1000 + 1


def test_ctrl_c_flushes_and_says_how_far_it_came() -> None:
    """What was taken is acknowledged, and the summary says that it is not all."""
    kafka = FakeKafka()

    def interrupt(number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt

    kafka.on_send = interrupt

    summary = run(kafka, posts(1, 2, 3, 4), Pace())

    assert (2, True, True) == (summary.sent, summary.interrupted, kafka.flushed)
    assert all(ack.asked for ack in kafka.acks)
    assert str(summary).startswith("interrupted: 2 posts sent and acknowledged")


def test_a_refused_record_fails_the_replay() -> None:
    """An acknowledgement that is a failure is not passed over, and the others are waited for."""
    kafka = FakeKafka(on_send=lambda number: NotLeaderForPartitionError() if number == 1 else None)

    with pytest.raises(BrokerError, match="did not take everything"):
        run(kafka, posts(1, 2, 3), Pace())
    assert kafka.closed


def test_a_record_that_no_topic_takes_is_named() -> None:
    """The line is said, so that it can be taken out; nothing is dropped silently."""
    kafka = FakeKafka()

    def refuse(_: int) -> None:
        raise MessageSizeTooLargeError

    kafka.on_send = refuse

    with pytest.raises(BrokerError, match=r"line 1 has \d+ bytes"):
        run(kafka, posts(1), Pace())


def test_a_missing_topic_says_what_to_do() -> None:
    """The topics are created by a command, not by the replay."""

    class NoTopic(FakeKafka):
        def partitions_for(self, topic: str) -> set[int]:
            raise KafkaTimeoutError(topic)

    with pytest.raises(TopicsError, match="triage topics create"):
        run(NoTopic(), posts(1), Pace())


def test_a_missing_file_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    """A mistyped name costs no connection, and no half of a replay."""
    good = tmp_path / "good.jsonl"
    good.write_text(posts(1, 2))
    kafka = FakeKafka()

    with pytest.raises(UnreadableFile, match=r"nope\.jsonl"):
        replay(SETTINGS, [good, tmp_path / "nope.jsonl"], Pace(), Console(file=io.StringIO()), kafka.world())
    assert not kafka.sent


def test_what_stands_before_a_damaged_file_is_sent(tmp_path: Path) -> None:
    """The error comes after the acknowledgements."""
    good = tmp_path / "good.jsonl"
    good.write_text(posts(1, 2))
    damaged = tmp_path / "damaged.jsonl.gz"
    damaged.write_bytes(gzip.compress(posts(3).encode())[:-9])
    kafka = FakeKafka()

    with pytest.raises(UnreadableFile):
        replay(SETTINGS, [good, damaged], Pace(), Console(file=io.StringIO()), kafka.world())
    assert [True, True] == [ack.asked for ack in kafka.acks]


@pytest.mark.parametrize("wrong", [{"speed": -1.0}, {"rate": 0.0}, {"speed": 1.0, "rate": 5.0}])
def test_a_pace_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    """Negative, zero a second, or two paces at once."""
    with pytest.raises(SettingsError, match="--"):
        Pace(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_a_bar_on_a_terminal_and_plain_lines_elsewhere(*, terminal: bool) -> None:
    """Lines come every few seconds, not for every post."""
    kafka, shown = FakeKafka(), io.StringIO()
    out = Console(file=shown, force_terminal=terminal, width=100)

    replay(SETTINGS, ["-"], Pace(rate=10), out, kafka.world(posts(*range(120))))

    assert terminal == ("\x1b" in shown.getvalue())
    lines = shown.getvalue().splitlines()
    assert terminal or ["replay: 50 sent, 10/s", "replay: 100 sent, 10/s"] == lines


def test_a_long_wait_is_told() -> None:
    """A gap of hours in the file does not look like a replay that hangs."""
    kafka, shown = FakeKafka(), io.StringIO()

    replay(SETTINGS, ["-"], Pace(speed=1), Console(file=shown, width=100), kafka.world(posts(0, 20)))

    assert "replay: 1 sent, 0/s, the next one in 15 s" in shown.getvalue()


class Broker(Protocol):
    """What the fixture gives."""

    bootstrap: str


def test_on_a_real_broker_a_customer_stays_in_one_partition(broker: Broker) -> None:
    """Every record is there, in the partition that its key's murmur2 hash tells, dated now, with the header."""
    topics = Topics(prefix=f"replay-{uuid4().hex}.")
    settings = Settings(kafka=Kafka(bootstrap_servers=(broker.bootstrap,)), topics=topics)
    name = topics.name("tweets")
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        admin.create_topics([NewTopic(name, 3, 1)])
    lines = "".join(post(number % 20, number) + "\n" for number in range(200)) + "broken\n" * 3
    started = time() * 1000

    summary = replay(settings, ["-"], Pace(), Console(file=io.StringIO()), World(stdin=io.BytesIO(lines.encode())))

    with closing(KafkaConsumer(bootstrap_servers=broker.bootstrap, enable_auto_commit=False)) as consumer:
        partitions = [TopicPartition(name, number) for number in range(3)]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        found: list[Any] = []
        while len(found) < 203:
            found += [record for some in consumer.poll(timeout_ms=1000).values() for record in some]
    assert (203, 203) == (summary.sent, len(found))
    assert {(murmur2(one.key) & 0x7FFFFFFF) % 3 == one.partition for one in found if one.key} == {True}
    assert {[("triage_api", b"replay")] == one.headers and one.timestamp >= int(started) for one in found} == {True}
    assert {0, 1, 2} == {one.partition for one in found if one.key is None}
