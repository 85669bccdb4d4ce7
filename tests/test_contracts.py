"""The committed contracts are fresh, and hold what is really written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline import contracts
from pipeline.asyncapi import asyncapi
from pipeline.backoff import Cause
from pipeline.dead import headers
from pipeline.decode import decode
from pipeline.errors import BadMessage, Reason
from pipeline.gaps import Checkpoint, open_gap
from pipeline.posts import Post, Queue, Stage, Verdict
from pipeline.route import Outgoing, Place, Router
from pipeline.topics import QUEUE_TOPICS, TOPICS, differences

COMMITTED = Path(__file__).parents[1] / "docs" / "contracts"
POSTS = "examples/posts.jsonl"


def _committed() -> dict[str, str]:
    found = {
        path.relative_to(COMMITTED).as_posix(): path.read_text(encoding="utf-8") for path in COMMITTED.rglob("*.*")
    }
    found.pop(POSTS)
    return found


def _made() -> dict[str, Outgoing]:
    return contracts.examples((COMMITTED / POSTS).read_text(encoding="utf-8"))


def _with_more(part: Any) -> Any:
    """The same with a field of tomorrow in every object."""
    if isinstance(part, dict):
        return {key: _with_more(value) for key, value in part.items()} | {"new": 1}
    return [_with_more(value) for value in part] if isinstance(part, list) else part


def test_the_committed_documents_are_fresh(tmp_path: Path) -> None:
    """`triage contracts` makes what stands in the repository, to the byte."""
    (tmp_path / "examples").mkdir()
    (tmp_path / POSTS).write_bytes((COMMITTED / POSTS).read_bytes())

    paths = contracts.write(tmp_path)

    assert _committed() == {path.relative_to(tmp_path).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def test_without_posts_there_are_no_examples(tmp_path: Path) -> None:
    """Elsewhere than in the repository the documents alone are written."""
    paths = contracts.write(tmp_path / "new")

    names = [f"{name}.schema.json" for name in ("routed", "response", "word", "reply", "state", "dead")]
    assert [*names, "asyncapi.json"] == [path.name for path in paths]


SCHEMAS = [
    contracts.routed_schema(),
    contracts.response_schema(),
    contracts.word_schema(),
    contracts.reply_schema(),
    contracts.state_schema(),
    contracts.dead_schema(),
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_schemas_are_schemas(schema: dict[str, Any]) -> None:
    """All are valid JSON Schemas of the dialect that they name."""
    jsonschema.Draft7Validator.check_schema(schema)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    """No $ref points at nothing."""
    document = asyncapi()

    def references(part: Any) -> list[str]:
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
    channels = asyncapi()["channels"]

    assert all("routed" in channels[topic.replace(".", "_")]["messages"] for topic in QUEUE_TOPICS)


def test_additions_are_no_break() -> None:
    """A reader with today's schema takes a record with a field of tomorrow."""
    today = json.loads((COMMITTED / "examples" / "attachment.json").read_text(encoding="utf-8"))

    tomorrow = _with_more(today)

    jsonschema.validate(tomorrow, contracts.routed_schema(), jsonschema.Draft7Validator)
    assert tomorrow["author"]["new"] == tomorrow["attachments"][0]["new"] == 1


def test_differences_name_what_is_wrong() -> None:
    """A topic with other partitions or another policy gets a sentence for each; the order of policies is no matter."""
    topic = next(topic for topic in TOPICS if topic.name == "replies.log")
    config = {"cleanup.policy": "delete,compact", "retention.ms": "1", "max.message.bytes": "2097152"}

    found = differences(topic, "x.replies.log", 12, 3, config)

    assert [
        "x.replies.log has 3 partitions, it should have 12",
        "x.replies.log has retention.ms=1, it should be 2592000000",
    ] == [line.split(":")[0] for line in found]


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (Checkpoint(1.5, "17", 2.0, (1.0,)), True),
        (open_gap("x", Cause.STALL, 1.0, 2.0, 0).ended(3.0).swept(4.0, 5, 1), True),
        (open_gap("x", Cause.STALL, 1.0, 2.0, 0).ended(3.0).given_up(4.0, "cannot look back"), True),
        ({"id": "x-1-0", "source": "x", "cause": "boredom", "since": 1.0, "opened_at": 2.0}, False),
        ({"mark": "17"}, False),
    ],
)
def test_what_the_listener_keeps(value: object, fits: bool) -> None:
    """Gaps and checkpoints are what the schema says; what is neither is not."""
    schema = jsonschema.Draft7Validator(contracts.state_schema())

    assert fits is schema.is_valid(json.loads(msgspec.json.encode(value)))


