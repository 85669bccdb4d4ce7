"""Triage a batch and pack what comes of it into record batches, in slices that fit the processor's cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from aiokafka.structs import TopicPartition

from agents.sender import Package
from pipeline.dead import headers
from pipeline.errors import Reason
from pipeline.posts import Queue, Stage
from pipeline.topics import DEAD, QUEUE_TOPICS
from pipeline.triage import Record, Triaged

SLICE = 400
"""Measured: decoding and routing cost a third more a post when a slice has 4,000."""

Step = Callable[[Sequence[Record]], Triaged]


class Packed:
    """The outcome of a batch: what is to be sent, and what there is to count once it is acknowledged."""

    def __init__(self) -> None:
        self.package = Package()
        self.routed: Counter[tuple[str, Queue, Stage]] = Counter()
        self.dead: Counter[Reason] = Counter()
        self.broken: list[bool] = []
        self.ingest_lag_s: list[float] = []


def pack(records: Sequence[Record], step: Step, name: Callable[[str], str], now: int) -> Packed:
    """Run a step (records -> triaged) over all records; `name` gives a topic's name, `now` in ms dates the outputs."""
    packed = Packed()
    topics = {queue: name(topic) for queue, topic in zip(Queue, QUEUE_TOPICS, strict=True)}
    places: dict[tuple[Queue, int], TopicPartition] = {}
    for start in range(0, len(records), SLICE):
        triaged = step(records[start : start + SLICE])
        _add_outgoing(packed, triaged, topics, places, now)
        _add_dead(packed, triaged, name(DEAD), now)
        packed.broken += triaged.broken
        packed.ingest_lag_s += triaged.ingest_lag_s
    return packed


def _add_outgoing(
    packed: Packed,
    triaged: Triaged,
    topics: dict[Queue, str],
    places: dict[tuple[Queue, int], TopicPartition],
    now: int,
) -> None:
    add = packed.package.add
    for outgoing in triaged.outgoing:
        place = (outgoing.queue, outgoing.partition)
        tp = places.get(place)
        if tp is None:
            tp = places[place] = TopicPartition(topics[outgoing.queue], outgoing.partition)
        add(tp, now, outgoing.key, outgoing.value, outgoing.headers)
    packed.routed.update([(outgoing.brand, outgoing.queue, outgoing.stage) for outgoing in triaged.outgoing])


def _add_dead(packed: Packed, triaged: Triaged, topic: str, now: int) -> None:
    for dead in triaged.dead:
        record = dead.record
        tp = TopicPartition(topic, record.partition)
        packed.package.add(tp, now, record.key, record.value, headers(dead.error, dead.place, dead.step))
        packed.dead[dead.error.reason] += 1
