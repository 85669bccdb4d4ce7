"""The main job on one batch: records in; routed records and dead letters out. No Kafka, no clock, no waiting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from pipeline.classify import Classifier
from pipeline.decode import decode
from pipeline.errors import BadMessage, Reason
from pipeline.posts import Post, Verdict
from pipeline.route import Outgoing, Place, Router
from pipeline.topics import API_HEADER, ATTEMPT_HEADER
from pipeline.traces import TRACE_HEADER, plausible


class Record(Protocol):
    """What is needed of a Kafka record; both aiokafka's and kafka-python's have it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Dead(NamedTuple):
    """A record that cannot be routed, with the reason."""

    record: Record
    place: Place
    error: BadMessage
    step: str


class Triaged(NamedTuple):
    """What came of a run of records: each is in `outgoing` (once a brand) or in `dead`."""

    outgoing: list[Outgoing]
    dead: list[Dead]
    broken: list[bool]
    ingest_lag_s: list[float]


def triage(records: Sequence[Record], classifier: Classifier, router: Router, now: int) -> Triaged:
    """Decode, classify and route a batch; `now` in ms is stated as routed_at.

    Raises:
        Exception: whatever the classifier raises; the batch as a whole has then come to nothing.
    """
    decoded = decode([record.value for record in records], [record.timestamp for record in records])
    posts = [post for post in decoded if isinstance(post, Post)]
    verdicts = iter(_judge(classifier, posts))
    outgoing: list[Outgoing] = []
    dead: list[Dead] = []
    for record, post in zip(records, decoded, strict=True):
        place = place_of(record)
        if isinstance(post, BadMessage):
            dead.append(Dead(record, place, post, "decode"))
        else:
            outgoing += router.route(post, next(verdicts), place, now)
    broken = [isinstance(post, BadMessage) for post in decoded] if dead else [False] * len(records)
    lag = [(record.timestamp - post.created_at) / 1000 for record, post in zip(records, decoded, strict=True)
           if isinstance(post, Post)]  # fmt: skip
    return Triaged(outgoing, dead, broken, lag)


def triage_singly(records: Sequence[Record], classifier: Classifier, router: Router, now: int) -> Triaged:
    """The same one by one, for a batch that failed: the records at fault become dead letters, the others go on."""
    parts = [_one(record, classifier, router, now) for record in records]
    return Triaged(
        [outgoing for part in parts for outgoing in part.outgoing],
        [dead for part in parts for dead in part.dead],
        [bool(part.dead) for part in parts],
        [lag for part in parts for lag in part.ingest_lag_s],
    )


def place_of(record: Record) -> Place:
    """Where a record stood, and what its headers say of how it got there."""
    if not record.headers:
        return Place(record.topic, record.partition, record.offset, record.timestamp)
    headers = dict(record.headers)
    attempt = headers.get(ATTEMPT_HEADER, b"1")
    return Place(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        headers.get(API_HEADER, b"stream").decode("ascii", "replace"),
        int(attempt) if attempt.isdigit() else 1,
        plausible(headers.get(TRACE_HEADER)),
    )


def _judge(classifier: Classifier, posts: Sequence[Post]) -> list[Verdict]:
    verdicts = classifier.classify(posts) if posts else []
    if len(verdicts) != len(posts) or not all(0 <= verdict.confidence <= 1 for verdict in verdicts):
        raise ValueError(f"the classifier gave {len(verdicts)} verdicts for {len(posts)} posts, or one not in 0..1")
    return verdicts


def _one(record: Record, classifier: Classifier, router: Router, now: int) -> Triaged:
    try:
        return triage([record], classifier, router, now)
    except Exception as error:  # noqa: BLE001 - whatever it is, the record is kept and the partition goes on
        bad = BadMessage(Reason.FAILED, f"{type(error).__name__} while it was classified or routed")
        return Triaged([], [Dead(record, place_of(record), bad, "classify")], [True], [])
