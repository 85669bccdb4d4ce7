"""The fake X's rate limits: fixed windows of a route and a caller, and what the headers say of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import ceil
from threading import Lock
from typing import NamedTuple

from pipeline.clocks import Clock

STREAM = "GET /2/tweets/search/stream"
RECENT = "GET /2/tweets/search/recent"
LOOKUP = "GET /2/tweets"
CREATE = "POST /2/tweets"
MENTIONS = "GET /2/users/:id/mentions"
TIMELINE = "GET /2/users/:id/tweets"
USER = "GET /2/users/by/username/:username"
GET_RULES = "GET /2/tweets/search/stream/rules"
POST_RULES = "POST /2/tweets/search/stream/rules"
DM_EVENTS = "GET /2/dm_events"
CREATE_DM = "POST /2/dm_conversations/with/:participant_id/messages"
CONNECTIONS = "GET /2/connections"
END_CONNECTIONS = "DELETE /2/connections/all"

QUARTER_S = 900.0
_DAY_S = 86400.0
LIMITS: dict[str, tuple[int, float]] = {
    STREAM: (50, QUARTER_S),
    GET_RULES: (450, QUARTER_S),
    POST_RULES: (100, QUARTER_S),
    RECENT: (450, QUARTER_S),
    MENTIONS: (450, QUARTER_S),
    TIMELINE: (10_000, QUARTER_S),
    LOOKUP: (3500, QUARTER_S),
    USER: (300, QUARTER_S),
    DM_EVENTS: (15, QUARTER_S),
    CREATE: (100, QUARTER_S),
    CREATE_DM: (15, QUARTER_S),
    CONNECTIONS: (25, QUARTER_S),
    END_CONNECTIONS: (25, QUARTER_S),
}
"""Requests in so many seconds, by route."""
USERS: dict[str, tuple[int, float]] = {RECENT: (300, QUARTER_S), MENTIONS: (300, QUARTER_S)}
"""The same for a user, where X lets one ask less than the app."""
DAILY: dict[str, tuple[int, str]] = {CREATE: (10_000, "app"), CREATE_DM: (1440, "user")}
"""Requests in 24 hours; X says them in headers of their own."""


class _Window:
    def __init__(self, limit: int, seconds: float, now: float) -> None:
        self.limit = limit
        self.used = 0
        self.ends = now + seconds

    def headers(self, prefix: str) -> dict[str, str]:
        left = max(0, self.limit - self.used)
        return {
            f"{prefix}-limit": str(self.limit),
            f"{prefix}-remaining": str(left),
            f"{prefix}-reset": str(ceil(self.ends)),
        }


class Allowed(NamedTuple):
    """Whether a request may go on, and the headers that its answer has."""

    allowed: bool
    headers: dict[str, str]


class Limits:
    """Counts requests; a window begins with the first request after the last one's end."""

    def __init__(self, clock: Clock, overrides: Mapping[str, tuple[int, float]] | None = None) -> None:
        self._clock = clock
        self._limits = {**LIMITS, **(overrides or {})}
        self._users = {**self._limits, **USERS, **(overrides or {})}
        self._windows: dict[tuple[str, str], _Window] = {}
        self._lock = Lock()

    def take(self, route: str, caller: str) -> Allowed:
        """Count one request of a caller."""
        limits = self._limits if caller == "app" else self._users
        with self._lock:
            windows = [("x-rate-limit", self._window(route, caller, *limits[route]))]
            if route in DAILY:
                most, whose = DAILY[route]
                who = caller if whose == "user" else "app"
                windows.append((f"x-{whose}-limit-24hour", self._window(route + " daily", who, most, _DAY_S)))
            allowed = all(window.used < window.limit for _, window in windows)
            if allowed:
                for _, window in windows:
                    window.used += 1
            headers = {name: text for prefix, window in windows for name, text in window.headers(prefix).items()}
            return Allowed(allowed, headers)

    def _window(self, route: str, caller: str, limit: int, seconds: float) -> _Window:
        now, key = self._clock.now(), (route, caller)
        window = self._windows.get(key)
        if window is None or window.ends <= now:
            window = self._windows[key] = _Window(limit, seconds, now)
        return window


class Counts:
    """What the fake X was asked, for tests to compare with X's schedules."""

    def __init__(self) -> None:
        self.by_route: Counter[tuple[str, int]] = Counter()
        """Requests by route and status; status 0: no answer was given."""
        self.connects: list[float] = []
        """When connections of the stream were tried, in seconds since 1970 of the server's clock."""
        self.posts_read = 0
        """Posts given to readers, which is what X charges for."""
        self._lock = Lock()

    def answered(self, route: str, status: int) -> None:
        """Count a request."""
        with self._lock:
            self.by_route[route, status] += 1

    def connected(self, at: float) -> None:
        """Count an attempt to connect to the stream."""
        with self._lock:
            self.connects.append(at)

    def read(self, posts: int) -> None:
        """Count posts that somebody was given."""
        with self._lock:
            self.posts_read += posts

    def of(self, route: str) -> int:
        """How many requests a route had, whatever came of them."""
        with self._lock:
            return sum(count for (name, _), count in self.by_route.items() if name == route)

    def most_connects(self, within_s: float = QUARTER_S) -> int:
        """The most attempts to connect in any window of so many seconds."""
        times, most, first = sorted(self.connects), 0, 0
        for last, at in enumerate(times):
            while times[first] <= at - within_s:
                first += 1
            most = max(most, last - first + 1)
        return most
