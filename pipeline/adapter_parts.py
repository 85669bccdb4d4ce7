"""What the adapters have in common: requests, what they add up to, and how a routed record is named in a helpdesk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from pipeline.adapter_text import NAME, TEXT, ascii_id, fit_bytes, line, tag, text, web
from pipeline.posts import Opinion, Queue
from pipeline.routed import RoutedPost

GONE_TITLE = "X: a post that is gone"
GONE = "The post was deleted on X, or its author asks to be forgotten: nobody waits for an answer to it."


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request to a helpdesk. A name in braces in `path` stands for an id that you or the helpdesk have given.

    In `body` only the fields requester_id, author_id, o_id and instance_push_id may hold one: other braces there are
    a stranger's.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = {}


class Payload(msgspec.Struct, frozen=True):
    """What a helpdesk is to be told of one routed record: `update` where `find` finds it there, else `create`."""

    helpdesk: str
    event_id: str
    """Keep those of the last day, and pass over what you have seen."""
    id: str
    """The post's name in the helpdesk: `external_id` and brand, for a post about two brands makes two records."""
    thread: str
    """Customer, brand and conversation: keep the ids that `open` gives under it."""
    revision: int
    """Keep the highest under `id`, and pass over lower ones."""
    find: tuple[Call, ...] = ()
    """How to ask whether the post is there; where empty, keep the ids that `create` gives."""
    open: tuple[Call, ...] = ()
    """Once for each `thread`, before `create`."""
    create: tuple[Call, ...] = ()
    update: tuple[Call, ...] = ()
    erase: tuple[Call, ...] = ()
    """After `update` of a post that is gone: takes away for good what an update cannot."""


def payload(record: RoutedPost, helpdesk: str, most: int = NAME, **calls: tuple[Call, ...]) -> Payload:
    """A payload with the names of the record; `most` characters are an id's."""
    return Payload(
        helpdesk, ascii_id(record.event_id), identity(record, most), thread(record, most), record.revision, **calls
    )


def identity(record: RoutedPost, most: int = NAME) -> str:
    """The name of the record's post."""
    return ascii_id(f"{record.external_id}:{record.brand}", most)


def place(record: RoutedPost, most: int = NAME) -> str:
    """The name of the post under which it is to be told: of a brand's own post that which it answers, else itself."""
    if record.queue is Queue.OWN and record.parent_id is not None:
        return ascii_id(f"x:{record.parent_id}:{record.brand}", most)
    return identity(record, most)


def thread(record: RoutedPost, most: int = NAME) -> str:
    """The name of the customer's conversation with the brand."""
    return ascii_id(f"x:{record.brand}:{customer(record)}:{record.conversation_id}", most)


def customer(record: RoutedPost) -> str:
    """The id on X of the customer: who wrote, or whom the brand's own post answers."""
    own = record.queue is Queue.OWN and record.parent_author_id is not None
    return (record.parent_author_id if own else None) or record.author.external_id


def is_gone(record: RoutedPost) -> bool:
    """Whether the post is to be forgotten."""
    return record.event_type == "retracted"


def is_moved(record: RoutedPost) -> bool:
    """Whether a person sent the post to another queue: its text is the one that is there."""
    return record.revision > 0 and record.classification.decided_by is Opinion.PERSON


def note(record: RoutedPost, most: int = TEXT) -> str:
    """What happened to a post that is there, in our own words; after them what a brand's own post says."""
    if record.queue is Queue.OWN:
        return own_note(record, most)
    if is_gone(record):
        return GONE
    if is_moved(record):
        return f"A person moved it to the queue {record.queue.value}; its priority is {record.priority.value}."
    return f"The author changed the post: this is its revision {record.revision}."


def own_note(record: RoutedPost, most: int) -> str:
    """That the brand answered on X, and with which words."""
    if is_gone(record):
        return "The brand's answer on X is deleted."
    head = f"The brand answered on X ({web(record.url) or 'no link'}):\n\n"
    return head + text(record.text, most - len(head))


def title(record: RoutedPost, most: int) -> str:
    """One line about the post; it begins with a word of ours, so that no spreadsheet takes it for a formula."""
    return line("X " + record.subject, most)


def body(record: RoutedPost, most: int = TEXT, head: str = "") -> str:
    """The text, and below it the links to the post and to its pictures."""
    foot = "\n\n" + "\n".join(_links(record))
    return head + text(record.text, most - len(head.encode()) - len(foot.encode())) + foot


def tags(record: RoutedPost) -> list[str]:
    """What the post is about, each once."""
    return list(dict.fromkeys(["x", *map(tag, record.tags[:8])]))


def other_queues(record: RoutedPost) -> list[str]:
    """The tags of the queues in which the post is not."""
    kept = tags(record)
    return [queue.value for queue in Queue if queue.value not in kept]


def _links(record: RoutedPost) -> list[str]:
    links = [f"Post: {web(record.url) or 'no link'}"]
    for one in record.attachments[:10]:
        if url := web(one.url):
            says = line(one.alt_text or "", 1000)
            links.append(fit_bytes(f"{tag(one.type)}: {url}" + (f" ({says})" if says else ""), 3000))
    return links
