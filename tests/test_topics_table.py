"""The table of topics: as the design has it, and what a broker has otherwise is said."""

from __future__ import annotations

import pytest

from pipeline.posts import Queue
from pipeline.route import topic_of
from pipeline.topics import DAY_MS, DEAD, OWN, QUEUE_TOPICS, TOPICS, TRIAGE_TOPICS, TWEETS, differences

BY_NAME = {topic.name: topic for topic in TOPICS}


def test_each_name_stands_once() -> None:
    """No topic is declared twice."""
    assert len(TOPICS) == len(BY_NAME)


def test_what_triage_uses_is_declared() -> None:
    """The worker's topics are all in the table, and each queue has one of its own."""
    assert set(TRIAGE_TOPICS) <= set(BY_NAME)
    assert {TWEETS, DEAD, *QUEUE_TOPICS} == set(TRIAGE_TOPICS)
    assert list(QUEUE_TOPICS) == [topic_of(queue) for queue in Queue]
    assert OWN == topic_of(Queue.OWN)


@pytest.mark.parametrize(
    ("name", "policy", "days"),
    [
        ("tweets", "delete", 7),
        ("queue.review", "delete", 7),
        ("tweets.dead", "delete", 7),
        ("retractions", "delete", 30),
        ("responses", "delete", 90),
        ("conversations", "compact", None),
        ("listener.state", "compact", None),
        ("replies.log", "compact,delete", 30),
    ],
)
def test_how_long_each_is_kept(name: str, policy: str, days: int | None) -> None:
    """State is compacted, all else is deleted in time."""
    config = BY_NAME[name].config()

    assert policy == config["cleanup.policy"]
    assert (None if days is None else str(days * DAY_MS)) == config.get("retention.ms")


def test_as_many_partitions_as_tweets() -> None:
    """Only what one worker looks after has a count of its own."""
    assert ["waiting", "listener.lease"] == [topic.name for topic in TOPICS if topic.partitions is not None]


@pytest.mark.parametrize("name", BY_NAME)
def test_a_topic_as_declared_has_no_differences(name: str) -> None:
    """What the broker says in another order, or does not say, is no difference."""
    config = BY_NAME[name].config()
    turned = config | {"cleanup.policy": ",".join(reversed(config["cleanup.policy"].split(",")))}

    assert [] == differences(BY_NAME[name], f"p.{name}", 12, 12, turned)
    assert [] == differences(BY_NAME[name], f"p.{name}", 12, 12, {})


def test_each_difference_is_said() -> None:
    """A sentence each, with the name on the broker, what is and what should be."""
    found = differences(BY_NAME[TWEETS], "p.tweets", 12, 6, {"cleanup.policy": "compact", "retention.ms": "1000"})

    assert [
        "p.tweets has 6 partitions, it should have 12",
        "p.tweets has cleanup.policy=compact, it should be delete",
        f"p.tweets has retention.ms=1000, it should be {7 * DAY_MS}",
    ] == [line.split(":")[0] for line in found]


@pytest.mark.parametrize(
    ("name", "wanted", "actual", "cure"),
    [
        (TWEETS, 12, 6, "see `triage topics grow`"),
        (TWEETS, 6, 12, "set topics.partitions to 12"),
        ("waiting", 1, 12, "delete it, then `triage topics create`"),
    ],
)
def test_other_partitions_name_the_cure(name: str, wanted: int, actual: int, cure: str) -> None:
    """More of them can be had, fewer cannot."""
    found = differences(BY_NAME[name], name, wanted, actual, {})

    assert [f"{name} has {actual} partitions, it should have {wanted}: {cure}"] == found
