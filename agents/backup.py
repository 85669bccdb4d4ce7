"""`triage backup` and `triage restore`: the states of `conversations` into a file, and back into an empty topic."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import time
from typing import Any

from kafka import KafkaProducer, TopicPartition

from agents import at_rest, clients
from agents.at_rest import Clients
from pipeline import backup as file_format
from pipeline.backup import FORMAT, Head, Saved
from pipeline.catching_up import CatchingUp, Input
from pipeline.errors import BackupError, TopicsError
from pipeline.heard import ms
from pipeline.kept import TOLD
from pipeline.policies import Policies
from pipeline.retold import Retold
from pipeline.route import utc
from pipeline.settings import Settings
from pipeline.told import changes_something
from pipeline.topics import CONVERSATIONS, HEARD_TOPICS, RESPONSES

Say = Callable[[str], None]


def backup(settings: Settings, path: Path, *, say: Say) -> None:
    """Write all states to a file; workers may run meanwhile.

    Offsets are taken before the states: what is read again after a restore is known already, and changes nothing.

    Raises:
        BackupError: the file cannot be written.
        TopicsError, BrokerError: the topic cannot be read.
    """
    with at_rest.connected(settings) as found:
        head = _head(settings, found)
        newest = clients.newest(found.consumer, settings.topics.name(CONVERSATIONS))
    records = [Saved(place.partition, place.key, kept.value, kept.timestamp) for place, kept in newest.items()]
    new = path.with_name(f"{path.name}.new")
    try:
        new.touch(mode=0o600)  # it names customers
        with gzip.open(new, "wb", compresslevel=6) as file:
            file.writelines(file_format.lines(head, records))
        new.replace(path)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror}") from error
    say(f"{_conversations(records):,} conversations as of {head.at} are in {path}")


def _head(settings: Settings, found: Clients) -> Head:
    names = {settings.topics.name(topic): topic for topic in HEARD_TOPICS}
    offsets = at_rest.committed(found.admin, settings.responses.group)
    rows = [
        (names[tp.topic], tp.partition, offsets.get(tp, 0))  # 0: what is not committed yet is to be read again, too
        for tp in at_rest.partitions(found.consumer, names)
    ]
    count = len(found.consumer.partitions_for_topic(settings.topics.name(CONVERSATIONS)) or ())
    return Head(FORMAT, _cluster(found), settings.topics.prefix, count, utc(int(time() * 1000)), rows)


def restore(settings: Settings, path: Path, *, say: Say) -> None:
    """Write the states into the empty topic, brought to where the group's offsets are: nothing is read or told again.

    After a break it can be called again.

    Raises:
        BackupError: the file is not whole, or does not fit the topic, or the topic holds something else.
        NotAtRest: a responses worker runs.
        TopicsError, BrokerError: the topic is not there, or cannot be written.
    """
    head, records = _read(path)
    topic = settings.topics.name(CONVERSATIONS)
    with at_rest.connected(settings) as found:
        at_rest.wait_until_left(settings, found.admin, [settings.responses.group])
        _require_fit(settings, found, head)
        if (head.cluster, head.prefix) == (_cluster(found), settings.topics.prefix):
            records = _caught_up(settings, found, head, records, say)
        else:
            say("the backup is of another cluster or prefix: its states are restored, and nothing is read after them")
            records = [one for one in records if one.key != TOLD]
        _write(settings, found, records)
    say(f"{_conversations(records):,} conversations are in {topic}, read back: start the responses workers")


def _read(path: Path) -> tuple[Head, list[Saved]]:
    try:
        with gzip.open(path, "rb") as file:
            return file_format.read(file)
    except (OSError, EOFError) as error:
        raise BackupError(f"{path} cannot be read as a backup: {error}") from error


def _require_fit(settings: Settings, found: Clients, head: Head) -> None:
    there = len(found.consumer.partitions_for_topic(settings.topics.name(CONVERSATIONS)) or ())
    if not there:
        raise TopicsError(
            f"{settings.topics.name(CONVERSATIONS)} does not exist: run `triage topics create`, then restore"
        )
    if there != head.partitions:
        raise BackupError(
            f"the backup is of {head.partitions} partitions, the topic has {there}: make it with as many, restore, and "
            "then `triage topics grow`"
        )


def _caught_up(settings: Settings, found: Clients, head: Head, records: Sequence[Saved], say: Say) -> list[Saved]:
    """The states as they were where the group's offsets are, with marks at the end of `responses`."""
    inputs, wall = _inputs(settings, found, head, say)
    catching_up = CatchingUp(Policies(settings), wall)
    for one in records:
        catching_up.load(one.partition, one.key, one.value, one.timestamp)
    catching_up.loaded()
    catching_up.hear(inputs)
    marks = {one.partition: one for one in records if one.key == TOLD}
    for partition, told in _told(settings, found, {number: int(one.value) for number, one in marks.items()}).items():
        catching_up.told(partition, [Retold(record.value, record.headers) for record in told])
        marks[partition] = Saved(partition, TOLD, b"%d" % (told[-1].offset + 1), wall)
    saved = {(one.partition, one.key): one for one in records}
    states = [
        before if before is not None and before.value == value else Saved(partition, key, value, wall)
        for (partition, key), value in catching_up.states().items()
        for before in [saved.get((partition, key))]
    ]
    return [*states, *marks.values()]


