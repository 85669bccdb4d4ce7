"""One member of a consumer group has all partitions; the others stand by and take over when it is gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka import KafkaConsumer
from kafka.coordinator.assignors.abstract import (
    AbstractPartitionAssignor,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)
from kafka.errors import KafkaError

from pipeline.errors import BrokerError

_VERSION = 0
_HOLDS = b"1"


class OneForAll(AbstractPartitionAssignor):  # type: ignore[misc]
    """Who has the partitions keeps them when others come."""

    name = "one-for-all"

    def __init__(self) -> None:
        self._holds = False

    def assign(self, cluster: Any, members: Iterable[Any]) -> dict[str, Any]:
        """Everything to whoever had it; else to the first by name."""
        everybody = sorted(members, key=_standing)
        chosen = everybody[0]
        topics = [(topic, sorted(cluster.partitions_for_topic(topic) or ())) for topic in chosen.metadata.topics]
        return {
            member.member_id: ConsumerProtocolAssignment(_VERSION, topics if member is chosen else [], b"")
            for member in everybody
        }

    def metadata(self, topics: Iterable[str]) -> Any:
        """What we tell the group's leader: whether we have them."""
        return ConsumerProtocolSubscription(_VERSION, list(topics), _HOLDS if self._holds else b"")

    def on_assignment(self, assignment: Any, _generation: int) -> None:
        """Remember whether we have them."""
        self._holds = bool(assignment.partitions())


def _standing(member: Any) -> tuple[bool, str, str]:
    return member.metadata.user_data != _HOLDS, member.group_instance_id or "\U0010ffff", member.member_id


def keep_joining(consumer: KafkaConsumer) -> bool:
    """Call it before each poll, and give a join time: whether one is wanted, or under way.

    Where a poll ends before a join does that kafka-python began because the topic's partitions became known, the join
    is forgotten, and nothing is ever assigned; what `request_rejoin` asked for is not forgotten. And a join that ends
    between two polls is begun anew.
    """
    coordinator = consumer._coordinator  # noqa: SLF001 - kafka-python is pinned, and has no public way
    joining: bool = coordinator._join_task is not None or coordinator.need_rejoin()  # noqa: SLF001
    if joining:
        coordinator.request_rejoin()
    return joining


def from_committed(consumer: KafkaConsumer) -> None:
    """Read again from the committed offsets: kafka-python may say that partitions came after it gave their records.

    Raises:
        BrokerError: the offsets cannot be read.
    """
    try:
        for tp in consumer.assignment():
            offset = consumer.committed(tp)
            if offset is None:
                consumer.seek_to_beginning(tp)
            else:
                consumer.seek(tp, offset)
    except KafkaError as error:
        raise BrokerError(f"committed offsets cannot be read ({error!r}): check the broker") from error
