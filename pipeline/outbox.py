"""The answers that are on their way: each lane in its order, what may go out now, which offsets may be committed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pipeline.kept import Key
from pipeline.posting import Do, Entry, Posting, Step
from pipeline.replies import Reply


class Place(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


class Item:
    """One answer, and all records that hold it.

    Args:
        posting: how far it is.
        place: of its record.
        value: of its record.
        trace: the header of its record, as it came.
    """

    def __init__(self, posting: Posting, place: Place, value: bytes, trace: bytes | None = None) -> None:
        self.posting = posting
        self.places = [place]
        self.value = value
        self.trace = trace
        self.told_again = posting.step(0).do is Do.TELL
        """Whether it was done before, and its record came once more."""

    @property
    def reply(self) -> Reply:
        """The answer."""
        return self.posting.reply

    @property
    def whose(self) -> Key:
        """The conversation in which it is: answers of one go out in their order."""
        return self.posting.whose


class Route(NamedTuple):
    """X counts requests by account and by what is asked."""

    brand: str
    what: str


def call_route(reply: Reply | Entry) -> Route:
    """Of the call that posts it."""
    return Route(reply.brand, "dm" if reply.kind == "dm" else "post")


def look_route(reply: Reply | Entry) -> Route:
    """Of the look for it."""
    return Route(reply.brand, "dm_events" if reply.kind == "dm" else "timeline")


def limits(entries: Iterable[Entry]) -> dict[Route, int]:
    """By route, until when X takes nothing, as replies.log says: it holds for whoever posts next, too."""
    found: dict[Route, int] = {}
    for entry in entries:
        for route, until in ((call_route(entry), entry.blocked()), (look_route(entry), entry.no_look_before)):
            if until:
                found[route] = max(until, found.get(route, 0))
    return found


class Due(NamedTuple):
    """What can be done now; without an item: nothing before `until` (ms; None: nothing at all)."""

    item: Item | None
    step: Step
    until: int | None = None


class Outbox:
    """The answers under way. Times are ms since 1970."""

    def __init__(self) -> None:
        self._lanes: dict[Key, deque[Item]] = {}
        self._items: dict[str, Item] = {}
        self._blocked: dict[Route, int] = {}
        self._open: dict[tuple[str, int], set[int]] = {}
        self._next: dict[tuple[str, int], int] = {}

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> Iterator[Item]:
        """All that are under way."""
        return iter(self._items.values())

    def read(self, place: Place) -> None:
        """A record is read: its offset holds until it is closed."""
        where = (place.topic, place.partition)
        self._open.setdefault(where, set()).add(place.offset)
        self._next[where] = max(self._next.get(where, 0), place.offset + 1)

    def close(self, place: Place) -> None:
        """All that is to be done about a record is done."""
        self._open[place.topic, place.partition].discard(place.offset)

    def find(self, identity: str) -> Item | None:
        """The answer of an id, if it is under way."""
        return self._items.get(identity)

    def answering(self, reply: Reply) -> Key | None:
        """The lane of another answer to the same post: it may not show yet what that one comes to."""
        same = (item for item in self._items.values() if item.reply.kind == reply.kind == "reply")
        wanted = reply.brand, reply.parent
        return next((item.whose for item in same if (item.reply.brand, item.reply.parent) == wanted), None)

    def add(self, item: Item) -> None:
        """Take an answer, behind those of its lane."""
        self._items[item.reply.id] = item
        self._lanes.setdefault(item.whose, deque()).append(item)

    def done(self, item: Item) -> None:
        """It is posted, or never will be, and that is told."""
        lane = self._lanes[item.whose]
        lane.remove(item)
        if not lane:
            del self._lanes[item.whose]
        del self._items[item.reply.id]
        for place in item.places:
            self.close(place)

    def block(self, route: Route, until: int) -> None:
        """X takes nothing on this route before then."""
        self._blocked[route] = max(until, self._blocked.get(route, 0))

    def due(self, now: int, answered: Callable[[Item], str | None]) -> Due:
        """The first answer of any lane with which something can be done, and what."""
        first: int | None = None
        for lane in self._lanes.values():
            item = lane[0]
            step = item.posting.step(now, lambda item=item: answered(item))  # type: ignore[misc]
            until = step.until if step.do is Do.WAIT else self._until(item, step)
            if until <= now:
                return Due(item, step)
            first = until if first is None else min(first, until)
        return Due(None, Step(Do.WAIT), first)

    def offsets(self) -> dict[tuple[str, int], int]:
        """By topic and partition, up to where all is done."""
        return {where: min(self._open.get(where) or {after}) for where, after in self._next.items()}

    def _until(self, item: Item, step: Step) -> int:
        """When X takes what the step asks of it: what may go out is written down only then, and called at once."""
        look, call = (self._blocked.get(route(item.reply), 0) for route in (look_route, call_route))
        if step.do is Do.LOOK:
            return max(look, call) if item.posting.goes_out_next else look  # a look right before it is sent again
        return call if step.do is Do.LOG and item.posting.begins(step.entry) else 0
