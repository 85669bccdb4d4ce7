"""The committed contracts are fresh, and hold what is really written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pipeline import contracts
from pipeline.topics import QUEUE_TOPICS, TOPICS, differences

COMMITTED = Path(__file__).parents[1] / "docs" / "contracts"


def test_the_committed_documents_are_fresh(tmp_path: Path) -> None:
    """`triage contracts` makes what stands in the repository, to the byte."""
    made = {path.name: path.read_text(encoding="utf-8") for path in contracts.write(tmp_path)}

    assert {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.glob("*.json")} == made


@pytest.mark.parametrize("schema", [contracts.routed_schema(), contracts.dead_schema()])
def test_the_schemas_are_schemas(schema: dict[str, Any]) -> None:
    """Both are valid JSON Schemas of the dialect that they name."""
    jsonschema.Draft7Validator.check_schema(schema)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    """No $ref points at nothing."""
    document = contracts.asyncapi()

    def references(part: Any) -> list[str]:  # noqa: ANN401 - any JSON
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [found for value in part.values() for found in references(value)]
        return [found for value in part for found in references(value)] if isinstance(part, list) else []

    for reference in references(document):
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]

    assert len(TOPICS) == len(document["channels"])


def test_queues_carry_the_routed_message() -> None:
    """Each queue's channel names the routed record."""
    channels = contracts.asyncapi()["channels"]

    assert all("routed" in channels[topic.replace(".", "_")]["messages"] for topic in QUEUE_TOPICS)


def test_additions_are_no_break() -> None:
    """A reader with today's schema takes a record with a field of tomorrow."""
    assert "additionalProperties" not in json.dumps(contracts.routed_schema())


def test_differences_name_what_is_wrong() -> None:
    """A topic with other partitions or another policy gets a sentence for each; the order of policies is no matter."""
    topic = next(topic for topic in TOPICS if topic.name == "replies.log")
    config = {"cleanup.policy": "delete,compact", "retention.ms": "1", "max.message.bytes": "2097152"}

    found = differences(topic, "x.replies.log", 12, 3, config)

    assert [
        "x.replies.log has 3 partitions, it should have 12",
        "x.replies.log has retention.ms=1, it should be 2592000000",
    ] == [line.split(":")[0] for line in found]
