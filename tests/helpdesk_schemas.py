"""What the helpdesks take, from their own documentation and source: fields, lengths, words; whatever else is wrong."""

from __future__ import annotations

from typing import Any

import jsonschema

Json = dict[str, Any]
ID = {"type": "string", "pattern": r"^[A-Za-z0-9._:-]{1,255}$"}
PLACEHOLDER = {"type": "string", "pattern": r"^\{[a-z_]+\}$"}
SECOND = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
DATABASE = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"}
URL = {"type": "string", "pattern": r"^https?://[!-~]+$", "maxLength": 2000}
TAGS = {"type": "array", "items": {"type": "string", "pattern": r"^[a-z0-9_-]{1,64}$"}, "uniqueItems": True}
TRUE: Json = {"const": True}
FALSE: Json = {"const": False}


def text(most: int, least: int = 1) -> Json:
    """Text of several lines, without control and bidirectional characters."""
    return {
        "type": "string",
        "maxLength": most,
        "minLength": least,
        "pattern": "^[^\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$",
    }


def line(most: int) -> Json:
    """Text in one line."""
    return {
        "type": "string",
        "maxLength": most,
        "minLength": 1,
        "pattern": "^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+$",
    }


def having(required: Json, **optional: Json) -> Json:
    """An object with these fields and no others."""
    both = required | optional
    return {"type": "object", "properties": both, "required": list(required), "additionalProperties": False}


def one_of(*words: str) -> Json:
    """One of these words."""
    return {"enum": list(words)}


ZENDESK_COMMENT = having({"body": text(65_535), "public": {"type": "boolean"}}, author_id=PLACEHOLDER)
ZENDESK_PRIORITY = one_of("urgent", "high", "normal", "low")
METADATA = having({"event_id": ID}, deadline_at={"type": ["string", "null"], "maxLength": 24})
ZENDESK_NEW = having({
    "external_id": ID, "subject": line(150), "priority": ZENDESK_PRIORITY, "requester_id": PLACEHOLDER, "tags": TAGS,
    "comment": ZENDESK_COMMENT, "metadata": METADATA,
})  # fmt: skip
ZENDESK_CHANGED = having(
    {"comment": ZENDESK_COMMENT, "metadata": METADATA}, subject=line(150), priority=ZENDESK_PRIORITY
)
ZENDESK_USER = having({"external_id": ID, "name": line(255), "skip_verify_email": TRUE})
PUSH_AUTHOR = having({"external_id": ID, "name": line(255)}, image_url=URL | {"maxLength": 255})
PUSH_FIELD = having({"id": one_of("subject", "priority", "tags"), "value": {"type": ["string", "array"]}})
RESOURCE = having(
    {"external_id": ID, "message": text(65_535), "created_at": SECOND, "author": PUSH_AUTHOR,
     "allow_channelback": {"type": "boolean"}},
    internal_note=TRUE, thread_id=ID, parent_id=ID | {"maxLength": 511}, fields={"type": "array", "items": PUSH_FIELD},
    file_urls={"type": "array", "items": URL, "maxItems": 10},
) | {"oneOf": [{"required": ["thread_id"]}, {"required": ["parent_id"]}]}  # fmt: skip
PUSH = having({
    "instance_push_id": PLACEHOLDER, "request_id": ID,
    "external_resources": {"type": "array", "items": RESOURCE, "minItems": 1, "maxItems": 1},
})  # fmt: skip
ARTICLE = having(
    {"body": text(65_535), "type": one_of("web", "note"), "sender": one_of("Customer", "System"),
     "internal": {"type": "boolean"}, "content_type": one_of("text/plain")},
    subject=line(250),
)  # fmt: skip
ZAMMAD_PRIORITY = one_of("1 low", "2 normal", "3 high")
ZAMMAD_NEW = having({
    "title": line(250), "group": line(160), "state": one_of("new"), "priority": ZAMMAD_PRIORITY,
    "customer": having({"login": ID, "firstname": line(100), "lastname": line(100)}),
    "tags": {"type": "string", "pattern": r"^[a-z0-9_-]{1,64}(,[a-z0-9_-]{1,64})*$"},
    "triage_id": ID, "triage_thread": ID, "article": ARTICLE,
})  # fmt: skip
ZAMMAD_CHANGED = having({"article": ARTICLE}, title=line(250), group=line(160), priority=ZAMMAD_PRIORITY)
ZAMMAD_TAG = having({"object": one_of("Ticket"), "o_id": PLACEHOLDER, "item": TAGS["items"]})
ATTRIBUTES = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [text(1_499, least=0), {"type": "integer", "exclusiveMaximum": 9_999_999_999}, {"type": "boolean"}]
    },
}
CONTACT = having(
    {"source_id": ID, "identifier": ID, "name": line(255), "custom_attributes": ATTRIBUTES}, avatar_url=URL
)
MESSAGE = having(
    {"content": text(150_000), "message_type": one_of("incoming", "outgoing"), "private": {"type": "boolean"},
     "echo_id": ID},
    content_type=one_of("text"),
)  # fmt: skip
LEVEL = one_of("1", "2", "3")
INCIDENT = {
    "short_description": line(160), "description": text(65_535, least=0), "impact": LEVEL, "urgency": LEVEL,
    "due_date": DATABASE, "work_notes": text(65_535), "correlation_display": ID | {"maxLength": 100},
    "correlation_id": ID | {"maxLength": 100}, "contact_type": one_of("social"), "opened_at": DATABASE,
    "assignment_group": ID, "caller_id": ID,
}  # fmt: skip
NEW = {key: INCIDENT[key] for key in ("short_description", "description", "correlation_id", "opened_at", "impact")}

