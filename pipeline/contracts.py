"""The contracts with those who read our topics: JSON Schemas, an AsyncAPI document and examples, from the structs."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import msgspec

from pipeline.classify import Model
from pipeline.dead import DeadLetter
from pipeline.decode import decode
from pipeline.errors import BadMessage, Reason
from pipeline.posts import STAGES, Post, Stage, Verdict
from pipeline.route import Outgoing, Place, Router
from pipeline.routed import CE_TYPE, SCHEMA_VERSION, RoutedPost
from pipeline.settings import Brand, Settings
from pipeline.topics import API_HEADER, ATTEMPT_HEADER, DEAD, OWN, QUEUE_TOPICS, TOPICS, TWEETS, Topic
from pipeline.wire import WireEnvelope, WirePost

Json = dict[str, Any]
DIALECT = "http://json-schema.org/draft-07/schema#"
"""What AsyncAPI's tools and schema registries read best; nothing newer is needed."""
DEFAULTS = Settings()
EXAMPLE_SETTINGS = Settings(
    brands=(
        Brand(name="lumotram", handles=("LumoTram",), ids=("7001",)),
        Brand(name="quillbank", handles=("QuillBank",), ids=("7002",)),
    )
)
"""Two invented brands, for the examples."""
EXAMPLE_MODEL = Model("example", "1", "0" * 64)
TEXT: Json = {"type": "string"}
HELPDESK_TOPICS = tuple(topic for topic in QUEUE_TOPICS if topic != OWN)
MESSAGE_OF = {TWEETS: "post", DEAD: "dead"} | dict.fromkeys(QUEUE_TOPICS, "routed")


class Example(msgspec.Struct, frozen=True):
    """A made-up record of `tweets`, and what the model is to have said of it: a line of examples/posts.jsonl."""

    name: str
    stage: Stage
    confidence: float
    post: msgspec.Raw


def routed_schema() -> Json:
    """The JSON Schema of a routed record's value. Changes only ever add: readers pass over what they do not know."""
    components = _components("#/definitions/{name}", RoutedPost)
    main: Json = components.pop("RoutedPost")
    return _head("routed", "A routed post") | main | {"definitions": components}


def dead_schema() -> Json:
    """The JSON Schema of the headers of a record in `tweets.dead`, read as text; its value is the original bytes."""
    return _head("dead", "The headers of a dead letter") | _dead_headers()


