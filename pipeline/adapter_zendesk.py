"""Routed records as Zendesk takes them: tickets, one a post; and pushes of the Channel framework, one thread a wait."""

from __future__ import annotations

from typing import Any

from pipeline.adapter_parts import (
    GONE_TITLE,
    Call,
    Payload,
    body,
    identity,
    is_gone,
    is_moved,
    note,
    other_queues,
    payload,
    place,
    tags,
    thread,
    title,
)
from pipeline.adapter_text import ascii_id, line, person, text, to_the_second, web
from pipeline.posts import Queue
from pipeline.routed import RoutedPost

SUBJECT = 150
FILES = 10
_TICKET = "/api/v2/tickets/{ticket_id}"


def zendesk(record: RoutedPost) -> Payload:
    """A ticket a post by the Tickets API, with external ids and an Idempotency-Key.

    `open` gives {requester_id}, `create` and `find` give {ticket_id}.
    """
    find = (Call("GET", f"/api/v2/tickets?external_id={place(record)}"),)
    if record.queue is Queue.OWN:
        update = (_put(record, {"comment": {"body": note(record), "public": False}}),)
        return payload(record, "zendesk", find=find, update=update if record.parent_id else ())
    if is_gone(record):
        gone = {"subject": GONE_TITLE, "comment": {"body": note(record), "public": False}}
        erase = (Call("DELETE", _TICKET), Call("DELETE", "/api/v2/deleted_tickets/{ticket_id}"))
        return payload(record, "zendesk", find=find, update=(_put(record, gone),), erase=erase)
    opened, changes = (_requester(record),), _changes(record) if record.revision else ()
    return payload(record, "zendesk", find=find, open=opened, create=(_ticket(record),), update=changes)


def _requester(record: RoutedPost) -> Call:
    author = record.author
    user = {
        "external_id": ascii_id(f"x:{author.external_id}"),
        "name": person(author.name, author.handle, author.external_id),
        "skip_verify_email": True,
    }
    return Call("POST", "/api/v2/users/create_or_update", {"user": user})


def _ticket(record: RoutedPost) -> Call:
    ticket = {
        "external_id": identity(record),
        "subject": title(record, SUBJECT),
        "priority": record.priority.value,
        "requester_id": "{requester_id}",
        "tags": tags(record),
        "comment": {"body": body(record), "author_id": "{requester_id}", "public": True},
        "metadata": {"event_id": ascii_id(record.event_id), "deadline_at": record.deadline_at},
    }
    return Call("POST", "/api/v2/tickets", {"ticket": ticket}, {"Idempotency-Key": ascii_id(record.event_id)})


def _changes(record: RoutedPost) -> tuple[Call, ...]:
    if is_moved(record):
        comment: dict[str, Any] = {"body": note(record), "public": False}
    else:
        comment = {"body": body(record), "author_id": "{requester_id}", "public": True}
    changed = {"subject": title(record, SUBJECT), "priority": record.priority.value, "comment": comment}
    return (
        _put(record, changed),
        Call("DELETE", f"{_TICKET}/tags", {"tags": other_queues(record)}),
        Call("PUT", f"{_TICKET}/tags", {"tags": tags(record)}),
    )


def _put(record: RoutedPost, ticket: dict[str, Any]) -> Call:
    return Call("PUT", _TICKET, {"ticket": ticket | {"metadata": {"event_id": ascii_id(record.event_id)}}})


def zendesk_push(record: RoutedPost, *, instance_push_id: str = "{instance_push_id}") -> Payload:
    """A push a post by the Channel framework. Push `create`; if it says already_imported, push `update`."""
    if record.queue is Queue.OWN:
        update = (_push(record, instance_push_id, _remark(record)),)
        return payload(record, "zendesk-push", update=update if record.parent_id else ())
    if is_gone(record):
        return payload(record, "zendesk-push", update=(_push(record, instance_push_id, _remark(record)),))
    original = _resource(record) | {"external_id": identity(record), "thread_id": thread(record)}
    changed = _remark(record) if is_moved(record) else _resource(record) | _next(record)
    again = (_push(record, instance_push_id, changed),) if record.revision else ()
    return payload(record, "zendesk-push", create=(_push(record, instance_push_id, original),), update=again)


def _push(record: RoutedPost, instance: str, resource: dict[str, Any]) -> Call:
    body = {"instance_push_id": instance, "request_id": ascii_id(record.event_id), "external_resources": [resource]}
    return Call("POST", "/api/v2/any_channel/push", body)


def _resource(record: RoutedPost) -> dict[str, Any]:
    files = [url for one in record.attachments if (url := web(one.url))]
    return {
        "message": text(record.text),
        "created_at": to_the_second(record.created_at),
        "author": _author(record),
        "allow_channelback": record.reply_allowed,
        "fields": [
            {"id": "subject", "value": title(record, SUBJECT)},
            {"id": "priority", "value": record.priority.value},
            {"id": "tags", "value": tags(record)},
        ],
        "file_urls": files[:FILES],
    }


def _next(record: RoutedPost) -> dict[str, Any]:
    """A further resource under the one that is there: parent_id may be longer than external_id, but must equal it."""
    event = f"{record.external_id}:{record.brand}:{record.event_type}:{record.revision}"
    return {"external_id": ascii_id(event), "parent_id": place(record)}


def _remark(record: RoutedPost) -> dict[str, Any]:
    """An internal note under the post, in the name of the brand: its author did not write it."""
    brand = {"external_id": ascii_id(f"brand:{record.brand}"), "name": line(record.brand) or "brand"}
    at = record.created_at if record.queue is Queue.OWN and not is_gone(record) else record.routed_at
    more = {"internal_note": True, "message": note(record), "created_at": to_the_second(at), "author": brand}
    return more | {"allow_channelback": True} | _next(record)


def _author(record: RoutedPost) -> dict[str, Any]:
    author = record.author
    found = {
        "external_id": ascii_id(f"x:{author.external_id}"),
        "name": person(author.name, author.handle, author.external_id),
        "image_url": web(author.avatar_url, 255),
    }
    return {key: value for key, value in found.items() if value is not None}
