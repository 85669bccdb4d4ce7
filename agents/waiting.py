"""`triage waiting`: who waits now, oldest first, with the conversation; and where there is a backlog."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from rich.console import Console

from agents import clients
from agents.shown import shown
from agents.span import span
from agents.states import State, states
from pipeline.backlog import Counts, Waiting, is_backlog, total
from pipeline.brands import require_brand
from pipeline.facts import QUEUES, Fact, Kind, Mark, whereabouts
from pipeline.posts import Queue
from pipeline.posts_clock import PostsClock
from pipeline.route import topic_of, utc
from pipeline.routed import RoutedPost
from pipeline.settings import Settings
from pipeline.turns import NEVER, Turn
from pipeline.waits import open_turn

WITHIN_MS = 5_000
Reader = Callable[[int, str, int], str | None]
"""The text of the post at a place: (partition, declared topic, offset); None where it is not any more."""
_routed = msgspec.json.Decoder(RoutedPost).decode


class Post(msgspec.Struct):
    """One post of a conversation; the text only where its record is still there."""

    id: str
    at: str
    by: str
    """customer, or the account that answered."""
    text: str | None


class Waiter(msgspec.Struct):
    """Somebody who waits, and since when."""

    since: str
    waits_s: float
    deadline_at: str | None
    late: bool
    brand: str
    queue: str
    customer: str
    conversation_id: str
    post_id: str
    url: str
    assignee: str | None
    conversation: list[Post]


class Found(NamedTuple):
    """Those who wait longest, how many wait in all, and who waits where."""

    waiters: list[Waiter]
    number: int
    counts: Counts
    clock: int
    """The posts' time in ms, by which they are judged."""


def find(settings: Settings, *, brand: str | None, queue: Queue | None, limit: int, now: int) -> Found:
    """Who waits now, by the posts' clock, as the worker judges them; `now` in ms by the wall's clock.

    Raises:
        UnknownBrand: neither the settings nor the states have it.
        TopicsError: there is no topic `conversations`.
        BrokerError: the broker does not answer.
    """
    consumer = clients.consumer(settings.kafka)
    try:
        clock = PostsClock()
        found = states(consumer, settings, clock)
        require_brand(brand, settings.brands, {state.key.brand for state in found})
        now = clock.at(now) or now
        return chosen(found, _reader(consumer, settings), brand=brand, queue=queue, limit=limit, now=now)
    finally:
        consumer.close()


def chosen(
    found: Iterable[State], read: Reader, *, brand: str | None, queue: Queue | None, limit: int, now: int
) -> Found:
    """Who waits, of a brand and a queue, longest first; and who waits where, of that brand."""
    of_brand = [
        (turn, state)
        for state in found
        if brand in (None, state.key.brand) and (turn := open_turn(state.conversation)) is not None
    ]
    counts = total(_count(turn, state, now) for turn, state in of_brand)
    waiting = [(turn, state) for turn, state in of_brand if queue in (None, QUEUES[turn.queue])]
    waiting.sort(key=lambda one: (one[0].opened, one[0].post))
    return Found([_waiter(turn, state, read, now) for turn, state in waiting[:limit]], len(waiting), counts, now)


def _count(turn: Turn, state: State, now: int) -> Counts:
    return {(state.key.brand, QUEUES[turn.queue].value): Waiting(1, int(turn.due < now), turn.opened)}


def _waiter(turn: Turn, state: State, read: Reader, now: int) -> Waiter:
    facts = [
        fact
        for fact in state.conversation.facts
        if fact.kind in (Kind.ASKED, Kind.ANSWERED) and not fact.marks & (Mark.GONE | Mark.ADOPTED)
    ]
    return Waiter(
        utc(turn.opened),
        max(0, now - turn.opened) / 1000,
        None if turn.due == NEVER else utc(turn.due),
        turn.due < now,
        state.key.brand,
        QUEUES[turn.queue].value,
        state.key.customer,
        state.key.conversation,
        turn.post,
        f"https://x.com/i/web/status/{turn.post}",
        state.conversation.assignee or None,
        [_post(fact, state.partition, read) for fact in facts],
    )


def _post(fact: Fact, partition: int, read: Reader) -> Post:
    queue = Queue.OWN if fact.kind is Kind.ANSWERED else QUEUES[fact.queue]
    partition, offset = whereabouts(fact.place, partition)
    text = read(partition, topic_of(queue), offset) if fact.place >= 0 else None
    return Post(fact.id, utc(fact.at), fact.who or "customer", text)


def _reader(consumer: KafkaConsumer, settings: Settings) -> Reader:
    """Reads texts from the broker."""

    def read(partition: int, topic: str, offset: int) -> str | None:
        tp = TopicPartition(settings.topics.name(topic), partition)
        try:
            consumer.assign([tp])
            if offset < consumer.beginning_offsets([tp])[tp]:
                return None
            consumer.seek(tp, offset)
            found = consumer.poll(timeout_ms=WITHIN_MS, max_records=1).get(tp, [])
        except KafkaError:  # no right to read the queues: ids and times are worth showing all the same
            return None
        return _text(found[0].value) if found and found[0].offset == offset else None

    return read


def _text(value: bytes | None) -> str | None:
    try:
        return _routed(value or b"").text
    except msgspec.DecodeError:
        return None


def show(found: Found, limit: int, out: Console) -> None:
    """Those who wait, oldest first, each with the conversation."""
    for one in found.waiters:
        since = one.since[:16].replace("T", " ")
        late = " late" if one.late else ""
        whose = shown(f"{one.brand} {one.queue}, customer {one.customer}")
        head = f"{since}  waits {span(one.waits_s)}{late}  {whose}  {shown(one.url)}"
        out.print(head, style="red" if one.late else None, markup=False, highlight=False, soft_wrap=True)
        for line in _lines(one):
            out.print("    " + line, markup=False, highlight=False, soft_wrap=True)
    some = f", the {limit} who wait longest shown" if found.number > limit else ""
    at = utc(found.clock)[:16].replace("T", " ")
    out.print(
        f"{found.number:,} wait{some} (times in UTC; for the posts it is {at})" if found.number else "nobody waits",
        soft_wrap=True,
    )


def backlogs(counts: Counts, limit: int) -> Iterator[str]:
    """A line for each queue in which more wait than should, or one too long."""
    for (brand, queue), waiting in sorted(counts.items()):
        if is_backlog(waiting, limit):
            where = shown(f"{brand} {queue}")
            yield f"backlog: {where}: {waiting.number} wait (limit {limit}), {waiting.late} past their target"


def as_json(found: Found, limit: int) -> str:
    """One JSON object."""
    rows: Iterable[tuple[tuple[str, str], Waiting]] = sorted(found.counts.items())
    queues = [
        {"brand": brand, "queue": queue, "waiting": one.number, "late": one.late, "backlog": is_backlog(one, limit)}
        for (brand, queue), one in rows
    ]
    says = {"waiting": found.number, "clock": utc(found.clock), "queues": queues, "waiters": found.waiters}
    return msgspec.json.encode(says).decode()


def _lines(one: Waiter) -> Iterator[str]:
    if one.assignee:
        yield f"with {shown(one.assignee)}"
    for post in one.conversation:
        text = "(its text is not kept any more)" if post.text is None else shown(post.text)
        yield f"{post.at[11:16]} {shown(post.by)}: {text[:200]}"
