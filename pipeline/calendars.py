"""Business hours: how much of a span of time is open, and when so much open time will have passed.

An instant is open when the wall clock of the calendar's zone shows a time inside a span of that weekday, and the date
is no holiday. So an hour that the end of summer time repeats counts twice, and one that its beginning skips not at all.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

DAY = 86_400
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FARTHEST_DAYS = 3660
"""So far ahead open time is looked for: a calendar whose holidays leave none for ten years has none."""

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_LEAP_YEAR = "2000-"

Span = tuple[int, int]
"""Seconds of a day, or milliseconds since 1970: from, up to and not with."""


class Calendar:
    """One zone's week of opening hours.

    Args:
        zone: an IANA name, such as Europe/Madrid.
        week: seven sequences of (from, to) in seconds of the day, Monday first, each in order and without overlap.
        holidays: dates (2026-12-25), and days of every year (12-25).
    """

    def __init__(self, zone: str, week: Sequence[Sequence[Span]], holidays: Sequence[str] = ()) -> None:
        self._zone = ZoneInfo(zone)
        self._week = tuple(tuple(spans) for spans in week)
        self._holidays = frozenset(holidays)
        self._days: dict[int, tuple[Span, ...]] = {}

    def open_ms(self, start: int, end: int) -> int:
        """Open milliseconds from `start` up to `end` (ms since 1970); 0 where the end is not after the start."""
        return sum(max(0, min(end, closes) - max(start, opens)) for opens, closes in self._spans(start, end))

    def after(self, start: int, open_ms: int) -> int | None:
        """The instant (ms since 1970) at which so much open time has passed since `start`; None: never.

        With nothing left to pass it is `start` itself.
        """
        left = open_ms
        if left <= 0:
            return start
        for opens, closes in self._spans(start, start + FARTHEST_DAYS * DAY * 1000):
            opens = max(opens, start)  # noqa: PLW2901 - what lies before the start does not count
            if closes - opens >= left:
                return opens + left
            left -= max(0, closes - opens)
        return None

    def _spans(self, start: int, end: int) -> Iterator[Span]:
        """The open spans of all days (in UTC) that the stretch touches."""
        for day in range(start // (DAY * 1000), -(-end // (DAY * 1000))):
            spans = self._days.get(day)
            if spans is None:
                spans = self._days[day] = tuple(self._open_on(day))
            yield from spans

    def _open_on(self, day: int) -> Iterator[Span]:
        """The open spans of one day in UTC: cut where the zone's offset changes, for in between wall time is linear."""
        for begin, end, offset in self._constant(day * DAY, (day + 1) * DAY):
            for local in range((begin + offset) // DAY, -(-(end + offset) // DAY)):
                for opens, closes in self._hours(local):
                    low = max(begin, local * DAY + opens - offset)
                    high = min(end, local * DAY + closes - offset)
                    if low < high:
                        yield low * 1000, high * 1000

    def _hours(self, local_day: int) -> tuple[Span, ...]:
        on = date(1970, 1, 1) + timedelta(days=local_day)
        closed = on.isoformat() in self._holidays or on.isoformat()[5:] in self._holidays
        return () if closed else self._week[on.weekday()]

    def _constant(self, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
        """The stretches of constant offset between two instants (s), looked for hour by hour."""
        since, offset = begin, self._offset(begin)
        for at in range(begin + 3600, end + 1, 3600):
            if self._offset(at - 1) != offset:
                change = self._first_change(at - 3600, at, offset)
                yield since, at - 3600 + change, offset
                since, offset = at - 3600 + change, self._offset(at - 1)
        yield since, end, offset

    def _first_change(self, begin: int, end: int, offset: int) -> int:
        """After how many seconds the offset is another one."""
        return bisect_right(range(begin, end), x=False, key=lambda at: self._offset(at) != offset)

    def _offset(self, at: int) -> int:
        offset = datetime.fromtimestamp(at, UTC).astimezone(self._zone).utcoffset()
        assert offset is not None
        return int(offset.total_seconds())


def read_week(week: Mapping[str, Sequence[str]]) -> list[list[Span]]:
    """Opening hours as settings write them, {"mon": ["09:00-12:30", "13:30-18:00"]}, in seconds of seven days.

    A span whose end is not after its start goes on past midnight ("22:00-06:00"); what then lies after it belongs to
    the next weekday. 24:00 is the end of a day; 00:00-24:00 is all of it.

    Raises:
        ValueError: a name that is no weekday, a time that cannot be read, or hours that overlap.
    """
    found: list[list[Span]] = [[] for _ in WEEKDAYS]
    for name, spans in week.items():
        if name not in WEEKDAYS:
            raise ValueError(f"{name!r} is no weekday: use {', '.join(WEEKDAYS)}")
        today = WEEKDAYS.index(name)
        for span in spans:
            opens, closes = _read_span(span)
            if opens < closes:
                found[today].append((opens, closes))
            else:
                found[today].append((opens, DAY))
                found[(today + 1) % 7].append((0, closes))
    for name, hours in zip(WEEKDAYS, found, strict=True):
        hours[:] = sorted(hour for hour in hours if hour[0] < hour[1])
        if any(one[1] > other[0] for one, other in pairwise(hours)):
            raise ValueError(f"the hours of {name} overlap")
    return found


def _read_span(span: str) -> Span:
    opens, _, closes = span.replace(" ", "").partition("-")
    try:
        found = _read_time(opens), DAY if closes == "24:00" else _read_time(closes)
    except ValueError as error:
        raise ValueError(f"{span!r} is no span of hours: write 09:00-17:30, on the clock of the zone") from error
    if found[0] == found[1]:
        raise ValueError(f"{span!r} ends when it begins: write 00:00-24:00 for a whole day, or leave it out")
    return found


def _read_time(text: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    hour, minute, second = (int(part or 0) for part in found.groups())
    return hour * 3600 + minute * 60 + second


def read_holidays(holidays: Sequence[str]) -> Sequence[str]:
    """The same, each a day that there is: 2026-12-25, or 12-25 for every year.

    Raises:
        ValueError: one that there is not, and so would never apply.
    """
    for day in holidays:
        try:
            date.fromisoformat(day if len(day) > len("12-25") else _LEAP_YEAR + day)
        except ValueError as error:
            raise ValueError(f"holidays: {day!r} is no day: write 2026-12-25, or 12-25 for every year") from error
    return holidays
