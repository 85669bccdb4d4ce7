"""The listener between the fake X and the real Kafka: what is published is in `tweets`, whatever goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
from aiokafka.partitioner import murmur2
from prometheus_client import CollectorRegistry
from x_listening import Running, gaps, ids, records, running, settings_for, until, values

from agents.fake_x import FakeX
from agents.session import Outside, Session
from agents.x_api import XApi
from agents.x_source import XSource, access_of
from pipeline import contracts, traces
from pipeline.backoff import Backoff
from pipeline.clocks import ScaledClock
from pipeline.listener_metrics import ListenerMetrics
from pipeline.settings import Settings

FACTOR = 30
"""So many times as fast as life: a minute passes in two seconds."""
KEEP_ALIVE_S = 10.0


@pytest.fixture
def clock() -> ScaledClock:
    """The clock of X and of the listener."""
    return ScaledClock(FACTOR)


@pytest.fixture
def fake(clock: ScaledClock) -> Iterator[FakeX]:
    """The fake X."""
    with FakeX(clock=clock, keep_alive_s=KEEP_ALIVE_S) as fake:
        yield fake


@pytest.fixture
def made(settings: Settings, fake: FakeX, tmp_path: Path) -> Settings:
    """Settings for it; the stream counts as stalled when four keep-alives are missing: a busy machine is no stall.

    A longer one would be noticed as a silence first.
    """
    return settings_for(settings, fake, tmp_path, stall_after_s=4 * KEEP_ALIVE_S / FACTOR)


@pytest.fixture
def steady(made: Settings) -> Settings:
    """The same, where a silence is no gap of its own: what a test says at once makes a minute without posts unusual."""
    return made.model_copy(update={"listener": made.listener.model_copy(update={"quiet_posts": 1e6})})


def _ready(one: Running) -> Running:
    until(lambda: one.connected or one.error, "connected")
    assert one.error is None
    return one


def _publish(fake: FakeX, first: int, last: int) -> list[str]:
    return [fake.world.publish(f"@Acme my bag {number}", author=f"c{number}").id for number in range(first, last)]


def test_posts_of_the_stream(made: Settings, fake: FakeX, clock: ScaledClock) -> None:
    """Each comes as X sent it, under its customer's key, in the partition that any client would choose."""
    with running(made, clock) as one:
        _ready(one)
        question = fake.world.publish("@Acme where is my bag", author="lena")
        fake.world.publish("in Oslo", author="Acme", reply_to=question.id)
        until(lambda: len(ids(made)) == 2, "two posts")

    lena = question.author.id.encode()
    found = records(made, "tweets")
    assert [lena, lena] == [record.key for record in found]
    assert {murmur2(lena) % 2**31 % 3} == {record.partition for record in found}
    assert [("triage_api", b"stream")] * 2 == [record.headers[0] for record in found]
    assert 2 == len({traces.of(record.headers) for record in found} - {None})
    assert {"acme:mentions"} == {rule["tag"] for one in values(made, "tweets")[:1] for rule in one["matching_rules"]}
    assert any("enable_idempotence=True, acks=all" in line for line in one.said)


def test_a_silence_that_ends_before_it_is_noticed(made: Settings, fake: FakeX, clock: ScaledClock) -> None:
    """Keep-alives come and no post; the connection is dropped within the minute: all of the silence is a gap."""
    with running(made, clock) as one:
        _ready(one)
        usual: list[str] = []
        for first in range(0, 60, 2):
            usual += _publish(fake, first, first + 2)
            clock.sleep(1)
        until(lambda: set(ids(made)) == set(usual), "what is usual")

        fake.faults.stall(keep_alives=True)
        silent = _publish(fake, 100, 110)
        clock.sleep(50)
        fake.faults.drop()
        until(lambda: set(silent) <= set(ids(made)), "what was missed")

    assert sorted(usual + silent) == sorted(ids(made))


