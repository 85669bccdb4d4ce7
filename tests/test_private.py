"""Private messages: whose they are, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.errors import BadMessage
from pipeline.heard import Message
from pipeline.private import events

AT = "2026-11-23T12:00:00.000Z"


def _event(identity: str, sender: str, conversation: str = "7-900", **more: Any) -> dict[str, Any]:
    kind = {"event_type": "MessageCreate", "text": "my\u202e number", "created_at": AT}
    return {"id": identity, "sender_id": sender, "dm_conversation_id": conversation} | kind | more


def _page(*data: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"data": data} | more).encode()


def test_both_sides_of_a_conversation_go_under_the_customer() -> None:
    """Newest first, as X gives them; handles where they are known, and no hidden characters."""
    users = {"users": [{"id": "900", "username": "Acme"}]}
    body = _page(_event("2", "900"), _event("1", "7"), includes=users, meta={"next_token": "n"})

    found = events(body, "acme", {"900"}, {})

    assert found.messages == [
        Message("2", "acme", "900", "7", AT, "my number", "Acme"),
        Message("1", "acme", "7", "7", AT, "my number"),
    ]
    assert (["2", "1"], "n", []) == found[1:]


def test_in_a_group_the_customer_is_who_wrote_before() -> None:
    """On an earlier page, too; where nobody has, it is counted."""
    talks: dict[str, str] = {}

    first = events(_page(_event("1", "900", "555")), "acme", {"900"}, talks)
    events(_page(_event("2", "7", "555")), "acme", {"900"}, talks)
    then = events(_page(_event("3", "900", "555")), "acme", {"900"}, talks)

    assert ([], ["1"]) == (first.messages, first.unplaced)
    assert ["7"] == [message.customer_id for message in then.messages]


def test_who_joins_and_leaves_writes_nothing() -> None:
    """Their ids are known all the same."""
    found = events(_page(_event("1", "7", event_type="ParticipantsJoin")), "acme", {"900"}, {})

    assert ([], ["1"]) == found[:2]


def test_a_broken_answer_is_an_error() -> None:
    """That says what could not be read."""
    with pytest.raises(BadMessage, match="private messages cannot be read"):
        events(b"<html>", "acme", set(), {})
