"""`triage topics grow`: more partitions. All stands still; states move to their new partitions; then the topics grow.

The order makes a break harmless: `conversations` grows first, so that no responses worker starts on half of it,
whatever its settings say; `tweets` last, so that nothing with the new number starts before all is done. The same
command again does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from time import sleep
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer

from agents import at_rest, clients
from agents.at_rest import Clients
from agents.hashed import hashed
from pipeline.errors import NotAtRest, TopicsError
from pipeline.growth import CONVERSATIONS_LIE, NAMES_LIE, Compacted, Counts, Move, moves
from pipeline.kept import TOLD
from pipeline.settings import Settings
from pipeline.told import changes_something
from pipeline.topics import CONVERSATIONS, DESK, HEARD_TOPICS, REPLIES_LOG, RESPONSES, TOPICS, TWEETS

Say = Callable[[str], None]
MOVED: Mapping[str, Compacted] = {
    CONVERSATIONS: CONVERSATIONS_LIE,
    "listener.state": NAMES_LIE,
    REPLIES_LOG: NAMES_LIE,
}
READ = tuple(topic for topic in HEARD_TOPICS if topic != DESK)
"""What must be read to its end; words of helpdesks are keyed when they are read, so they may wait."""


def grow(settings: Settings, after: int, *, dry_run: bool, say: Say) -> None:
    """Grow the topics to `after` partitions from what they have; where all have grown, from what the settings say.

    Raises:
        NotAtRest: something runs, or is unread; nothing was changed.
        TopicsError: the topics have other numbers of partitions.
        StateError: a key lies where no hash put it.
        BrokerError: the broker refused something; the same command again does the rest.
    """
    with at_rest.connected(settings) as found:
        counts = _counts(settings, found.admin, after)
        if not dry_run:
            at_rest.wait_until_left(settings, found.admin, _groups(settings))
        ends = {} if dry_run else _require_rest(settings, found)
        for topic, lies in MOVED.items():
            name = settings.topics.name(topic)
            wanted = _moves(found, name, lies, counts)
            say(f"{name}: {len(wanted):,} keys {'would move' if dry_run else 'move'} to another partition")
            if not dry_run:
                _widen(found.admin, [name], after)
                move(settings, name, wanted)
        if dry_run:
            return
        rest = [name for name in _grown(settings) if name not in map(settings.topics.name, MOVED)]
        _widen(found.admin, [name for name in rest if name != settings.topics.name(TWEETS)], after)
        _widen(found.admin, [settings.topics.name(TWEETS)], after)
        _require_same(ends, _require_rest(settings, found))
    say(f"all topics have {after} partitions: set `topics: {{partitions: {after}, grown: true}}`, and start everything")


def _groups(settings: Settings) -> list[str]:
    """Whoever reads or writes by partition."""
    return [
        settings.worker.group,
        settings.responses.group,
        settings.poster.group,
        settings.topics.name(settings.listener.group),
    ]


def _grown(settings: Settings) -> list[str]:
    return [settings.topics.name(topic.name) for topic in TOPICS if topic.partitions is None]


def _counts(settings: Settings, admin: KafkaAdminClient, after: int) -> Counts:
    """What the broker has, for the settings may say something else; `tweets` grows last, so it has the old number."""
    described = admin.describe_topics(_grown(settings))
    numbers = {topic["name"]: 0 if topic["error_code"] else len(topic["partitions"]) for topic in described}
    now = numbers[settings.topics.name(TWEETS)]
    counts = Counts(now if now < after else settings.topics.partitions, after)
    if counts.after <= counts.before:
        raise TopicsError(f"the topics have {now} partitions: there can only be more, not {after}")
    for name, number in numbers.items():
        if number == 0:
            raise TopicsError(f"{name} does not exist, or this user may not see it: run `triage topics create`")
        if number not in counts:
            raise TopicsError(
                f"{name} has {number} partitions, neither the {counts.before} of before nor the {after} that are "
                "wanted: `triage topics check` says what is not as declared"
            )
    return counts


def _require_rest(settings: Settings, found: Clients) -> dict[Any, int]:
    """Where the topics end; all of it is read, and what was told is kept."""
    name = settings.topics.name
    at_rest.require_read(found, settings.worker.group, [name(TWEETS)])
    at_rest.require_read(found, settings.responses.group, [name(topic) for topic in READ])
    _require_kept(settings, found)
    tps = at_rest.partitions(found.consumer, [name(topic) for topic in (TWEETS, *READ)])
    ends: dict[Any, int] = found.consumer.end_offsets(tps)
    return ends


def _require_kept(settings: Settings, found: Clients) -> None:
    """A worker that was killed may have told what its states do not say: whoever takes over mends it, so one must."""
    newest = clients.newest(found.consumer, settings.topics.name(CONVERSATIONS))
    marks = {place.partition: int(kept.value) for place, kept in newest.items() if place.key == TOLD}
    for record in clients.stored_since(found.consumer, settings.topics.name(RESPONSES), marks):
        if changes_something(record.value):
            raise NotAtRest(
                f"{record.topic}, partition {record.partition}, tells what the states do not say yet: a worker was "
                "killed. Start a responses worker, stop it in order (SIGTERM), and try again"
            )


def _require_same(before: Mapping[Any, int], after: Mapping[Any, int]) -> None:
    moved = [tp for tp, end in after.items() if end != before.get(tp, 0)]
    if moved:
        raise NotAtRest(
            f"all topics have grown, but {moved[0].topic}, partition {moved[0].partition}, was written meanwhile: its "
            "records may be in the old partition of their customers"
        )


def _moves(found: Clients, name: str, lies: Compacted, counts: Counts) -> Sequence[Move]:
    return moves(clients.newest(found.consumer, name), lies, counts, hashed)


def _widen(admin: KafkaAdminClient, names: Sequence[str], after: int) -> None:
    """Grow topics that are smaller, and wait until each partition has a leader."""
    small = {one["name"]: after for one in admin.describe_topics(list(names)) if len(one["partitions"]) < after}
    if small:
        admin.create_partitions(small)
    while not all(_has_leaders(topic, after) for topic in admin.describe_topics(list(names))):
        sleep(0.1)


def _has_leaders(topic: Mapping[str, Any], after: int) -> bool:
    return len(topic["partitions"]) >= after and all(one["leader_id"] >= 0 for one in topic["partitions"])


def move(settings: Settings, name: str, wanted: Sequence[Move]) -> None:
    """Write to the new partitions, acknowledged; only then delete from the old ones. Timestamps go along."""
    producer: KafkaProducer = clients.producer(settings.kafka)
    try:
        acknowledged(
            producer.send(name, one.value, one.key, partition=one.there, timestamp_ms=one.timestamp)
            for one in wanted
            if one.value is not None
        )
        acknowledged(producer.send(name, None, one.key, partition=one.here) for one in wanted)
    finally:
        producer.close()


def acknowledged(sent: Iterable[Any]) -> None:
    """Return when the broker has all of it."""
    for future in list(sent):
        future.get(timeout=60)
