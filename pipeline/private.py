"""Private messages: from X's events to records of `messages`; whose message it is follows from who took part."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from typing import NamedTuple

import msgspec

from pipeline.clean import clean
from pipeline.errors import BadMessage, Reason
from pipeline.heard import Message


class _Event(msgspec.Struct):
    id: str
    event_type: str = ""
    text: str = ""
    sender_id: str | None = None
    dm_conversation_id: str = ""
    created_at: str | None = None


class _User(msgspec.Struct):
    id: str
    username: str | None = None


class _Includes(msgspec.Struct, frozen=True):
    users: list[_User] = []


class _Meta(msgspec.Struct, frozen=True):
    next_token: str | None = None


class _Events(msgspec.Struct):
    data: list[_Event] = []
    includes: _Includes = _Includes()
    meta: _Meta = _Meta()


class Events(NamedTuple):
    """A page of events: messages, newest first as X gives them, and how to go on."""

    messages: list[Message]
    ids: list[str]
    """Of all events, those that are no messages too."""
    next_token: str | None
    unplaced: list[str]
    """The ids of the brand's words in a group of which no customer is known."""


_events = msgspec.json.Decoder(_Events).decode


def events(body: bytes, brand: str, own: Collection[str], talks: MutableMapping[str, str]) -> Events:
    """Read a page.

    Args:
        body: X's answer.
        brand: whose messages they are.
        own: the ids of the brand's accounts.
        talks: who the customer of a group conversation is, as far as is known; is added to.

    Raises:
        BadMessage: it is no such answer.
    """
    try:
        page = _events(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(Reason.NOT_JSON, f"X's private messages cannot be read: {error}") from error
    handles = {user.id: user.username for user in page.includes.users}
    messages, unplaced = list[Message](), list[str]()
    for event in reversed(page.data):  # oldest first, so that a group's customer is known before the brand answers
        if event.event_type != "MessageCreate" or event.sender_id is None or event.created_at is None:
            continue
        customer = _customer(event, event.sender_id, own, talks)
        if customer is None:
            unplaced.append(event.id)
            continue
        messages.append(
            Message(
                event.id, brand, event.sender_id, customer, event.created_at, clean(event.text),
                handles.get(event.sender_id),
            )
        )  # fmt: skip
    return Events(messages[::-1], [event.id for event in page.data], page.meta.next_token, unplaced)


def _customer(event: _Event, sender: str, own: Collection[str], talks: MutableMapping[str, str]) -> str | None:
    """The other side: who wrote it, or whom the brand wrote to."""
    if sender not in own:
        talks[event.dm_conversation_id] = sender
        return sender
    two = event.dm_conversation_id.split("-")
    others = [one for one in two if one not in own]
    if len(two) == 2 and len(others) == 1:
        return others[0]
    return talks.get(event.dm_conversation_id)
