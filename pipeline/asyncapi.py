"""The AsyncAPI 3 document: every topic as a channel, and who writes and reads what."""

from __future__ import annotations

from pipeline.cloud_events import RESPONSE, RETRACTED, ROUTED
from pipeline.desk import Word
from pipeline.gaps import Checkpoint, Gap
from pipeline.heard import Message, Retraction
from pipeline.replies import Reply
from pipeline.responses import Response
from pipeline.routed import SCHEMA_VERSION, RoutedPost
from pipeline.schemas import Json, components, dead_headers, headers, says, trace
from pipeline.settings import Settings
from pipeline.topics import (
    API_HEADER,
    ATTEMPT_HEADER,
    DEAD,
    DESK,
    HEARD_TOPICS,
    KEYED,
    LISTENER_STATE,
    MESSAGES,
    OWN,
    QUEUE_TOPICS,
    REPLIES,
    REPLIES_DEAD,
    RESPONSES,
    RETRACTIONS,
    TOPICS,
    TWEETS,
    Topic,
)
from pipeline.traces import TRACE_HEADER
from pipeline.wire import WireEnvelope, WirePost

DEFAULTS = Settings()
WITH_HEADERS = ("post", "routed", "response", "dead")
KEPT = (Gap, Checkpoint)
"""What stands in `listener.state`."""
MESSAGE_OF = {
    TWEETS: "post",
    DEAD: "dead",
    REPLIES: "reply",
    REPLIES_DEAD: "dead",
    RESPONSES: "response",
    DESK: "word",
    KEYED: "word",
    MESSAGES: "message",
    RETRACTIONS: "retraction",
    LISTENER_STATE: "state",
} | dict.fromkeys(QUEUE_TOPICS, "routed")


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


def _schemas() -> Json:
    structs = components(
        "#/components/schemas/{name}",
        RoutedPost,
        WireEnvelope,
        WirePost,
        Response,
        Word,
        Reply,
        Message,
        Retraction,
        *KEPT,
    )
    return structs | {
        "RoutedHeaders": _event_headers([ROUTED, RETRACTED], "the post's id", "the record's routed_at"),
        "ResponseHeaders": _event_headers([RESPONSE], "the post's id, else the conversation's", "the record's at"),
        "DeadHeaders": dead_headers(),
        "PostHeaders": _post_headers(),
    }


def _event_headers(kinds: list[str], subject: str, time: str) -> Json:
    """CloudEvents 1.0, Kafka protocol binding, binary mode."""
    properties = {
        "ce_id": says("the record's event_id"),
        "ce_source": {"type": "string", "pattern": "^/x/", "description": "/x/ and the brand"},
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_type": {"type": "string", "enum": kinds},
        "ce_subject": says(subject),
        "ce_time": {"type": "string", "format": "date-time", "description": time},
        "content-type": {"type": "string", "const": "application/json"},
    }
    return headers("The attributes of a CloudEvent.", properties | {TRACE_HEADER: trace()}, list(properties))


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
    return headers("All may be left out.", properties | {TRACE_HEADER: trace()}, [])


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
    dead = {"description": "the original bytes, whatever they are; null for a tombstone"}
    customer = says("the customer's id")
    keys = {"reply": says("any; of an answer that is sent again, the same")}
    titles = {
        "routed": ("A post about one brand, in its queue", RoutedPost),
        "response": ("What happened to a customer's wait", Response),
        "word": ("What a helpdesk says of a conversation", Word),
        "reply": ("A helpdesk's answer, to be posted", Reply),
        "message": ("A private message", Message),
        "retraction": ("A post is gone", Retraction),
    }
    made = {
        name: _message(name, title, {"$ref": f"#/components/schemas/{struct.__name__}"}, key=keys.get(name, customer))
        for name, (title, struct) in titles.items()
    }
    kept = {"anyOf": [{"$ref": f"#/components/schemas/{struct.__name__}"} for struct in KEPT]}
    name = says("gap/ and its id, or checkpoint/ and the source's name") | {"pattern": "^(gap|checkpoint)/"}
    return made | {
        "state": _message("state", "A gap, or how far the listener is", kept, key=name),
        "post": _message("post", "A post as X sent it", {"anyOf": posts}, key=customer),
        "dead": _message(
            "dead",
            "A record that could not be read",
            dead,
            key={"description": "as it came"},
            content_type="application/octet-stream",
        ),
    }


def _message(name: str, title: str, payload: Json, *, key: Json, content_type: str = "application/json") -> Json:
    described = (
        {"headers": {"$ref": f"#/components/schemas/{name.capitalize()}Headers"}} if name in WITH_HEADERS else {}
    )
    return {
        "name": name,
        "title": title,
        "contentType": content_type,
        **described,
        "payload": payload,
        "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
    }


def _operations() -> Json:
    """By component: what it writes, and what it reads."""
    sends = {
        "listener": (TWEETS, MESSAGES, RETRACTIONS, LISTENER_STATE),
        "triage": (*QUEUE_TOPICS, DEAD),
        "responses": (RESPONSES, KEYED, DEAD, *QUEUE_TOPICS),
        "poster": (RESPONSES, REPLIES_DEAD),
        "helpdesk": (DESK, REPLIES),
    }
    reads = {
        "listener": (LISTENER_STATE,),
        "triage": (TWEETS,),
        "responses": HEARD_TOPICS,
        "poster": (REPLIES,),
        "helpdesk": (*(topic for topic in QUEUE_TOPICS if topic != OWN), RESPONSES, RETRACTIONS),
    }
    return {
        f"{component}_{verb}_{_id(topic)}": _operation(action, topic, component)
        for verb, action, some in (("sends", "send", sends), ("reads", "receive", reads))
        for component, names in some.items()
        for topic in names
    }


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
