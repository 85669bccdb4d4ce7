"""What the threads of the listener hand to one another."""

from __future__ import annotations

from threading import Event, Lock
from typing import NamedTuple

from pipeline.intake import Taken
from pipeline.topics import MESSAGES, RETRACTIONS, TWEETS
from pipeline.traces import TRACE_HEADER, begin


class Line(NamedTuple):
    """A line of the stream, as it was read."""

    value: bytes
    api: bytes
    """How it came: the header triage_api."""
    read_at: float
    """Seconds since 1970."""
    began: float | None
    """The same by the machine's steady clock; None where it has waited on disk."""
    mark: str | None = None
    """The source's own place behind it."""


class Parcel(NamedTuple):
    """A record that somebody found, for one of our topics."""

    topic: str
    """As it is declared."""
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None
    post: Taken | None = None
    """Of a post: it goes out only if this version has not come yet."""


TRACED = frozenset({TWEETS, MESSAGES, RETRACTIONS})


def traced(parcel: Parcel, sampled: float) -> Parcel:
    """With the beginning of a trace, if it is a record of what happened on X; so many of them are sampled."""
    if parcel.topic not in TRACED:
        return parcel
    return parcel._replace(headers=(*parcel.headers, (TRACE_HEADER, begin(sampled))))


class Ticket:
    """Tells whoever gave parcels when Kafka has them all."""

    def __init__(self, parcels: int) -> None:
        self._left = parcels
        self._lock = Lock()
        self.fresh = 0
        """How many had not come before."""
        self.done = Event()
        if not parcels:
            self.done.set()

    def one(self, *, fresh: bool) -> None:
        """One is acknowledged, or was known already."""
        with self._lock:
            self._left -= 1
            self.fresh += fresh
            if not self._left:
                self.done.set()
