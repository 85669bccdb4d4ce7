"""Whether all stands still: no worker in its group, no record unread; asked before states are moved or restored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from agents import clients
from pipeline.errors import BrokerError, NotAtRest
from pipeline.settings import Settings

LOOK_EVERY_S = 0.5
SESSIONS = 2.0
"""A static member stays in its group for a session after it has ended; so long, and once more, we wait for that."""


class Clients(NamedTuple):
    """What moving and restoring needs."""

    admin: KafkaAdminClient
    consumer: KafkaConsumer


@contextmanager
def connected(settings: Settings) -> Any:
    """Clients for the time of a command; what they raise becomes our own error."""
    consumer = clients.consumer(settings.kafka)
    try:
        admin = clients.admin(settings.kafka)
        try:
            yield Clients(admin, consumer)
        finally:
            admin.close()
    except KafkaError as error:
        raise BrokerError(f"Kafka refused it ({error!r}): check the broker, and the rights of this user") from error
    finally:
        consumer.close()


def wait_until_left(settings: Settings, admin: KafkaAdminClient, groups: Sequence[str]) -> None:
    """Return when the groups have no members.

    Raises:
        NotAtRest: some have, for longer than a session.
    """
    deadline = monotonic() + SESSIONS * settings.worker.session_timeout_s
    while running := _with_members(admin, groups):
        if monotonic() > deadline:
            raise NotAtRest(f"workers of the groups {', '.join(running)} are running: stop them first")
        sleep(LOOK_EVERY_S)


def _with_members(admin: KafkaAdminClient, groups: Sequence[str]) -> list[str]:
    known = {one["group_id"] for one in admin.list_groups()}
    some = [group for group in groups if group in known]
    return [group for group, found in (admin.describe_groups(some) if some else {}).items() if found["members"]]


def committed(admin: KafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """A group's offsets; empty where it has none."""
    if group not in {one["group_id"] for one in admin.list_groups()}:
        return {}
    found = admin.list_group_offsets(group)[group]
    return {tp: one.offset for tp, one in found.items() if one.offset >= 0}


def commit(admin: KafkaAdminClient, group: str, offsets: dict[TopicPartition, int]) -> None:
    """Set a group's offsets; it must have no members.

    Raises:
        NotAtRest: it has.
        KafkaError: it is not allowed.
    """
    wanted = {tp: OffsetAndMetadata(offset, "", -1) for tp, offset in offsets.items()}
    refused = {error for error in admin.alter_group_offsets(group, wanted).values() if error.errno}
    if refused:
        raise NotAtRest(f"the offsets of the group {group} cannot be set: {', '.join(map(repr, refused))}")


def partitions(consumer: KafkaConsumer, topics: Iterable[str]) -> list[TopicPartition]:
    """All partitions of topics."""
    return [
        TopicPartition(one, number) for one in topics for number in sorted(consumer.partitions_for_topic(one) or ())
    ]


def require_read(found: Clients, group: str, topics: Iterable[str]) -> None:
    """Raise NotAtRest where a group has not committed all that stands in topics."""
    offsets = committed(found.admin, group)
    ends = found.consumer.end_offsets(partitions(found.consumer, topics))
    begins = found.consumer.beginning_offsets(list(ends))
    behind = {tp: end for tp, end in ends.items() if max(offsets.get(tp, 0), begins[tp]) < end}
    if behind:
        some = ", ".join(
            f"{tp.topic}/{tp.partition} ({offsets.get(tp, 0)} of {end})" for tp, end in list(behind.items())[:3]
        )
        raise NotAtRest(
            f"the group {group} has not read all: {len(behind)} partitions, such as {some}. Stop what writes there, "
            "let the workers read to the end, stop them, and try again"
        )
