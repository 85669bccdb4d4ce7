"""The chart's data, from the project's own tables: topics, who may do what, rules."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from deploy.prometheus import rules
from deploy.prometheus.rule import Numbers
from pipeline.access import ACCESS, Access
from pipeline.topics import TOPICS

IN_CHART = Numbers('namespace="__NAMESPACE__"', "__WAITING__", "__DOLLARS__", "__RUNBOOKS__")
"""What the chart puts in place of the words that stand between underscores."""
HEAD = "# Made by `make deploy-files`; change what it is made from.\n"


def topics() -> str:
    """Name, partitions (null: as many as `tweets` has) and configuration of each topic."""
    found = [{"name": topic.name, "partitions": topic.partitions, "config": topic.config()} for topic in TOPICS]
    return HEAD + yaml.safe_dump(found, sort_keys=False)


def access() -> str:
    """By principal its rights: resource type, name and operations, as Strimzi's KafkaUser has them."""
    return HEAD + yaml.safe_dump([_rights(one) for one in ACCESS], sort_keys=False)


def chart_rules() -> str:
    """The rules with words that the chart replaces."""
    return HEAD + rules.text(rules.document(numbers=IN_CHART))


def plain_rules() -> str:
    """The rules for a Prometheus that reads files."""
    return HEAD + rules.text(rules.document())


def _rights(one: Access) -> dict[str, Any]:
    operations: dict[str, list[str]] = {}
    for topics_, wanted in (
        (one.reads, ["Read", "Describe", "DescribeConfigs"]),
        (one.writes, ["Write", "Describe", "DescribeConfigs"]),
        (one.sees, ["Describe"]),
        (tuple(topic.name for topic in TOPICS) if one.creates else (), ["Create"]),
    ):
        for topic in topics_:
            known = operations.setdefault(topic, [])
            known += [operation for operation in wanted if operation not in known]
    group = ["Describe"] if one.sees else ["Read", "Describe"]
    return {
        "name": one.name,
        "topics": [{"name": name, "operations": wanted} for name, wanted in operations.items()],
        "groups": [{**msgspec.to_builtins(named), "operations": group} for named in one.groups],
        "anyGroup": one.any_group,
    }
