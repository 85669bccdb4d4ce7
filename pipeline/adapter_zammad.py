"""Routed records as Zammad takes them: a ticket a post, its text an article of plain text."""

from __future__ import annotations

from collections.abc import Mapping
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
from pipeline.adapter_text import ascii_id, line, person
from pipeline.posts import Priority, Queue
from pipeline.routed import RoutedPost

TITLE = 250
NAME = 100
PRIORITIES = {
    Priority.URGENT: "3 high",
    Priority.HIGH: "3 high",
    Priority.NORMAL: "2 normal",
    Priority.LOW: "1 low",
}
"""Zammad has three."""
_TICKET = "/api/v1/tickets/{ticket_id}"


def zammad(record: RoutedPost, *, groups: Mapping[str, str] | None = None) -> Payload:
    """A ticket a post; `groups` names the group for each queue, else the queue's own name is the group's.

    The administrator makes two text attributes of tickets first: triage_id and triage_thread (255 characters).
    `create` and `find` give {ticket_id}.
    """
    find = (Call("GET", f"/api/v1/tickets/search?limit=1&query=triage_id:%22{place(record)}%22"),)
    if record.queue is Queue.OWN:
        update = (Call("PUT", _TICKET, {"article": _internal(record)}),)
        return payload(record, "zammad", find=find, update=update if record.parent_id else ())
    if is_gone(record):
        gone = Call("PUT", _TICKET, {"title": GONE_TITLE, "article": _internal(record)})
        return payload(record, "zammad", find=find, update=(gone,), erase=(Call("DELETE", _TICKET),))
    group = line((groups or {}).get(record.queue.value, record.queue.value), 160)
    changes = _changes(record, group) if record.revision else ()
    return payload(record, "zammad", find=find, create=(_ticket(record, group),), update=changes)


def _ticket(record: RoutedPost, group: str) -> Call:
    author = record.author
    ticket = {
        "title": title(record, TITLE),
        "group": group,
        "state": "new",
        "priority": PRIORITIES[record.priority],
        "customer": {
            "login": ascii_id(f"x:{author.external_id}").lower(),
            "firstname": person(author.name, author.handle, author.external_id, NAME),
            "lastname": f"({line(author.handle, NAME - 2)})" if author.handle else "(X)",
        },
        "tags": ",".join([*tags(record), f"priority_{record.priority.value}"]),
        "triage_id": identity(record),
        "triage_thread": thread(record),
        "article": _article(record),
    }
    return Call("POST", "/api/v1/tickets", ticket)


def _changes(record: RoutedPost, group: str) -> tuple[Call, ...]:
    moved = is_moved(record)
    changed = {
        "title": title(record, TITLE),
        "group": group,
        "priority": PRIORITIES[record.priority],
        "article": _internal(record) if moved else _article(record),
    }
    added = [_tag("POST", "add", one) for one in tags(record)]
    removed = [_tag("DELETE", "remove", one) for one in other_queues(record)]
    return (Call("PUT", _TICKET, changed), *removed, *added)


def _article(record: RoutedPost) -> dict[str, Any]:
    """The customer's words: of the kind web, which counts for Zammad's own response times."""
    return {
        "subject": title(record, TITLE),
        "body": body(record),
        "type": "web",
        "sender": "Customer",
        "internal": False,
        "content_type": "text/plain",
    }


def _internal(record: RoutedPost) -> dict[str, Any]:
    return {"body": note(record), "type": "note", "sender": "System", "internal": True, "content_type": "text/plain"}


def _tag(method: Any, what: str, item: str) -> Call:
    return Call(method, f"/api/v1/tags/{what}", {"object": "Ticket", "o_id": "{ticket_id}", "item": item})
