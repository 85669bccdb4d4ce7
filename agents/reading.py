"""Reads what no stream brings: private messages, and what the brand's own accounts post, typed anywhere."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from agents.ask import ask
from agents.filling import parcels
from agents.line import Parcel, Ticket
from agents.outlet import Outlet
from agents.x_api import Answer
from pipeline.brands import Brands
from pipeline.clocks import Clock
from pipeline.errors import XRefused
from pipeline.gaps import Checkpoint
from pipeline.heard import Message
from pipeline.intake import take
from pipeline.listener_metrics import ListenerMetrics
from pipeline.pages import page
from pipeline.post_times import first_id
from pipeline.private import events
from pipeline.sweeps import Route
from pipeline.topics import MESSAGES

LOOK_AGAIN_S = 0.2
_encode = msgspec.json.Encoder().encode


class Reading:
    """An errand that pages back to what was read last, gives what is new to Kafka, and then moves its checkpoint.

    Args:
        name: its checkpoint is written under it.
        every_s: how long between two looks.
        mark: the newest id of the last look; None: there was none yet.
        first_look_back_s: how far the first look goes.
        outlet: takes what was read.
        clock: tells the time.
        write: writes the checkpoint.
    """

    route: Route

    def __init__(
        self,
        name: str,
        *,
        every_s: float,
        mark: str | None,
        first_look_back_s: float,
        outlet: Outlet,
        clock: Clock,
        write: Callable[[str, Checkpoint], None],
    ) -> None:
        self.name = name
        self._every_s = every_s
        self._outlet = outlet
        self._clock = clock
        self._write = write
        self._since = int(mark) if mark is not None else first_id(clock.now() - first_look_back_s)
        self._due = clock.now()
        self._token: str | None = None
        self._parcels: list[Parcel] = []
        self._newest = self._since
        self._ticket: Ticket | None = None

    def due(self) -> float | None:
        """Each so many seconds; while pages are left, at once."""
        return None if self._outlet.spilling else self._due

    def step(self) -> None:
        """Ask for a page; after the last one give what was found; then see whether Kafka has it."""
        if self._ticket is not None:
            self._wait_for(self._ticket)
            return
        began = self._clock.now()
        try:
            found, ids, self._token = self.ask(self._token)
        except XRefused:  # it may be the token, which gets stale: the next step begins at the newest page
            self._token, self._parcels = None, []
            raise
        self._newest = max([self._newest, *ids])
        self._parcels += found
        if self._token is None or any(one <= self._since for one in ids):
            self._token = None
            self._ticket = self._outlet.deliver(self._parcels[::-1])  # oldest first
            self._due = self._clock.now()
        else:
            self._due = began

    def ask(self, token: str | None) -> tuple[list[Parcel], list[int], str | None]:
        """What of a page is new, newest first; the ids on it; and how to go on."""
        raise NotImplementedError

    @property
    def since(self) -> int:
        """Only later ids are new."""
        return self._since

    def _wait_for(self, ticket: Ticket) -> None:
        now = self._clock.now()
        if not ticket.done.is_set():
            self._due = now + LOOK_AGAIN_S
            return
        moved = self._newest > self._since
        self._since, self._parcels, self._ticket = self._newest, [], None
        self._due = now + self._every_s
        if moved:
            self._write(self.name, Checkpoint(now, str(self._since), now))


class DirectMessages(Reading):
    """A brand's private messages, to the topic `messages`."""

    route = Route.DM

    def __init__(
        self,
        brand: str,
        call: Callable[[str | None], Answer],
        own: Callable[[], Collection[str]],
        metrics: ListenerMetrics,
        **rest: object,
    ) -> None:
        super().__init__(f"dm/{brand}", **rest)  # type: ignore[arg-type]
        self._brand = brand
        self._call = call
        self._own = own
        self._metrics = metrics
        self._talks: dict[str, str] = {}

    def ask(self, token: str | None) -> tuple[list[Parcel], list[int], str | None]:
        """A page of events."""
        own = self._own()
        answer = ask(Route.DM.value, lambda: self._call(token), self._metrics)
        found = events(answer.body, self._brand, own, self._talks)
        self._metrics.reading.read(Route.DM, found.ids)
        if unplaced := [one for one in found.unplaced if int(one) > self.since]:
            self._metrics.lost.labels("no_customer").inc(len(unplaced))
        new = [_message(one) for one in found.messages if int(one.id) > self.since]
        return new, [int(one) for one in found.ids], found.next_token


class OwnTimeline(Reading):
    """What one of the brand's accounts posted, to the topic `tweets`."""

    route = Route.TIMELINE

    def __init__(
        self,
        account: str,
        brand: str,
        call: Callable[[str, str | None], Answer],
        brands: Brands,
        metrics: ListenerMetrics,
        **rest: object,
    ) -> None:
        super().__init__(f"timeline/{account}", **rest)  # type: ignore[arg-type]
        self._tag = f"{brand}:own"
        self._call = call
        self._brands = brands
        self._metrics = metrics

    def ask(self, token: str | None) -> tuple[list[Parcel], list[int], str | None]:
        """A page of posts."""
        answer = ask(Route.TIMELINE.value, lambda: self._call(str(self.since), token), self._metrics)
        found = page(answer.body, [self._tag])
        self._metrics.reading.read(Route.TIMELINE, found.ids)
        taken = [take(envelope, self._brands) for envelope in found.envelopes]
        ids = [_id(envelope) for envelope in found.envelopes]
        return parcels(taken), ids, found.next_token


class _Data(msgspec.Struct):
    id: str


class _Envelope(msgspec.Struct):
    data: _Data


_envelope = msgspec.json.Decoder(_Envelope).decode


def _id(envelope: bytes) -> int:
    return int(_envelope(envelope).data.id)


def _message(message: Message) -> Parcel:
    return Parcel(MESSAGES, message.customer_id.encode(), _encode(message))
