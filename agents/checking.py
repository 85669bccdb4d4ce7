"""Looks up the posts of open conversations: those that are gone are retracted, those that were edited come again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from agents.ask import ask
from agents.filling import parcels
from agents.line import Parcel
from agents.outlet import Outlet
from agents.states import State
from agents.x_api import Answer
from pipeline.brands import Brands
from pipeline.clocks import Clock
from pipeline.facts import Kind, Mark
from pipeline.gaps import Checkpoint
from pipeline.heard import Retraction
from pipeline.intake import take
from pipeline.listener_metrics import ListenerMetrics
from pipeline.lookups import MOST_IDS, looked
from pipeline.pages import page
from pipeline.route import utc
from pipeline.sweeps import Route
from pipeline.topics import RETRACTIONS
from pipeline.waits import open_turn

_encode = msgspec.json.Encoder().encode


class Known(NamedTuple):
    """A post that stands in a conversation."""

    id: str
    revision: int
    customer: str
    partition: int


def to_check(states: Iterable[State], *, everything: bool) -> list[Known]:
    """The posts of conversations in which somebody waits, or of all; each once, without those that are gone."""
    found: dict[str, Known] = {}
    for state in states:
        if not everything and open_turn(state.conversation) is None:
            continue
        for fact in state.conversation.facts:
            if fact.kind in (Kind.ASKED, Kind.ANSWERED) and not fact.marks & Mark.GONE and fact.id.isdecimal():
                found.setdefault(fact.id, Known(fact.id, fact.revision, state.key.customer, state.partition))
    return list(found.values())


class Checking:
    """An errand: reads the topic `conversations`, then looks up 100 posts a step.

    Args:
        states: the conversations as they are now.
        call: looks posts up by id.
        outlet: takes retractions and edits.
        brands: the brands.
        metrics: counts what was read.
        clock: tells the time.
        every_s: how long between two rounds.
        everything: conversations in which nobody waits are checked too.
        since: when the last whole round began, whoever did it (seconds since 1970); None: there was none.
        write: notes that in Kafka, so that one who is restarted often checks all the same.
    """

    name = "checking posts"

    def __init__(
        self,
        *,
        states: Callable[[], list[State]],
        call: Callable[[list[str]], Answer],
        outlet: Outlet,
        brands: Brands,
        metrics: ListenerMetrics,
        clock: Clock,
        every_s: float,
        everything: bool,
        since: float | None,
        write: Callable[[str, Checkpoint], None],
    ) -> None:
        self._states = states
        self._call = call
        self._outlet = outlet
        self._brands = brands
        self._metrics = metrics
        self._clock = clock
        self._every_s = every_s
        self._everything = everything
        self._left: list[Known] = []
        self._newer: list[str] = []
        self._write = write
        self._began = clock.now() if since is None else since
        self._due = self._began if since is None else since + every_s

    def due(self) -> float | None:
        """Each so many seconds; within a round at once."""
        return None if self._outlet.spilling else self._due

    def step(self) -> None:
        """Begin a round, or look up the next posts; the round is noted when all are looked up."""
        now = self._clock.now()
        if self._newer:
            self._fetch()
        elif self._left:
            self._check()
        else:
            self._began = now
            self._left = to_check(self._states(), everything=self._everything)
        if self._left or self._newer:
            self._due = now
        else:
            self._write(self.name, Checkpoint(self._began, None, now))
            self._due = self._began + self._every_s

    def _check(self) -> None:
        some = {one.id: one for one in self._left[:MOST_IDS]}
        answer = self._ask(list(some))
        found = looked(answer.body, {one.id: one.revision for one in some.values()})
        del self._left[:MOST_IDS]
        at = utc(round(self._clock.now() * 1000))
        gone = [some[identity] for identity in found.gone]
        self._outlet.deliver([_retraction(one, at) for one in gone])
        self._newer += found.newer

    def _fetch(self) -> None:
        """The newest version of posts that were edited."""
        answer = self._ask(self._newer[:MOST_IDS])
        del self._newer[:MOST_IDS]
        self._outlet.deliver(parcels([take(one, self._brands) for one in page(answer.body).envelopes]))

    def _ask(self, ids: list[str]) -> Answer:
        answer = ask(Route.POSTS.value, lambda: self._call(ids), self._metrics)
        self._metrics.reading.read(Route.POSTS, page(answer.body).ids)
        return answer


def _retraction(known: Known, at: str) -> Parcel:
    """To the partition in which the customer's records are."""
    value = _encode(Retraction(known.id, known.customer, at))
    return Parcel(RETRACTIONS, known.customer.encode(), value, partition=known.partition)