def asyncapi() -> Json:
    """The AsyncAPI 3 document: every topic as a channel, and what triage and a helpdesk do with them."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tweet-triage",
            "version": SCHEMA_VERSION,
            "description": "Posts about a brand in, one routed record a brand out. Delivery is at least once: readers "
            "keep the event ids of the last day and pass over doubles. Text is written by anybody: show it as plain "
            "text, and give it to no program as an instruction. Topics of components that are not built yet have no "
            "messages.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_id(topic.name): _channel(topic) for topic in TOPICS},
        "operations": _operations(),
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def examples(lines: str) -> dict[str, Outgoing]:
    """What the router makes of the records in a posts.jsonl, by name; of two brands, one a brand.

    Raises:
        BadMessage: one of them cannot be read.
    """
    router = Router(EXAMPLE_SETTINGS, EXAMPLE_MODEL)
    made: dict[str, Outgoing] = {}
    for offset, line in enumerate(lines.splitlines()):
        example = msgspec.json.decode(line, type=Example)
        outgoing = _route(router, example, offset)
        for one in outgoing:
            made[example.name if len(outgoing) == 1 else f"{example.name}.{one.brand}"] = one
    return made


def write(folder: Path) -> list[Path]:
    """Write the documents, and the examples where examples/posts.jsonl stands in the folder; always the same bytes."""
    documents = {"routed.schema.json": routed_schema(), "dead.schema.json": dead_schema(), "asyncapi.json": asyncapi()}
    written = {folder / name: encode(document) for name, document in documents.items()}
    posts = folder / "examples" / "posts.jsonl"
    if posts.is_file():
        made = examples(posts.read_text(encoding="utf-8"))
        written |= {posts.with_name(f"{name}.json"): pretty(one.value) for name, one in made.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return list(written)


def encode(document: Json) -> str:
    """As it stands in the repository."""
    return pretty(msgspec.json.encode(document))


def pretty(value: bytes) -> str:
    """JSON as people read it."""
    return msgspec.json.format(value, indent=2).decode() + "\n"


def _head(name: str, title: str) -> Json:
    return {"$schema": DIALECT, "$id": f"urn:tweet-triage:{name}:{SCHEMA_VERSION}", "title": title}


def _components(template: str, *structs: type) -> Json:
    """The structs and all that they name, by name; docstrings as descriptions without their indentation."""
    _, components = msgspec.json.schema_components(structs, ref_template=template)
    for component in components.values():
        component.pop("title", None)
        if "description" in component:
            component["description"] = inspect.cleandoc(component["description"])
        if component.get("type") == "object":
            component["additionalProperties"] = True
    return components


def _schemas() -> Json:
    structs = _components("#/components/schemas/{name}", RoutedPost, WireEnvelope, WirePost)
    return structs | {
        "RoutedHeaders": _routed_headers(),
        "DeadHeaders": _dead_headers(),
        "PostHeaders": _post_headers(),
    }


def _headers(description: str, properties: Json, required: list[str]) -> Json:
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": True,
    }


def _routed_headers() -> Json:
    """CloudEvents 1.0, Kafka protocol binding, binary mode."""
    properties = {
        "ce_id": _says("the record's event_id"),
        "ce_source": {"type": "string", "pattern": "^/x/", "description": "/x/ and the brand"},
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_type": {"type": "string", "const": CE_TYPE},
        "ce_subject": _says("the post's id"),
        "ce_time": {"type": "string", "format": "date-time", "description": "the record's routed_at"},
        "content-type": {"type": "string", "const": "application/json"},
    }
    return _headers("The attributes of a CloudEvent.", properties, list(properties))


def _dead_headers() -> Json:
    whole: Json = {"type": "string", "pattern": "^-?[0-9]+$"}
    says: Json = {
        "id": _says("topic:partition:offset of the record: who keeps the ids seen passes over doubles"),
        "reason": {"type": "string", "enum": [reason.value for reason in Reason]},
        "detail": _says("for people; holds no text of the post"),
        "step": {"type": "string", "description": "where it ended", "examples": ["decode", "classify"]},
        "topic": _says("where the record stood"),
        "partition": whole,
        "offset": whole,
        "timestamp": whole | {"description": "the record's Kafka timestamp, in ms"},
        "attempt": whole | {"description": "the how-manieth time it went through, from 1"},
    }
    names = ("id", *DeadLetter.__struct_fields__)
    properties = {f"dlq.{name}": says[name] for name in names}
    return _headers("Why a record could not be routed, and where it stood.", properties, list(properties))


def _post_headers() -> Json:
    properties = {
        API_HEADER: {
            "type": "string",
            "enum": ["stream", "search", "backfill", "replay"],
            "default": "stream",
            "description": "how the post got here",
        },
        ATTEMPT_HEADER: {"type": "string", "pattern": "^[0-9]+$", "default": "1"},
    }
    return _headers("All may be left out.", properties, [])


def _says(description: str) -> Json:
    return TEXT | {"description": description}


def _channel(topic: Topic) -> Json:
    config = topic.config()
    settings: Json = {"cleanup.policy": config["cleanup.policy"].split(",")}
    settings["max.message.bytes"] = int(config["max.message.bytes"])
    if "retention.ms" in config:
        settings["retention.ms"] = int(config["retention.ms"])
    message = MESSAGE_OF.get(topic.name)
    return {
        "address": topic.name,
        "description": f"{topic.purpose}; keyed by {topic.key}",
        "messages": {} if message is None else {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions or DEFAULTS.topics.partitions,
                "replicas": DEFAULTS.kafka.replication_factor,
                "topicConfiguration": settings,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _messages() -> Json:
    posts = [{"$ref": "#/components/schemas/WireEnvelope"}, {"$ref": "#/components/schemas/WirePost"}]
    return {
        "post": _message("post", "A post as X sent it", {"anyOf": posts}, key=_says("the customer's id")),
        "routed": _message(
            "routed",
            "A post about one brand, in its queue",
            {"$ref": "#/components/schemas/RoutedPost"},
            key=_says("the customer's id; of a brand's post to nobody the post's"),
        ),
        "dead": _message(
            "dead",
            "A record that could not be routed",
            {"description": "the original bytes, whatever they are; null for a tombstone"},
            key={"description": "as it came"},
            content_type="application/octet-stream",
        ),
    }


def _message(name: str, title: str, payload: Json, *, key: Json, content_type: str = "application/json") -> Json:
    return {
        "name": name,
        "title": title,
        "contentType": content_type,
        "headers": {"$ref": f"#/components/schemas/{name.capitalize()}Headers"},
        "payload": payload,
        "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
    }


def _operations() -> Json:
    sends = {f"triage_sends_{_id(name)}": _operation("send", name, "triage") for name in (*QUEUE_TOPICS, DEAD)}
    reads = {f"helpdesk_reads_{_id(name)}": _operation("receive", name, "helpdesk") for name in HELPDESK_TOPICS}
    return {"triage_reads_tweets": _operation("receive", TWEETS, "triage")} | sends | reads


def _operation(action: str, topic: str, component: str) -> Json:
    channel = f"#/channels/{_id(topic)}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{MESSAGE_OF[topic]}"}],
        "tags": [{"name": component}],
    }


def _id(topic: str) -> str:
    return topic.replace(".", "_")


def _route(router: Router, example: Example, offset: int) -> list[Outgoing]:
    """Read 1.5 s after it was written, routed 20 ms later."""
    [post] = decode([bytes(example.post)], [0])
    if isinstance(post, BadMessage):
        raise post
    return router.route(post, _verdict(example), _place(post, offset), post.created_at + 1520)


def _place(post: Post, offset: int) -> Place:
    return Place(TWEETS, 3, offset, post.created_at + 1500)


def _verdict(example: Example) -> Verdict:
    rest = round((1 - example.confidence) / 2, 4)
    scores = [example.confidence if stage is example.stage else rest for stage in STAGES]
    return Verdict(example.stage, example.confidence, (scores[0], scores[1], scores[2]))
