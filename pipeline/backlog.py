"""Backlogs: more wait in a queue of a brand than there should, or one waits too long; over all workers together.

Each worker tells how many wait in its partitions; one of them, who has partition 0, adds up and says what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from pipeline.facts import QUEUES
from pipeline.posts import Queue
from pipeline.responses import BacklogState, Response
from pipeline.route import utc
from pipeline.routed import SCHEMA_VERSION, uuid5
from pipeline.waits import Waits

Place = tuple[str, str]
"""Brand and queue."""
CALM_MS = 60_000
"""A backlog has ended when it has not been there for so long: around its limit it would come and go."""
_ALARM, _PARTITION = "alarm:", "partition:"


class Waiting(NamedTuple):
    """Who waits in one queue of a brand: how many, how many of them too long, and since when (ms) the oldest does."""

    number: int
    late: int
    oldest: int | None


Counts = dict[Place, Waiting]
NOBODY = Waiting(0, 0, None)


class Alarm(msgspec.Struct, frozen=True):
    """A backlog that was there when it was last looked at, or less than a minute ago."""

    since: int
    """ms, by the wall's clock."""
    told: bool = False
    """Whether its event is known to stand in `responses`."""
    calm_since: int | None = None


def counts(books: Waits) -> Counts:
    """Who waits in one partition."""
    return {
        (brand, QUEUES[queue].value): Waiting(waiting, books.late.get((brand, queue), 0), books.oldest(brand, queue))
        for (brand, queue), waiting in books.waiting.items()
        if waiting
    }


def total(parts: Iterable[Counts], brand_of: Callable[[str], str] = str) -> Counts:
    """Several partitions together; `brand_of` may count brands as one."""
    found: Counts = {}
    for part in parts:
        for (brand, queue), more in part.items():
            before = found.get((brand_of(brand), queue), NOBODY)
            times = [time for time in (before.oldest, more.oldest) if time is not None]
            found[brand_of(brand), queue] = Waiting(
                before.number + more.number, before.late + more.late, min(times, default=None)
            )
    return found


class Record(NamedTuple):
    """A record of the topic `waiting`."""

    key: bytes
    value: bytes | None


def record(partition: int, told: Counts) -> Record:
    """What a worker tells of one of its partitions."""
    rows = [(*place, *waiting) for place, waiting in sorted(told.items())]
    return Record(f"{_PARTITION}{partition}".encode(), msgspec.json.encode(rows))


class Board:
    """What the topic `waiting` says, and what it means; one worker keeps it.

    Args:
        limit: more than so many waiting in a queue of a brand are a backlog.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: dict[str, Counts] = {}
        self.alarms: dict[Place, Alarm] = {}

    def read(self, key: bytes, value: bytes | None) -> None:
        """Take a record, as they come."""
        name = key.decode()
        if name.startswith(_ALARM):
            brand, _, queue = name.removeprefix(_ALARM).rpartition("/")
            if value is None:
                self.alarms.pop((brand, queue), None)
            else:
                self.alarms[brand, queue] = msgspec.json.decode(value, type=Alarm)
        elif value is not None:
            rows = msgspec.json.decode(value, type=list[tuple[str, str, int, int, int | None]])
            self._parts[name] = {(row[0], row[1]): Waiting(*row[2:]) for row in rows}

    def totals(self) -> Counts:
        """Who waits, over all partitions."""
        return total(self._parts.values())

    def look(self, now: int) -> tuple[list[Record], list[Response]]:
        """What changed: alarms to be kept first, and what there is to tell after that; `now` in ms."""
        totals = self.totals()
        records: list[Record] = []
        told: list[Response] = []
        for place in sorted({*totals, *self.alarms}):
            before, waiting = self.alarms.get(place), totals.get(place, NOBODY)
            after = self._after(before, waiting, now)
            if after is None and before is not None:
                told.append(_response("backlog_ended", place, waiting, before.calm_since or now, before.since))
            elif after is not None and not after.told:
                told.append(_response("backlog_began", place, waiting, after.since, after.since))
            if after != before:
                records.append(_kept(place, after))
        return records, told

    def told(self) -> list[Record]:
        """The alarms whose event is acknowledged now."""
        return [
            _kept(place, msgspec.structs.replace(alarm, told=True))
            for place, alarm in self.alarms.items()
            if not alarm.told
        ]

    def _after(self, before: Alarm | None, waiting: Waiting, now: int) -> Alarm | None:
        if is_backlog(waiting, self._limit):
            return Alarm(now) if before is None else msgspec.structs.replace(before, calm_since=None)
        if before is None:
            return None
        calm_since = before.calm_since if before.calm_since is not None else now
        return None if now - calm_since >= CALM_MS else msgspec.structs.replace(before, calm_since=calm_since)


def is_backlog(waiting: Waiting, limit: int) -> bool:
    """Whether too many wait, or one too long."""
    return waiting.number > limit or waiting.late > 0


def alarmed(totals: Counts, limit: int, brand_of: Callable[[str], str] = str) -> dict[Place, bool]:
    """Where there is a backlog; of brands that `brand_of` counts as one, if any of them has one."""
    found: dict[Place, bool] = {}
    for (brand, queue), waiting in totals.items():
        place = (brand_of(brand), queue)
        found[place] = found.get(place, False) or is_backlog(waiting, limit)
    return found


def _kept(place: Place, alarm: Alarm | None) -> Record:
    key = f"{_ALARM}{place[0]}/{place[1]}".encode()
    return Record(key, None if alarm is None else msgspec.json.encode(alarm))


def _response(kind: str, place: Place, waiting: Waiting, at: int, since: int) -> Response:
    brand, queue = place
    event = uuid5(f"{kind}:{brand}:{queue}:{since}")
    oldest = None if waiting.oldest is None else utc(waiting.oldest)
    state = BacklogState(Queue(queue), waiting.number, waiting.late, oldest)
    return Response(SCHEMA_VERSION, event, kind, utc(at), brand, "", "", 0, backlog=state)  # type: ignore[arg-type]