REQUESTS: dict[tuple[str, str], Json] = {
    ("POST", "/api/v2/users/create_or_update"): having({"user": ZENDESK_USER}),
    ("POST", "/api/v2/tickets"): having({"ticket": ZENDESK_NEW}),
    ("PUT", "/api/v2/tickets/{ticket_id}"): having({"ticket": ZENDESK_CHANGED}),
    ("PUT", "/api/v2/tickets/{ticket_id}/tags"): having({"tags": TAGS}),
    ("DELETE", "/api/v2/tickets/{ticket_id}/tags"): having({"tags": TAGS}),
    ("POST", "/api/v2/any_channel/push"): PUSH,
    ("POST", "/api/v1/tickets"): ZAMMAD_NEW,
    ("PUT", "/api/v1/tickets/{ticket_id}"): ZAMMAD_CHANGED,
    ("POST", "/api/v1/tags/add"): ZAMMAD_TAG,
    ("DELETE", "/api/v1/tags/remove"): ZAMMAD_TAG,
    ("POST", "/public/api/v1/inboxes/{inbox}/contacts"): CONTACT,
    ("POST", "/public/api/v1/inboxes/{inbox}/contacts/ID/conversations"): having({"custom_attributes": ATTRIBUTES}),
    ("POST", "/api/v1/accounts/{account_id}/conversations/{conversation_id}/messages"): MESSAGE,
    ("PATCH", "/api/v1/accounts/{account_id}/conversations/{conversation_id}"): having(
        {"priority": one_of("urgent", "high", "medium", "low")}
    ),
    ("POST", "/api/now/table/incident"): having(NEW, **INCIDENT),
    ("PATCH", "/api/now/table/incident/{sys_id}"): having({}, **INCIDENT),
}
BARE = {
    ("DELETE", "/api/v2/tickets/{ticket_id}"),
    ("DELETE", "/api/v2/deleted_tickets/{ticket_id}"),
    ("DELETE", "/api/v1/tickets/{ticket_id}"),
    ("DELETE", "/api/v1/accounts/{account_id}/conversations/{conversation_id}/messages/{message_id}"),
    ("GET", "/api/v2/tickets?external_id=ID"),
    ("GET", "/api/v1/tickets/search?limit=1&query=triage_id:%22ID%22"),
    ("GET", "/public/api/v1/inboxes/{inbox}/contacts/ID/conversations"),
    ("GET", "/api/now/table/incident?sysparm_query=correlation_id=ID&sysparm_fields=sys_id&sysparm_limit=1"),
}
"""Requests without a body."""
CHECKS = {key: jsonschema.Draft7Validator(schema) for key, schema in REQUESTS.items()}
