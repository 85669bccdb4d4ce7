"""Routed records as Chatwoot's API channel takes them: contact, conversation, message."""

from __future__ import annotations

import re
from typing import Any

from pipeline.adapter_parts import Call, Payload, body, customer, is_gone, is_moved, note, payload, tags, title
from pipeline.adapter_text import TEXT, ascii_id, fit_bytes, line, person, web
from pipeline.posts import Priority, Queue
from pipeline.routed import RoutedPost

CONTENT = 150_000
"""Characters; the text is cut to 65,535 bytes before Markdown's signs are escaped, which doubles it at most."""
ATTRIBUTE = 1_500
PRIORITIES = {
    Priority.URGENT: "urgent",
    Priority.HIGH: "high",
    Priority.NORMAL: "medium",
    Priority.LOW: "low",
}
_CONVERSATION = "/api/v1/accounts/{account_id}/conversations/{conversation_id}"
_MESSAGES = f"{_CONVERSATION}/messages"
_URL = re.compile(r"(https?://\S+)")
_SIGNS = re.compile(r"[\\`*_\[\]<>~|&]")
_SIGNS_IN_URLS = re.compile(r"[\\`*\[\]<>|]")
_LEADING = re.compile(r"^([ \t]*)(?:([#+=\-:])|(\d{1,9})([.)]))", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]{4,}", re.MULTILINE)


def chatwoot(record: RoutedPost) -> Payload:
    """A message a post, in one conversation a thread; answers to it go by the inbox's webhook.

    `open` gives {conversation_id} (keep it under `thread`), `create` gives {message_id} (under `id`); {inbox} and
    {account_id} are yours.
    """
    if record.queue is Queue.OWN:
        return payload(record, "chatwoot", update=(_private(record),) if record.parent_author_id else ())
    if is_gone(record):
        return payload(record, "chatwoot", update=(Call("DELETE", f"{_MESSAGES}/{{message_id}}"), _private(record)))
    changed = _private(record) if is_moved(record) else _message(record)
    find, opened = (Call("GET", f"{_contact(record)}/conversations"),), _opened(record)
    create, update = (_message(record), _priority(record)), (changed, _priority(record))
    return payload(record, "chatwoot", find=find, open=opened, create=create, update=update if record.revision else ())


def markdown(text: str) -> str:
    """Text that Markdown shows as it is; a link stays one that can be followed, and shows where it leads."""
    parts = _URL.split(_INDENT.sub("   ", text))
    escaped = [(_SIGNS_IN_URLS if odd % 2 else _SIGNS).sub(r"\\\g<0>", part) for odd, part in enumerate(parts)]
    return _LEADING.sub(_not_leading, "".join(escaped))


def _not_leading(found: re.Match[str]) -> str:
    indent, sign, number, after = found.groups()
    return f"{indent}\\{sign}" if sign else f"{indent}{number}\\{after}"


def _contact(record: RoutedPost) -> str:
    return f"/public/api/v1/inboxes/{{inbox}}/contacts/{_source(record)}"


def _source(record: RoutedPost) -> str:
    return ascii_id(f"x:{customer(record)}")


def _opened(record: RoutedPost) -> tuple[Call, ...]:
    author = record.author
    contact: dict[str, Any] = {
        "source_id": _source(record),
        "identifier": _source(record),
        "name": person(author.name, author.handle, author.external_id),
        "custom_attributes": _attributes(handle=author.handle, followers=author.followers, verified=author.verified),
    }
    if avatar := web(author.avatar_url):
        contact["avatar_url"] = avatar
    about = _attributes(
        title=title(record, 150),
        opened_in=record.queue.value,
        tags=",".join(tags(record)),
        conversation_on_x=ascii_id(record.conversation_id),
        brand=record.brand,
        deadline_at=record.deadline_at,
        url=web(record.url),
    )
    return (
        Call("POST", "/public/api/v1/inboxes/{inbox}/contacts", contact),
        Call("POST", f"{_contact(record)}/conversations", {"custom_attributes": about}),
    )


def _attributes(**given: str | float | None) -> dict[str, Any]:
    """Those that are known; Chatwoot takes strings of 1,500 characters, and numbers of ten digits."""
    return {
        key: line(value, ATTRIBUTE - 1) if isinstance(value, str) else max(-(10**9), min(value, 10**9))
        for key, value in given.items()
        if value is not None
    }


def _message(record: RoutedPost) -> Call:
    said = {
        "content": markdown(body(record)),
        "message_type": "incoming",
        "private": False,
        "content_type": "text",
        "echo_id": ascii_id(record.event_id),
    }
    return Call("POST", _MESSAGES, said)


def _private(record: RoutedPost) -> Call:
    """A note for the agents: never outgoing, which would be sent to X."""
    content = markdown(fit_bytes(note(record), TEXT))
    said = {"content": content, "message_type": "outgoing", "private": True, "echo_id": ascii_id(record.event_id)}
    return Call("POST", _MESSAGES, said)


def _priority(record: RoutedPost) -> Call:
    return Call("PATCH", _CONVERSATION, {"priority": PRIORITIES[record.priority]})
