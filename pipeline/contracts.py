"""The contracts with those who read our topics: JSON Schemas, an AsyncAPI document and examples, from the structs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pipeline.adapters import ADAPTERS
from pipeline.asyncapi import KEPT, asyncapi
from pipeline.classify import Model
from pipeline.decode import decode
from pipeline.desk import Word
from pipeline.errors import BadMessage
from pipeline.heard import ms
from pipeline.policies import Policies
from pipeline.posts import STAGES, Post, Queue, Stage, Verdict
from pipeline.replies import Reply
from pipeline.responses import Response
from pipeline.rewrite import moved, read, retracted
from pipeline.route import Outgoing, Place, Router
from pipeline.routed import SCHEMA_VERSION, RoutedPost
from pipeline.schemas import Json, components, dead_headers
from pipeline.settings import Brand, Settings
from pipeline.topics import TWEETS

DIALECT = "http://json-schema.org/draft-07/schema#"
"""What AsyncAPI's tools and schema registries read best; nothing newer is needed."""
EXAMPLE_SETTINGS = Settings(
    brands=(
        Brand(name="lumotram", handles=("LumoTram",), ids=("7001",)),
        Brand(name="quillbank", handles=("QuillBank",), ids=("7002",)),
    )
)
"""Two invented brands, for the examples."""
EXAMPLE_MODEL = Model("example", "1", "0" * 64)
_LATER = 1_772_500_000_000
"""When a person moves an example."""


class Example(msgspec.Struct, frozen=True):
    """A made-up record of `tweets`, and what the model is to have said of it: a line of examples/posts.jsonl."""

    name: str
    stage: Stage
    confidence: float
    post: msgspec.Raw


def routed_schema() -> Json:
    """The JSON Schema of a routed record's value. Changes only ever add: readers pass over what they do not know."""
    return _schema("routed", "A routed post", RoutedPost)


def response_schema() -> Json:
    """The JSON Schema of a record of `responses`."""
    return _schema("response", "What happened to a customer's wait", Response)


def word_schema() -> Json:
    """The JSON Schema of a helpdesk's word, a record of `desk`."""
    return _schema("word", "What a helpdesk says of a conversation", Word)


def reply_schema() -> Json:
    """The JSON Schema of a helpdesk's answer, a record of `replies`."""
    return _schema("reply", "A helpdesk's answer", Reply)


def state_schema() -> Json:
    """The JSON Schema of what the listener keeps, a record of `listener.state`."""
    parts = components("#/definitions/{name}", *KEPT)
    either: Json = {"anyOf": [{"$ref": f"#/definitions/{struct.__name__}"} for struct in KEPT]}
    return _head("state", "A gap, or how far the listener is") | either | {"definitions": parts}


def dead_schema() -> Json:
    """The JSON Schema of the headers of a dead letter, read as text; its value is the original bytes."""
    return _head("dead", "The headers of a dead letter") | dead_headers()


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


def payloads(made: dict[str, Outgoing]) -> dict[str, Json]:
    """What the examples come to in each helpdesk, by its name; also the urgent one moved by a person, and gone."""
    records = {name: read(one.value) for name, one in made.items()}
    if urgent := records.get("urgent"):
        policy = Policies(EXAMPLE_SETTINGS)(urgent.brand)
        records["urgent.moved"] = read(moved(urgent, Queue.PROACTIVE, 1, policy, ms(urgent.created_at), _LATER).value)
        records["urgent.gone"] = read(retracted(records["urgent.moved"], _LATER + 60_000).value)
    return {
        helpdesk.value: {name: msgspec.to_builtins(adapter(record)) for name, record in records.items()}
        for helpdesk, adapter in ADAPTERS.items()
    }


def write(folder: Path) -> list[Path]:
    """Write the documents, and the examples where examples/posts.jsonl stands in the folder; always the same bytes."""
    documents = {
        "routed.schema.json": routed_schema(),
        "response.schema.json": response_schema(),
        "word.schema.json": word_schema(),
        "reply.schema.json": reply_schema(),
        "state.schema.json": state_schema(),
        "dead.schema.json": dead_schema(),
        "asyncapi.json": asyncapi(),
    }
    written = {folder / name: encode(document) for name, document in documents.items()}
    posts = folder / "examples" / "posts.jsonl"
    if posts.is_file():
        made = examples(posts.read_text(encoding="utf-8"))
        written |= {posts.with_name(f"{name}.json"): pretty(one.value) for name, one in made.items()}
        written |= {folder / "payloads" / f"{name}.json": encode(found) for name, found in payloads(made).items()}
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(written)


def encode(document: Json) -> str:
    """As it stands in the repository."""
    return pretty(msgspec.json.encode(document))


def pretty(value: bytes) -> str:
    """JSON as people read it."""
    return msgspec.json.format(value, indent=2).decode() + "\n"


def _schema(name: str, title: str, struct: type) -> Json:
    parts = components("#/definitions/{name}", struct)
    main: Json = parts.pop(struct.__name__)
    return _head(name, title) | main | ({"definitions": parts} if parts else {})


def _head(name: str, title: str) -> Json:
    return {"$schema": DIALECT, "$id": f"urn:tweet-triage:{name}:{SCHEMA_VERSION}", "title": title}


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