FAULTS: dict[str, tuple[str, Callable[[FakeX], object]]] = {
    "dropped": ("disconnect", lambda fake: fake.faults.drop()),
    "torn": ("disconnect", lambda fake: fake.faults.drop(mid_line=True)),
    "closed": ("closed", lambda fake: fake.faults.close_clean()),
    "stalled": ("stall", lambda fake: fake.faults.stall()),
    "half open": ("stall", lambda fake: fake.faults.half_open()),
    "operational": ("in_stream", lambda fake: fake.faults.operational_disconnect()),
    "cut off": ("disconnect", lambda fake: fake.faults.slow_client_cut()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_connection_that_ends_is_a_gap_that_is_filled(
    fault: str, steady: Settings, fake: FakeX, clock: ScaledClock
) -> None:
    """What was published meanwhile is found, each once; the record has two sweeps and their counts."""
    made, (cause, happens) = steady, FAULTS[fault]
    with running(made, clock) as one:
        _ready(one)
        published = _publish(fake, 0, 5)
        until(lambda: len(ids(made)) == 5, "the posts before")
        fake.faults.unavailable(to="GET /2/tweets/search/stream", times=2)
        happens(fake)
        until(lambda: not one.connected, "the end is noticed")
        published += _publish(fake, 5, 10)
        until(lambda: one.connected, "connected again")
        published += _publish(fake, 10, 15)
        until(lambda: gaps(made) and all(gap["closed_at"] for gap in gaps(made)), "the gap is closed")

    [gap] = gaps(made)
    assert sorted(published) == sorted(ids(made))
    assert (cause, ["unavailable"], 2, 5) == (
        gap["cause"], gap["causes"], len(gap["sweeps"]), sum(sweep["recovered"] for sweep in gap["sweeps"])
    )  # fmt: skip
    assert 5 == one.value("triage_posts_recovered_total", cause=cause)
    assert 0 < one.value("triage_gap_seconds_total", cause=cause) < 300


def test_a_restart_is_a_gap(made: Settings, fake: FakeX, clock: ScaledClock) -> None:
    """What was published while nobody listened is found; what had come before does not come again."""
    with running(made, clock) as one:
        _ready(one)
        published = _publish(fake, 0, 5)
        until(lambda: len(ids(made)) == 5, "the posts before")
    published += _publish(fake, 5, 10)
    with running(made, clock) as one:
        _ready(one)
        until(lambda: gaps(made) and gaps(made)[0]["closed_at"], "the gap is closed")

    assert sorted(published) == sorted(ids(made))
    [gap] = gaps(made)
    assert ("restart", 5) == (gap["cause"], sum(sweep["recovered"] for sweep in gap["sweeps"]))
    assert 5 == one.value("triage_posts_recovered_total", cause="restart")
    schema = jsonschema.Draft7Validator(contracts.state_schema())
    for record in records(made, "listener.state"):
        schema.validate(json.loads(record.value))


def test_too_many_requests_wait_for_the_reset(made: Settings, fake: FakeX, clock: ScaledClock) -> None:
    """At least a minute, and until the header's time."""
    fake.faults.limit(to="GET /2/tweets/search/stream")
    fake.faults.limit(to="GET /2/tweets/search/stream", with_reset=False)
    with running(made, clock) as one:
        until(lambda: fake.counts.of("GET /2/tweets/search/stream") == 3, "connected", 60)

        first, second, third = fake.counts.connects
        assert 60 < second - first < 930
        assert 120 <= third - second < 180
        assert any("limited" in line for line in one.said)


def test_the_reset_is_obeyed_after_a_restart(made: Settings, fake: FakeX, clock: ScaledClock) -> None:
    """Whoever connects: the limit is the app's, and the next listener finds it in listener.state."""
    fake.faults.limit(to="GET /2/tweets/search/stream")
    with running(made, clock) as one:
        until(lambda: any("limited" in line for line in one.said), "refused")
    with running(made, clock):
        until(lambda: len(fake.counts.connects) == 2, "connected", 60)

    first, second = fake.counts.connects
    assert 890 < second - first < 930


def test_a_limit_told_to_another_listener_is_obeyed(made: Settings, fake: FakeX, clock: ScaledClock) -> None:
    """Also by one that had the lease before, and knows of its own attempts only."""
    earlier = Backoff().reached(clock.now() - 60)
    fake.faults.limit(to="GET /2/tweets/search/stream")
    with running(made, clock) as other:
        until(lambda: any("limited" in line for line in other.said), "refused")
    api = XApi(access_of(made), base_url=fake.base_url)
    metrics = ListenerMetrics(CollectorRegistry(), made.listener.prices, clock.now)
    outside = Outside(made, XSource(made, api, metrics), lambda _: [], metrics, clock, lambda _: None)

    session = Session(outside, earlier)
    session.run(lambda: True)
    known = session.close(held=False)

    api.close()
    assert (2, True) == (len(known.attempts), known.not_before > clock.now() + 600)


@pytest.mark.parametrize(
    ("status", "says"), [(401, "bearer token is wrong"), (403, "no right to the filtered stream"), (409, "no rules")]
)
def test_what_will_never_work_stops_with_a_reason(
    status: int, says: str, made: Settings, fake: FakeX, clock: ScaledClock
) -> None:
    """One attempt, no loop."""
    fake.faults.refuse(status, to="GET /2/tweets/search/stream", times=100)
    one = Running(made, clock)
    until(lambda: one.error, "it stops")
    one.stop()

    assert says in str(one.error)
    assert 1 == fake.counts.of("GET /2/tweets/search/stream")


def test_silence_though_it_lives(made: Settings, fake: FakeX, clock: ScaledClock) -> None:
    """Keep-alives and no posts, far below the usual: it connects again and finds what it missed."""
    with running(made, clock) as one:
        _ready(one)
        published = []
        for number in range(600):  # two a second for five minutes
            published += _publish(fake, number, number + 1)
            clock.sleep(0.5)
        until(lambda: len(ids(made)) == 600, "the posts before")
        fake.faults.stall(keep_alives=True)
        for number in range(600, 900):
            published += _publish(fake, number, number + 1)
            clock.sleep(0.5)
        until(lambda: any(gap["cause"] == "quiet" and gap["closed_at"] for gap in gaps(made)), "the gap is closed", 60)

    assert sorted(published) == sorted(ids(made))


def test_duplicates_disorder_and_broken_lines(made: Settings, fake: FakeX, clock: ScaledClock) -> None:
    """Each post once; what is no JSON goes on to the dead letters, and the stream goes on."""
    with running(made, clock) as one:
        _ready(one)
        fake.faults.duplicate(5)
        fake.faults.shuffle(4)
        fake.faults.malformed_line()
        published = _publish(fake, 0, 20)
        until(lambda: len(records(made, "tweets")) >= 21, "all of them")

    broken = [record.value for record in records(made, "tweets") if record.key is None]
    assert [b'{"data":{"id":"1","te'] == broken
    assert 5 == one.value("triage_repeated_total")
    found = [json.loads(record.value) for record in records(made, "tweets") if record.key is not None]
    assert sorted(published) == sorted(one["data"]["id"] for one in found)


def test_an_edit_comes_as_its_next_version(made: Settings, fake: FakeX, clock: ScaledClock) -> None:
    """Under the same first id."""
    with running(made, clock) as one:
        _ready(one)
        first = fake.world.publish("@Acme my bga", author="lena").id
        second = fake.world.edit(first, "@Acme my bag").id
        until(lambda: len(records(made, "tweets")) == 2, "both versions")

    assert [[first], [first, second]] == [one["data"]["edit_history_tweet_ids"] for one in values(made, "tweets")]


def test_private_messages_and_answers_typed_anywhere(made: Settings, fake: FakeX, clock: ScaledClock) -> None:
    """Messages of both sides go to their own topic, each once; an answer that no rule brought is found too."""
    quiet = made.brands[0].model_copy(update={"listen": made.brands[0].listen.model_copy(update={"own_posts": False})})
    made = made.model_copy(update={"brands": (quiet,)})
    world = fake.world
    question = world.publish("hello there", author="lena")
    for _ in range(2):
        with running(made, clock) as one:
            _ready(one)
            world.send_dm("lena", "Acme", "my number is 1")
            world.send_dm("Acme", "lena", "thank you")
            answer = world.publish("a word to you", author="Acme", reply_to=question.id)
            expected = len(world.messages)
            until(lambda n=expected: len(values(made, "messages")) == n, "the messages", 60)  # type: ignore[misc]
            until(lambda a=answer.id: a in ids(made), "the answer", 60)  # type: ignore[misc]

    lena = world.user("lena").id
    assert [("acme", lena, message.sender.id) for message in world.messages] == [
        (one["brand"], one["customer_id"], one["sender_id"]) for one in values(made, "messages")
    ]
    assert {lena.encode()} == {record.key for record in records(made, "messages")}


def test_taking_over_from_a_frozen_listener(made: Settings, fake: FakeX, clock: ScaledClock) -> None:
    """X still counts its stream and says TooManyConnections: the next one ends it, and hears posts within seconds."""
    with running(made, clock) as first:
        _ready(first)
        fake.faults.half_open(stuck=True)
    before = len(fake.counts.connects)

    with running(made, clock) as second:
        _ready(second)
        refused, connected = fake.counts.connects[before:]
        [post] = _publish(fake, 0, 1)
        until(lambda: post in ids(made), "the post")

    assert connected - refused < 10.0
    assert ("triage_api", b"stream") == records(made, "tweets")[0].headers[0]


def test_a_second_listener_waits_and_takes_over(made: Settings, fake: FakeX, clock: ScaledClock) -> None:
    """One connection at a time; when the first one ends, the second has it within seconds."""
    with running(made, clock) as first:
        _ready(first)
        with running(made, clock) as second:
            published = _publish(fake, 0, 5)
            until(lambda: len(ids(made)) == 5, "the posts")
            assert (1, 0) == (first.value("triage_listener_active"), second.value("triage_listener_active"))
            first.stop()
            until(lambda: second.connected, "the second took over", 10)
            published += _publish(fake, 5, 10)
            until(lambda: len(ids(made)) == 10, "the posts after")

    assert sorted(published) == sorted(ids(made))
