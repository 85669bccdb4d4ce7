"""Posts of open conversations: gone ones are retracted, edited ones come again; a hundred a request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry
from x_listening import records, running, settings_for, until, values
from x_reader import HandClock

from agents import clients
from agents.checking import Checking, Known, to_check
from agents.fake_x import FakeX
from agents.line import Parcel
from agents.outlet import Outlet
from agents.states import State
from agents.x_api import Answer, Limit
from pipeline.brands import Brands
from pipeline.clocks import ScaledClock
from pipeline.facts import Fact, Kind, Mark
from pipeline.gaps import Checkpoint
from pipeline.heard import Heard
from pipeline.kept import Key, decode
from pipeline.listener_metrics import ListenerMetrics
from pipeline.policies import Policies
from pipeline.settings import Settings
from pipeline.settings_listener import Prices
from pipeline.topics import CONVERSATIONS
from pipeline.waits import Waits

AT = 1_795_435_200_000


def _states(settings: Settings, *heard: Heard) -> dict[bytes, bytes]:
    waits = Waits(Policies(settings))
    changes = waits.hear(heard, AT + 1000)
    return {key: value for key, value in changes.states.items() if value is not None}


def _asked(customer: str, post: str, *, marks: int = 0, revision: int = 0) -> Heard:
    return Heard(customer, "acme", post, Fact(AT, Kind.ASKED, post, 0, marks, revision))


def _answered(customer: str, post: str, question: str) -> Heard:
    return Heard(customer, "acme", question, Fact(AT + 1, Kind.ANSWERED, post, who="Acme", parent=question))


def test_which_posts_are_looked_up() -> None:
    """Those of conversations in which somebody waits, or of all; not those that are gone, nor messages."""
    settings = Settings()
    message = Heard("7", "acme", "1", Fact(AT, Kind.WROTE, "dm:5"))
    found = _states(
        settings, _asked("7", "1", revision=2), message, _asked("8", "2", marks=Mark.GONE), _asked("9", "3"),
        _answered("9", "4", "3"),
    )  # fmt: skip
    states = [State(Key.of(key), decode(value), 5) for key, value in found.items()]

    waiting = to_check(states, everything=False)
    everything = to_check(states, everything=True)

    assert [Known("1", 2, "7", 5)] == waiting
    assert ["1", "3", "4"] == sorted(known.id for known in everything)


@pytest.fixture
def clock() -> ScaledClock:
    """Thirty times as fast as life."""
    return ScaledClock(30)


@pytest.fixture
def fake(clock: ScaledClock) -> Iterator[FakeX]:
    """The fake X."""
    with FakeX(clock=clock) as fake:
        yield fake


def test_gone_posts_are_retracted_and_edits_come_again(
    settings: Settings, fake: FakeX, clock: ScaledClock, tmp_path: Path
) -> None:
    """To the partition in which the customer's records are, each once a round; of others nothing is written."""
    made = settings_for(settings, fake, tmp_path, check_every_s=30.0, timeline_every_s=10_000.0)
    posts = [fake.world.publish(f"@Acme bag {number}", author=f"c{number}") for number in range(130)]
    fake.world.delete(posts[0].id)
    edited = fake.world.edit(posts[1].id, "@Acme my bag, not my bga")
    producer = clients.producer(made.kafka)
    for post in posts:
        for key, value in _states(made, _asked(post.author.id, post.id)).items():
            producer.send(made.topics.name(CONVERSATIONS), value=value, key=key, partition=2)
    producer.flush()
    producer.close()

    with running(made, clock):
        until(lambda: records(made, "retractions") and records(made, "tweets"), "what came of it")

    gone = records(made, "retractions")
    assert {(2, posts[0].author.id.encode())} == {(record.partition, record.key) for record in gone}
    assert {(posts[0].id, posts[0].author.id)} == {(one["id"], one["customer"]) for one in values(made, "retractions")}
    assert [edited.id] == [one["data"]["id"] for one in values(made, "tweets")]
    assert fake.counts.of("GET /2/tweets") >= 3


class Quiet:
    """An outlet that has room, and to which nothing is to be given."""

    spilling = False

    def deliver(self, parcels: list[Parcel]) -> None:
        """None is gone."""
        assert not parcels


def test_one_that_is_restarted_often_checks_all_the_same() -> None:
    """The time of a round is counted from the last whole one, which the one before noted; the first is made at once."""
    clock, asked = HandClock(), list[list[str]]()
    notes: dict[str, Checkpoint] = {}
    [state] = [State(Key.of(key), decode(value), 5) for key, value in _states(Settings(), _asked("7", "1")).items()]

    def call(ids: list[str]) -> Answer:
        asked.append(ids)
        return Answer(b"{}", Limit(900, 899, None))

    def started() -> Checking:
        last = notes.get(Checking.name)
        return Checking(
            states=lambda: [state], call=call, outlet=cast("Outlet", Quiet()),
            brands=Brands(()), metrics=ListenerMetrics(CollectorRegistry(), Prices(), clock.now), clock=clock,
            every_s=3600.0, everything=False, since=None if last is None else last.whole_until, write=notes.__setitem__,
        )  # fmt: skip

    for _ in range(13):  # restarted each ten minutes, for two hours
        checking = started()
        while (due := checking.due()) is not None and due <= clock.now():
            checking.step()
        clock.sleep(600)

    assert [["1"]] * 3 == asked
