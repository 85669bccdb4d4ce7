"""One member of a group has all partitions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from kafka import TopicPartition

from agents.one_for_all import OneForAll, keep_joining


class Cluster:
    """Knows one topic."""

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """Its partitions."""
        return {2, 0, 1} if topic == "replies" else None


class Coordinator:
    """A consumer's, with a join under way or not, wanted or not."""

    def __init__(self, *, under_way: bool, wanted: bool) -> None:
        self._join_task = object() if under_way else None
        self._wanted = wanted
        self.asked = 0

    def need_rejoin(self) -> bool:
        """Whether a join is wanted."""
        return self._wanted

    def request_rejoin(self) -> None:
        """Count it."""
        self.asked += 1


def member(name: str, instance: str | None = None, *, holds: bool = False) -> Any:
    """A member of the group, as its leader sees it."""
    assignor = OneForAll()
    tps = [TopicPartition("replies", 0)] if holds else []
    assignor.on_assignment(SimpleNamespace(partitions=lambda: tps), 1)
    return SimpleNamespace(member_id=name, group_instance_id=instance, metadata=assignor.metadata(["replies"]))


def assigned(*members: Any) -> dict[str, list[Any]]:
    """Who gets what."""
    return {name: list(one.assigned_partitions) for name, one in OneForAll().assign(Cluster(), members).items()}


def test_who_has_them_keeps_them() -> None:
    """Though another would come first by name."""
    everything = [("replies", [0, 1, 2])]

    assert {"a": everything, "b": []} == assigned(member("b"), member("a"))
    assert {"a": [], "b": everything} == assigned(member("a"), member("b", holds=True))
    assert {"a": [], "b": everything} == assigned(member("a"), member("b", "static"))


def test_joins_are_not_forgotten() -> None:
    """What kafka-python began by itself is asked for, so that it is finished."""
    found = []
    for under_way, wanted in ((False, False), (True, False), (False, True)):
        coordinator = Coordinator(under_way=under_way, wanted=wanted)
        joining = keep_joining(SimpleNamespace(_coordinator=coordinator))
        found.append((joining, coordinator.asked))

    assert [(False, 0), (True, 1), (True, 1)] == found
