"""`triage topics`: made from the project's own table, and compared with it; the worker only compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, for_code

from agents import clients
from pipeline.errors import TopicsError
from pipeline.settings import Settings
from pipeline.topics import TOPICS, Topic, differences


def create(settings: Settings, only: Sequence[str] | None = None) -> list[str]:
    """Create the topics that are missing, and wait until they can be used; a line for each.

    Raises:
        TopicsError: the broker refused one, with its reason.
        BrokerError: no broker answers.
    """
    admin = clients.admin(settings.kafka)
    try:
        wanted = {settings.topics.name(topic.name): topic for topic in _declared(only)}
        existing = set(admin.list_topics()) & set(wanted)
        missing = {name: _specification(settings, topic) for name, topic in wanted.items() if name not in existing}
        if missing:
            admin.create_topics(missing)
            admin.wait_for_topics(list(missing))
    except KafkaError as error:
        raise TopicsError(f"the topics could not be created: {error!r}") from error
    finally:
        admin.close()
    return [f"{name}: {'exists' if name in existing else 'created'}" for name in wanted]


def require(settings: Settings, names: Sequence[str]) -> None:
    """Raise TopicsError with a sentence for everything that is not as declared."""
    problems = check(settings, names)
    if problems:
        raise TopicsError("the topics are not as declared:\n  " + "\n  ".join(problems))


def check(settings: Settings, names: Sequence[str]) -> list[str]:
    """What of the topics is not as declared, a sentence each, with what to do."""
    wanted = {settings.topics.name(topic.name): topic for topic in _declared(names)}
    admin = clients.admin(settings.kafka)
    try:
        found = {topic["name"]: topic for topic in admin.describe_topics(list(wanted))}
        configs = _configs(admin, [name for name in wanted if not found[name]["error_code"]])
        return [
            problem
            for name, topic in wanted.items()
            for problem in _problems(settings, name, topic, found[name], configs.get(name, {}))
        ]
    except KafkaError as error:
        raise TopicsError(f"the topics cannot be looked at: {error!r}; Describe is the right that is needed") from error
    finally:
        admin.close()


def _problems(settings: Settings, name: str, topic: Topic, found: dict[str, Any], config: dict[str, str]) -> list[str]:
    if found["error_code"] == 3:  # UNKNOWN_TOPIC_OR_PARTITION
        return [f"{name} does not exist: run `triage topics create`"]
    if found["error_code"]:
        return [f"{name} cannot be described: {for_code(found['error_code']).__name__}"]
    wanted = topic.partitions or settings.topics.partitions
    problems = differences(topic, name, wanted, len(found["partitions"]), config)
    replicas = min(len(partition["replica_nodes"]) for partition in found["partitions"])
    if replicas < settings.kafka.replication_factor:
        problems.append(f"{name} has {replicas} replicas, it should have {settings.kafka.replication_factor}")
    return problems


def _configs(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """The topics' settings on the broker, those left at its defaults too."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found = admin.describe_configs(resources, config_filter="all")
    topics = next(iter(found.values()))
    return {name: {key: entry["value"] for key, entry in entries.items()} for name, entries in topics.items()}


def _specification(settings: Settings, topic: Topic) -> dict[str, Any]:
    kafka = settings.kafka
    return {
        "num_partitions": topic.partitions or settings.topics.partitions,
        "replication_factor": kafka.replication_factor,
        "configs": topic.config() | {"min.insync.replicas": str(kafka.min_insync_replicas)},
    }


def _declared(names: Sequence[str] | None) -> list[Topic]:
    return [topic for topic in TOPICS if names is None or topic.name in names]