@pytest.mark.parametrize("name", _made())
def test_examples_keep_the_contract(name: str) -> None:
    """Each example, with its headers, is what the schemas say."""
    outgoing = _made()[name]
    read = {key: value.decode() for key, value in outgoing.headers}

    jsonschema.validate(json.loads(outgoing.value), contracts.routed_schema(), jsonschema.Draft7Validator)
    jsonschema.validate(read, _component("RoutedHeaders"), jsonschema.Draft7Validator)


def _component(name: str) -> dict[str, Any]:
    found: dict[str, Any] = asyncapi()["components"]["schemas"][name]
    return found


def test_examples_show_what_they_are_for() -> None:
    """The ten posts stand for ten cases, and the records show them."""
    found = {name: json.loads(outgoing.value) for name, outgoing in _made().items()}

    assert len(found["long_post"]["text"]) > 280
    assert "\N{ZERO WIDTH JOINER}" in found["emoji"]["text"]
    assert {"lumotram", "quillbank"} == {found[f"two_brands.{name}"]["brand"] for name in ("lumotram", "quillbank")}
    assert (Queue.REVIEW, True) == (found["review"]["queue"], found["review"]["classification"]["abstained"])
    assert (Queue.OWN, "501") == (found["own"]["queue"], found["own"]["parent_author_id"])
    assert (1, "x:1970000000000000006") == (found["edit"]["revision"], found["edit"]["external_id"])
    assert found["quote"]["reply_allowed"]
    assert 1 == len(found["attachment"]["attachments"])
    assert "urgent" == found["urgent"]["priority"]
    assert "de" == found["another_language"]["language"]


def test_an_example_that_cannot_be_read_is_said() -> None:
    """A broken line among the examples does not pass as a post."""
    with pytest.raises(BadMessage, match="missing_id"):
        contracts.examples('{"name":"x","stage":"reactive","confidence":0.9,"post":{}}')


@given(st.sampled_from(Reason), st.text(), st.integers(-1, 2**63 - 1), st.sampled_from(["decode", "classify"]))
def test_dead_letters_keep_the_contract(reason: Reason, detail: str, number: int, step: str) -> None:
    """Whatever the reason and the place, the headers are what the schema says."""
    found = headers(BadMessage(reason, detail), Place("tweets", 0, number, number), step)
    read = {key: value.decode() for key, value in found}

    jsonschema.validate(read, contracts.dead_schema(), jsonschema.Draft7Validator)
    assert set(read) == set(contracts.dead_schema()["required"])


TEXT = st.text(min_size=1, max_size=40)
POSTS_AT_WILL = st.fixed_dictionaries(
    {"id": st.text(min_size=1, max_size=64), "text": st.text(min_size=1, max_size=600)},
    optional={
        "author_id": TEXT,
        "created_at": st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
        "lang": TEXT,
        "conversation_id": TEXT,
        "edit_history_tweet_ids": st.lists(st.text(max_size=300), max_size=4),
        "entities": st.fixed_dictionaries(
            {}, optional={"hashtags": st.lists(st.builds(lambda tag: {"tag": tag}, TEXT))}
        ),
    },
)


@given(POSTS_AT_WILL, st.sampled_from(Stage), st.floats(0, 1))
@example({"id": "1", "text": "x", "created_at": "0001-01-01T00:00:00Z"}, Stage.REACTIVE, 0.9)
@example({"id": "1", "text": "x", "created_at": "9999-12-31T23:59:59Z"}, Stage.REACTIVE, 0.9)
@example({"id": "1", "text": "x", "edit_history_tweet_ids": ["9" * 300]}, Stage.REACTIVE, 0.9)
def test_whatever_is_decoded_is_routed_by_the_contract(data: dict[str, Any], stage: Stage, confidence: float) -> None:
    """A record that decoding lets through makes a routed record that keeps the schema, or was refused with a reason."""
    router = Router(contracts.EXAMPLE_SETTINGS, contracts.EXAMPLE_MODEL)
    [post] = decode([json.dumps({"data": data}).encode()], [1_772_000_000_000])

    if isinstance(post, Post):
        for outgoing in router.route(post, Verdict(stage, confidence, (confidence, 0, 0)), Place("t", 0, 0, 0), 0):
            ROUTED.validate(json.loads(outgoing.value))


ROUTED = jsonschema.Draft7Validator(contracts.routed_schema())
