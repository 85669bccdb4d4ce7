"""The contracts with those who read our topics: JSON Schemas and an AsyncAPI document, made from the structs."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import msgspec

from pipeline.dead import DeadLetter
from pipeline.routed import CE_TYPE, SCHEMA_VERSION, RoutedPost
from pipeline.topics import DEAD, QUEUE_TOPICS, TOPICS, TWEETS, Topic

Json = dict[str, Any]
DIALECT = "http://json-schema.org/draft-07/schema#"
"""What AsyncAPI's tools and schema registries read best; nothing newer is needed."""
PARTITIONS = 12


def routed_schema() -> Json:
    """The JSON Schema of a routed record's value. Changes only ever add: readers pass over what they do not know."""
    return _schema(RoutedPost, "routed", "A routed post")


def dead_schema() -> Json:
    """The JSON Schema of what a dead letter's headers say, without their prefix `dlq.`."""
    return _schema(DeadLetter, "dead", "The headers of a dead letter")


def asyncapi() -> Json:
    """The AsyncAPI 3 document: every topic as a channel, and what triage and a helpdesk do with them."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tweet-triage",
            "version": SCHEMA_VERSION,
            "description": "Posts about a brand in, one routed record a brand out. Delivery is at least once: readers "
            "keep the event ids of the last day and pass over doubles. Text is written by anybody: show it as plain "
            "text, and give it to no program as an instruction.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_id(topic.name): _channel(topic) for topic in TOPICS},
        "operations": _operations(),
        "components": {"messages": _messages(), "schemas": _components("#/components/schemas/{name}")},
    }


def write(folder: Path) -> list[Path]:
    """Write the three documents; the same structs give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = {"routed.schema.json": routed_schema(), "dead.schema.json": dead_schema(), "asyncapi.json": asyncapi()}
    for name, document in documents.items():
        (folder / name).write_text(encode(document), encoding="utf-8")
    return [folder / name for name in documents]


def encode(document: Json) -> str:
    """As it stands in the repository."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _schema(struct: type, name: str, title: str) -> Json:
    components = _components("#/definitions/{name}", struct)
    main = components.pop(struct.__name__)
    head = {"$schema": DIALECT, "$id": f"urn:tweet-triage:{name}:{SCHEMA_VERSION}", "title": title}
    return head | {key: value for key, value in main.items() if key != "title"} | {"definitions": components}


def _components(template: str, *structs: type) -> Json:
    """The structs and all that they name, by name; docstrings as descriptions without their indentation."""
    _, components = msgspec.json.schema_components(structs or (RoutedPost, DeadLetter), ref_template=template)
    for component in components.values():
        if "description" in component:
            component["description"] = inspect.cleandoc(component["description"])
    return components


def _channel(topic: Topic) -> Json:
    config = topic.config()
    settings: Json = {"cleanup.policy": config["cleanup.policy"].split(",")}
    settings["max.message.bytes"] = int(config["max.message.bytes"])
    if "retention.ms" in config:
        settings["retention.ms"] = int(config["retention.ms"])
    message = "routed" if topic.name in QUEUE_TOPICS else "dead" if topic.name == DEAD else None
    return {
        "address": topic.name,
        "description": f"{topic.purpose}; keyed by {topic.key}",
        "messages": {} if message is None else {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions or PARTITIONS,
                "topicConfiguration": settings,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _messages() -> Json:
    text: Json = {"type": "string"}
    ce = dict.fromkeys(("ce_id", "ce_source", "ce_subject", "ce_time", "content-type"), text)
    constants = {"ce_specversion": {"const": "1.0"}, "ce_type": {"const": CE_TYPE}}
    places = {f"dlq.{name}": text for name in ("id", *DeadLetter.__struct_fields__)}
    return {
        "routed": {
            "name": "routed",
            "title": "A post about one brand, in its queue",
            "contentType": "application/json",
            "headers": {"type": "object", "properties": ce | constants, "required": sorted(ce | constants)},
            "payload": {"$ref": "#/components/schemas/RoutedPost"},
            "bindings": {"kafka": {"key": text, "bindingVersion": "0.5.0"}},
        },
        "dead": {
            "name": "dead",
            "title": "The original bytes of a record that could not be read",
            "contentType": "application/octet-stream",
            "headers": {"type": "object", "properties": places, "required": sorted(places)},
            "payload": {"description": "unchanged, whatever they are"},
            "bindings": {"kafka": {"key": text, "bindingVersion": "0.5.0"}},
        },
    }


def _operations() -> Json:
    sends = {f"triage_sends_{_id(name)}": _operation("send", name) for name in (*QUEUE_TOPICS, DEAD)}
    reads = {f"helpdesk_reads_{_id(name)}": _operation("receive", name) for name in QUEUE_TOPICS}
    return {"triage_reads_tweets": _operation("receive", TWEETS)} | sends | reads


def _operation(action: str, topic: str) -> Json:
    return {"action": action, "channel": {"$ref": f"#/channels/{_id(topic)}"}}


def _id(topic: str) -> str:
    return topic.replace(".", "_")