def _told(settings: Settings, found: Clients, marks: Mapping[int, int]) -> Mapping[int, Sequence[Any]]:
    """What was told since the marks, as far as states must say it too."""
    told = defaultdict[int, list[Any]](list)
    for record in clients.stored_since(found.consumer, settings.topics.name(RESPONSES), marks):
        if changes_something(record.value):
            told[record.partition].append(record)
    return told


def _inputs(settings: Settings, found: Clients, head: Head, say: Say) -> tuple[list[Input], int]:
    """What the group had read since the backup; and the time of the last of it, or of the backup."""
    group, name = settings.responses.group, settings.topics.name
    since = {TopicPartition(name(topic), number): at for topic, number, at in head.offsets}
    until = since | {tp: at for tp, at in at_rest.committed(found.admin, group).items() if tp in since}
    begins = found.consumer.beginning_offsets(list(since))
    lost = {tp: begins[tp] - at for tp, at in since.items() if begins[tp] > max(at, 0) and until[tp] > at}
    if lost:
        say(f"{sum(lost.values()):,} records since the backup are not kept any more: the states lack what they said")
    inputs: list[Input] = []
    for topic in HEARD_TOPICS:
        starts = {tp.partition: at for tp, at in since.items() if tp.topic == name(topic)}
        inputs += [
            Input(topic, one.partition, one.offset, one.timestamp, one.value)
            for one in clients.stored_since(found.consumer, name(topic), starts)
            if one.offset < until.get(TopicPartition(one.topic, one.partition), 0)
        ]
    at_rest.commit(found.admin, group, until)  # where it had none yet, it would begin before the backup
    say(f"{len(inputs):,} records that came after {head.at} are read again")
    return inputs, max([ms(head.at), *(one.timestamp for one in inputs)])


def _write(settings: Settings, found: Clients, records: list[Saved]) -> None:
    """Write what is not there yet, acknowledged; then read all back."""
    topic = settings.topics.name(CONVERSATIONS)
    wanted = {(one.partition, one.key): one for one in records}
    there = {tuple(place): kept.value for place, kept in clients.newest(found.consumer, topic).items()}
    strange = sum(
        place[1] != TOLD and (place not in wanted or wanted[place].value != value) for place, value in there.items()
    )
    if strange:
        raise BackupError(
            f"{topic} is not empty: {strange} records are not those of the backup. Delete the topic, and make it again "
            "with `triage topics create`"
        )
    producer: KafkaProducer = clients.producer(settings.kafka)
    try:
        sent = [
            producer.send(topic, one.value, one.key, partition=one.partition, timestamp_ms=one.timestamp)
            for place, one in sorted(wanted.items(), key=lambda item: item[0][1] == TOLD)  # marks behind the states
            if there.get(place) != one.value
        ]
        for future in sent:
            future.get(timeout=60)
    finally:
        producer.close()
    back = {(*place, *kept) for place, kept in clients.newest(found.consumer, topic).items()}
    if back != {(one.partition, one.key, one.value, one.timestamp) for one in records}:
        raise BackupError(f"{topic} does not say what was written to it: does a worker run?")


def _conversations(records: Iterable[Saved]) -> int:
    return sum(one.key != TOLD for one in records)


def _cluster(found: Clients) -> str:
    return str(found.admin.describe_cluster()["cluster_id"])
