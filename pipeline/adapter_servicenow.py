"""Routed records as ServiceNow takes them: an incident a post, by the Table API."""

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
    note,
    payload,
    place,
    thread,
    title,
)
from pipeline.adapter_text import ascii_id, for_a_database, line, person
from pipeline.posts import Priority, Queue
from pipeline.routed import RoutedPost

SHORT_DESCRIPTION = 160
CORRELATION = 100
IMPACT_AND_URGENCY = {
    Priority.URGENT: ("1", "1"),
    Priority.HIGH: ("2", "1"),
    Priority.NORMAL: ("2", "2"),
    Priority.LOW: ("2", "3"),
}
"""From these ServiceNow computes its priorities 1 to 4."""


def servicenow(
    record: RoutedPost,
    *,
    table: str = "incident",
    groups: Mapping[str, str] | None = None,
    caller: str | None = None,
) -> Payload:
    """An incident a post, known by its correlation_id; `create` and `find` give {sys_id}.

    Args:
        record: the routed record.
        table: incident, or sn_customerservice_case.
        groups: the sys_id of the assignment group for each queue.
        caller: the sys_id of the user in whose name incidents are opened.
    """
    rows = f"/api/now/table/{table}"
    query = f"sysparm_query=correlation_id={place(record, CORRELATION)}&sysparm_fields=sys_id&sysparm_limit=1"
    find, row = (Call("GET", f"{rows}?{query}"),), f"{rows}/{{sys_id}}"
    noted = {"work_notes": note(record)}
    if record.queue is Queue.OWN:
        update = (Call("PATCH", row, noted),) if record.parent_id else ()
        return payload(record, "servicenow", CORRELATION, find=find, update=update)
    if is_gone(record):
        gone = {"short_description": GONE_TITLE, "description": "", **noted}
        return payload(record, "servicenow", CORRELATION, find=find, update=(Call("PATCH", row, gone),))
    fields = _fields(record, groups or {})
    made = fields | _once(record) | ({"caller_id": caller} if caller else {})
    changed = (Call("PATCH", row, fields | noted),) if record.revision else ()
    return payload(record, "servicenow", CORRELATION, find=find, create=(Call("POST", rows, made),), update=changed)


def _fields(record: RoutedPost, groups: Mapping[str, str]) -> dict[str, Any]:
    """What a further revision may change."""
    impact, urgency = IMPACT_AND_URGENCY[record.priority]
    fields = {
        "short_description": title(record, SHORT_DESCRIPTION),
        "description": body(record, head=_head(record)),
        "impact": impact,
        "urgency": urgency,
    }
    if record.deadline_at is not None:
        fields["due_date"] = for_a_database(record.deadline_at)
    if group := groups.get(record.queue.value):
        fields["assignment_group"] = group
    return fields


def _once(record: RoutedPost) -> dict[str, Any]:
    return {
        "correlation_id": identity(record, CORRELATION),
        "correlation_display": thread(record, CORRELATION),
        "contact_type": "social",
        "opened_at": for_a_database(record.created_at),
    }


def _head(record: RoutedPost) -> str:
    author = record.author
    handle = f", @{line(author.handle, 100)}" if author.handle else ""
    return (
        f"From: {person(author.name, author.handle, author.external_id)}{handle} ({ascii_id(author.external_id)})\n\n"
    )
