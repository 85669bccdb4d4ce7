"""The state of partitions on the real broker: read before it is used, kept while others have it, united if need be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaConsumer
from prometheus_client import Gauge

from agents import clients, topics
from agents.books import Books
from agents.transport import Fetched
from pipeline.changes import Change, Told
from pipeline.facts import Fact, Kind
from pipeline.heard import Heard
from pipeline.kept import TOLD, Key, decode
from pipeline.responses import encode, response
from pipeline.settings import Settings
from pipeline.topics import CONVERSATIONS
from pipeline.turns import Policy, Turn
from pipeline.waits import Waits

POLICY = Policy(frozenset({0}), {0: 1_800_000})
AT = 1_800_000_000_000


def state(customer: str, *posts: str, seed: bytes | None = None) -> tuple[bytes, bytes]:
    """A record of conversations: a customer asked, in one conversation; `seed` is the state before."""
    books, key = Waits(lambda _: POLICY), Key(customer, "heron", "c").encoded()
    if seed is not None:
        books.load(key, seed, AT)
        books.loaded()
    heard = [Heard(customer, "heron", "c", Fact(AT + at, Kind.ASKED, post, 0)) for at, post in enumerate(posts)]
    value = books.hear(heard, AT + 10).states[key]
    assert value is not None
    return key, value


def write(settings: Settings, partition: int, *records: tuple[bytes, bytes | None]) -> None:
    """Put records into conversations."""
    producer = clients.producer(settings.kafka)
    name = settings.topics.name(CONVERSATIONS)
    for key, value in records:
        producer.send(name, value, key, partition=partition).get(30)
    producer.close()


@asynccontextmanager
async def opened(settings: Settings, standby: Sequence[int] = (), told: Sequence[Fetched] = ()) -> AsyncIterator[Books]:
    """Books that read from the broker; `told` stands in `responses`."""
    failed: list[BaseException] = []

    async def tail(partition: int, first: int) -> Sequence[Fetched]:
        return [one for one in told if one.partition == partition and one.offset >= first]

    books = Books(
        lambda: Waits(lambda _: POLICY),
        lambda: AIOKafkaConsumer(**clients.aiokafka(settings.kafka), enable_auto_commit=False, fetch_max_wait_ms=50),
        settings.topics.name(CONVERSATIONS),
        tail,
        ThreadPoolExecutor(1),
        standby=standby,
        on_stop=failed.append,
        recovering=Gauge("recovering", "", registry=None),
        seconds=Gauge("seconds", "", registry=None),
    )
    await books.start()
    try:
        yield books
        assert failed == []
    finally:
        await books.stop()


def test_partitions_are_read_before_they_are_ready(settings: Settings) -> None:
    """What stands in the topic, tombstones applied; an empty partition too; and of others nothing."""
    topics.create(settings, [CONVERSATIONS])
    gone, _ = state("b", "q")
    write(settings, 0, state("a", "q1"), state("b", "q"), (gone, None))

    async def act() -> dict[int, list[str]]:
        async with opened(settings) as books:
            books.assign([0, 1])
            found = await asyncio.wait_for(books.ready([0, 1, 2]), 30)
            return {partition: [one.key.customer for one in waits.waiters()] for partition, waits in found.items()}

    assert {0: ["a"], 1: []} == asyncio.run(act())


def test_what_comes_back_is_read_from_where_it_was(settings: Settings) -> None:
    """Revoked with all written: only what others wrote in the meantime is read; else everything again."""
    topics.create(settings, [CONVERSATIONS])
    write(settings, 0, state("a", "q1"))

    async def act() -> tuple[bool, bool, list[str]]:
        async with opened(settings) as books:
            books.assign([0])
            first = (await books.ready([0]))[0]
            books.revoke(clean=True)
            write(settings, 0, state("b", "q2"))
            books.assign([0])
            second = (await books.ready([0]))[0]
            books.revoke(clean=False)
            books.assign([0])
            third = (await books.ready([0]))[0]
            return first is second, second is third, sorted(one.key.customer for one in third.waiters())

    assert (True, False, ["a", "b"]) == asyncio.run(act())


def test_standby_reads_along(settings: Settings) -> None:
    """What another worker writes is known before the partition is ours."""
    topics.create(settings, [CONVERSATIONS])
    write(settings, 1, state("a", "q1"))

    async def act() -> tuple[int, list[str]]:
        async with opened(settings, standby=range(3)) as books:
            books.assign([0])
            await books.ready([0])
            write(settings, 1, state("b", "q2"))
            async with asyncio.timeout(30):
                while books.positions.get(1) != 2:  # noqa: ASYNC110 - the books tell nobody how far they are
                    await asyncio.sleep(0.05)
            books.assign([0, 1])
            found = (await books.ready([1]))[1]
            return books.positions[1] or 0, sorted(one.key.customer for one in found.waiters())

    assert (2, ["a", "b"]) == asyncio.run(act())


def test_two_writers_are_united(settings: Settings) -> None:
    """Of two that did not know of each other what both know counts, and is written again with the next tick."""
    topics.create(settings, [CONVERSATIONS])
    key, first = state("a", "q1")
    ours, theirs = state("a", "q2", seed=first), state("a", "q3", seed=first)
    write(settings, 0, (key, first), ours, theirs)

    async def act() -> tuple[list[str], int]:
        async with opened(settings) as books:
            books.assign([0])
            found = (await books.ready([0]))[0]
            again = found.tick(AT).states[key]
            assert again is not None
            return [fact.id for fact in decode(again).facts], decode(again).version

    facts, version = asyncio.run(act())

    assert ["q1", "q2", "q3"] == sorted(facts)
    assert version > msgspec.msgpack.decode(theirs[1])[0]


def test_what_was_told_and_not_kept(settings: Settings) -> None:
    """From the mark on, what stands in `responses` of the partition enters the books before they are ready."""
    topics.create(settings, [CONVERSATIONS])
    mark = (TOLD, b"7")
    write(settings, 0, state("a", "q1"), mark)
    told = [_told(0, 6, "b"), _told(0, 7, "c"), _told(1, 9, "d")]

    async def act() -> list[str]:
        async with opened(settings, told=told) as books:
            books.assign([0])
            found = (await asyncio.wait_for(books.ready([0]), 30))[0]
            return sorted(one.key.customer for one in found.waiters())

    assert ["a", "c"] == asyncio.run(act())


def _told(partition: int, offset: int, customer: str) -> Fetched:
    """The record that a customer's wait began."""
    turn = Turn("q", AT, 0, wanted=True, first=True)
    said = response(Key(customer, "heron", "c"), Told(Change.OPENED, AT, turn), 1, AT, POLICY)
    return Fetched("responses", partition, offset, AT, customer.encode(), encode(said), ())
