"""JSON Schemas from structs, and of the headers that records have; what contracts and AsyncAPI have in common."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from pipeline.dead import DeadLetter
from pipeline.errors import Reason
from pipeline.traces import TRACE_HEADER

Json = dict[str, Any]
TEXT: Json = {"type": "string"}


def components(template: str, *structs: type) -> Json:
    """The structs and all that they name, by name; docstrings as descriptions without their indentation."""
    _, components = msgspec.json.schema_components(structs, ref_template=template)
    for component in components.values():
        component.pop("title", None)
        if "description" in component:
            component["description"] = inspect.cleandoc(component["description"])
        if component.get("type") == "object":
            component["additionalProperties"] = True
    return components


def headers(description: str, properties: Json, required: list[str]) -> Json:
    """The schema of a record's headers, read as text."""
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": True,
    }


def dead_headers() -> Json:
    """Those of a dead letter."""
    whole: Json = {"type": "string", "pattern": "^-?[0-9]+$"}
    fields: Json = {
        "id": says("topic:partition:offset of the record: who keeps the ids seen passes over doubles"),
        "reason": {"type": "string", "enum": [reason.value for reason in Reason]},
        "detail": says("for people; holds no text of the post"),
        "step": {"type": "string", "description": "where it ended", "examples": ["decode", "classify", "responses"]},
        "topic": says("where the record stood"),
        "partition": whole,
        "offset": whole,
        "timestamp": whole | {"description": "the record's Kafka timestamp, in ms"},
        "attempt": whole | {"description": "the how-manieth time it went through, from 1"},
    }
    names = ("id", *DeadLetter.__struct_fields__)
    properties = {f"dlq.{name}": fields[name] for name in names}
    why = "Why a record could not be routed, and where it stood."
    return headers(why, properties | {TRACE_HEADER: trace()}, list(properties))


def trace() -> Json:
    """The header that names the trace of a record; left out where there is none."""
    return {
        "type": "string",
        "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
        "description": "W3C Trace Context: the trace that began when the post was read from X",
    }


def says(description: str) -> Json:
    """A text that means something."""
    return TEXT | {"description": description}
