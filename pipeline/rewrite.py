"""Routed records written again: to the queue that a person chose, or without their text once the post is gone."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from pipeline import cloud_events
from pipeline.facts import QUEUES
from pipeline.posts import Opinion, Priority, Queue, Stage
from pipeline.route import usual_priority, utc
from pipeline.routed import RoutedAuthor, RoutedPost, event_id
from pipeline.turns import NEVER, Policy

encode = msgspec.json.Encoder().encode
read = msgspec.json.Decoder(RoutedPost).decode


class Rewritten(NamedTuple):
    """A record to be produced to the topic of a queue."""

    queue: Queue
    value: bytes
    headers: cloud_events.Headers


def moved(record: RoutedPost, to: Queue, revision: int, policy: Policy, since: int, now: int) -> Rewritten:
    """The record as a person wants it: in another queue, with that queue's deadline from the same start.

    Args:
        record: as it stands in its queue.
        to: the right queue.
        revision: the new one.
        policy: the brand's rules.
        since: when its wait began, in ms.
        now: ms, stated as routed_at.
    """
    said = record.classification
    stage = Stage(to.value) if to.value in tuple(Stage) else said.stage
    urgent = record.priority is Priority.URGENT
    due = _deadline(since, QUEUES.index(to), policy)
    value = msgspec.structs.replace(
        record,
        event_id=event_id(record.external_id[2:], record.brand, "moved", revision),  # edits count too
        revision=revision,
        queue=to,
        priority=Priority.URGENT if urgent else usual_priority(stage, addressed=record.reply_allowed),
        deadline_at=due,
        routed_at=utc(now),
        classification=msgspec.structs.replace(
            said, stage=stage, abstained=to is Queue.REVIEW, decided_by=Opinion.PERSON
        ),
        tags=(record.brand, to, stage),
    )
    return _rewritten(value, cloud_events.ROUTED)


def retracted(record: RoutedPost, now: int, latest: int = 0) -> Rewritten:
    """The record of a post that is gone: who keeps an old one under the same external_id forgets it.

    Args:
        record: as it stands in a queue.
        now: ms.
        latest: the highest revision that is known of the post, in whichever queue.
    """
    revision = max(record.revision, latest) + 1
    value = msgspec.structs.replace(
        record,
        event_id=event_id(record.external_id[2:], record.brand, "retracted", revision),
        event_type="retracted",
        revision=revision,
        author=RoutedAuthor(record.author.external_id, None, None, None, None, None),
        subject="",
        text="",
        mentions=(),
        hashtags=(),
        links=(),
        attachments=(),
        routed_at=utc(now),
    )
    return _rewritten(value, cloud_events.RETRACTED)


def _rewritten(value: RoutedPost, kind: str) -> Rewritten:
    headers = cloud_events.headers(kind, value.brand, value.event_id, value.external_id[2:], value.routed_at)
    return Rewritten(value.queue, encode(value), headers)


def _deadline(since: int, queue: int, policy: Policy) -> str | None:
    target = policy.targets.get(queue)
    due = NEVER if target is None else policy.after(queue, since, target)
    return None if due == NEVER else utc(due)
