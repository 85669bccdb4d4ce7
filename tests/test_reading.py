"""What was read from X, and what of it is paid for; reading on, page by page, though X refuses one."""

from __future__ import annotations

import json
from typing import cast

import pytest
from prometheus_client import CollectorRegistry
from x_reader import HandClock

from agents.line import Parcel, Ticket
from agents.outlet import Outlet
from agents.reading import DirectMessages
from agents.x_api import Answer, Limit
from pipeline.errors import XRefused
from pipeline.gaps import Checkpoint
from pipeline.listener_metrics import ListenerMetrics, Reading
from pipeline.settings_listener import Prices
from pipeline.sweeps import Route


def test_a_post_is_paid_for_once_a_day() -> None:
    """By whichever route it is asked for first; the next UTC day it is paid for again."""
    clock = HandClock(at=1_800_057_600.0 - 60)  # a minute before midnight
    reading = Reading(Prices(search=0.005, posts=0.005), clock.now)

    reading.read(Route.SEARCH, ["1", "2"])
    reading.read(Route.SEARCH, ["2", "3"])
    reading.read(Route.POSTS, ["3"])
    before = reading.dollars(Route.SEARCH), reading.dollars(Route.POSTS)
    clock.sleep(60)
    reading.read(Route.POSTS, ["3"])

    assert (0.015, 0.0) == before
    assert 0.005 == reading.dollars(Route.POSTS)
    assert {Route.SEARCH: 4, Route.POSTS: 2} == {route: read for route, read in reading.posts.items() if read}


def test_each_of_the_stream_is_paid_for() -> None:
    """As it comes."""
    reading = Reading(Prices(stream=0.005), HandClock().now)

    for _ in range(4):
        reading.came()

    assert 0.02 == reading.dollars(Route.STREAM)


class TakesAll:
    """An outlet of which Kafka has everything at once."""

    spilling = False

    def __init__(self) -> None:
        self.taken: list[Parcel] = []

    def deliver(self, parcels: list[Parcel]) -> Ticket:
        """Take them."""
        self.taken += parcels
        return Ticket(0)


class Inbox:
    """Private messages of one account, a few a page; `stale` page tokens are refused, as X does after a while."""

    def __init__(self, *messages: tuple[int, str, str]) -> None:
        self.clock = HandClock()
        self.outlet = TakesAll()
        self.registry = CollectorRegistry()
        self.stale: set[str] = set()
        self.asked: list[str | None] = []
        self._events = [
            {"id": str(number), "event_type": "MessageCreate", "text": "hi", "sender_id": sender,
             "dm_conversation_id": talk, "created_at": "2026-11-23T12:00:00.000Z"}
            for number, sender, talk in messages[::-1]
        ]  # fmt: skip
        self.errand = DirectMessages(
            "acme", self._call, lambda: {"900"}, ListenerMetrics(self.registry, Prices(), self.clock.now),
            every_s=65.0, mark="0", first_look_back_s=0.0, outlet=cast("Outlet", self.outlet), clock=self.clock,
            write=self._write,
        )  # fmt: skip

    def look(self) -> None:
        """One look, to its end: pages, what Kafka has, the checkpoint."""
        while (due := self.errand.due()) is not None and due <= self.clock.now():
            self.errand.step()
        self.clock.sleep(65)

    def _call(self, token: str | None) -> Answer:
        self.asked.append(token)
        if token in self.stale:
            raise XRefused(400, "The page token is none of ours")
        at, size = int(token or 0), 2
        meta = {"next_token": str(at + size)} if at + size < len(self._events) else {}
        return Answer(json.dumps({"data": self._events[at : at + size], "meta": meta}).encode(), Limit(15, 14, None))

    def _write(self, name: str, checkpoint: Checkpoint) -> None:
        """Nobody reads it here."""


def test_a_page_token_that_got_stale_begins_the_look_anew() -> None:
    """After a wait for X's limit, say: the same page would be refused for ever, and no message ever read again."""
    inbox = Inbox(*((number, "7", "7-900") for number in range(1, 6)))
    inbox.errand.step()
    inbox.stale.add("2")
    with pytest.raises(XRefused):
        inbox.errand.step()
    inbox.stale.clear()

    inbox.look()

    assert [None, "2", None, "2", "4"] == inbox.asked
    assert [b"7"] * 5 == [parcel.key for parcel in inbox.outlet.taken]


def test_a_message_of_which_no_customer_is_known_counts_once() -> None:
    """Each look reads the newest page again."""
    inbox = Inbox((1, "900", "555"))

    for _ in range(3):
        inbox.look()

    assert 1 == inbox.registry.get_sample_value("triage_lost_total", {"reason": "no_customer"})
    assert not inbox.outlet.taken


def test_a_month_like_this_is_counted_from_the_time_of_reading_alone() -> None:
    """Days of standing by are no days without cost, and who stands by again costs nothing more."""
    clock = HandClock(at=1_800_000_000.0)
    reading = Reading(Prices(stream=0.01), clock.now)
    clock.sleep(20 * 86_400)

    reading.active(True)
    for _ in range(100):
        reading.came()
    clock.sleep(86_400)
    active = reading.a_month(Route.STREAM, clock.now())
    reading.active(False)

    assert (30, 0) == (round(active, 6), reading.a_month(Route.STREAM, clock.now()))


def test_time_of_reading_adds_up() -> None:
    """A listener that has the lease again goes on counting."""
    clock = HandClock(at=1_800_000_000.0)
    reading = Reading(Prices(stream=0.01), clock.now)
    for _ in range(2):
        reading.active(True)
        reading.came()
        clock.sleep(43_200)
        reading.active(False)
        clock.sleep(86_400)
    reading.active(True)

    assert 0.6 == round(reading.a_month(Route.STREAM, clock.now()), 6)
