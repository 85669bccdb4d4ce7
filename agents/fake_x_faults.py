"""What can be made to go wrong at the fake X: at once with the open streams, or with the next requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from random import Random
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from agents.fake_x_limits import CREATE, LIMITS, STREAM

if TYPE_CHECKING:
    from agents.fake_x_stream import StreamConnection
    from agents.fake_x_world import World

TOO_MANY = {
    "title": "ConnectionException",
    "detail": "This stream is currently at the maximum allowed connection limit.",
    "connection_issue": "TooManyConnections",
    "type": "https://api.twitter.com/2/problems/streaming-connection",
}
OPERATIONAL = {
    "errors": [
        {
            "title": "operational-disconnect",
            "disconnect_type": "UpstreamOperationalDisconnect",
            "detail": "This stream has been disconnected upstream for operational reasons.",
            "type": "https://api.twitter.com/2/problems/operational-disconnect",
        }
    ]
}
FOREVER = float("inf")


class Mishap(NamedTuple):
    """What happens to one of the next requests in place of its answer."""

    status: int
    """0: no answer is given."""
    body: object = None
    reset: bool = True
    """Whether the headers say when it may be asked again."""
    done: bool = False
    """Whether what was asked is done all the same."""
    hang: bool = False
    """No answer is given, and the connection stays open."""
    instead: bool = True
    """False: the answer is 200 and then this body."""
    counted: bool = True
    """Whether X counts it as a request: not where it did not even come in."""


class Faults:
    """Faults by script; those of streams return how many open connections they hit."""

    def __init__(self, world: World, random: Random) -> None:
        self.random = random
        self._world = world
        self._next: list[tuple[str | None, Mishap]] = []
        self._lock = Lock()
        self._open: list[StreamConnection] = []
        self.twice = 0
        """So many of the next posts are sent twice."""
        self.shuffled = 0
        """So many of the next posts are sent in another order."""

    def opened(self, connection: StreamConnection, most: int) -> bool:
        """Take a stream in, unless there are too many; whether it was."""
        with self._lock:
            self._open = [one for one in self._open if one.stuck or not one.client_gone()]
            if len(self._open) >= most:
                return False
            self._open.append(connection)
            return True

    def closed(self, connection: StreamConnection) -> None:
        """A stream has ended, or X thinks so."""
        with self._lock:
            if connection in self._open and not connection.stuck:
                self._open.remove(connection)

    @property
    def streams(self) -> list[StreamConnection]:
        """The streams that are open."""
        with self._lock:
            return list(self._open)

    def drop(self, *, mid_line: bool = False) -> int:
        """Reset the streams' connections, where wanted in the middle of a line."""
        return self._each(lambda stream: stream.drop(mid_line=mid_line))

    def close_clean(self) -> int:
        """Close the streams in good order."""
        return self._each(lambda stream: stream.finish())

    def stall(self, seconds: float = FOREVER, *, keep_alives: bool = False) -> int:
        """Send nothing for so many seconds; with `keep_alives` only those, and what is published meanwhile is lost."""
        return self._each(lambda stream: stream.stall(seconds, keep_alives=keep_alives))

    def half_open(self, *, stuck: bool = False) -> int:
        """The streams are over for X, but nobody tells the client: no byte comes any more.

        Where stuck, X goes on counting them as open, until somebody asks for DELETE /2/connections/all.
        """
        return self._each(lambda stream: stream.abandon(stuck=stuck))

    def end_all(self) -> int:
        """End all streams at once, stuck ones too."""
        streams = self.streams
        for stream in streams:
            stream.stuck = False
            stream.cut()
            self.closed(stream)
        return len(streams)

    def malformed_line(self, line: bytes | str = b'{"data":{"id":"1","te') -> int:
        """Send a line that is no JSON."""
        raw = line.encode() if isinstance(line, str) else line
        return self._each(lambda stream: stream.say(raw))

    def operational_disconnect(self) -> int:
        """Say an error inside the streams, as X does, and close them in good order."""
        return self._each(lambda stream: stream.finish(json.dumps(OPERATIONAL).encode()))

    def slow_client_cut(self) -> int:
        """Cut the streams as X does when its buffer for a client is full: at once, and what is in it is lost."""
        return self._each(lambda stream: stream.cut())

    def duplicate(self, posts: int) -> None:
        """Send so many of the next posts twice."""
        self.twice += posts

    def shuffle(self, posts: int) -> None:
        """Send so many of the next posts in another order."""
        self.shuffled += posts

    def limit(self, *, with_reset: bool = True, to: str | None = None, times: int = 1) -> None:
        """Answer the next requests with 429; `to` is a route, such as "GET /2/tweets/search/recent"; else any."""
        body = {"title": "Too Many Requests", "detail": "Too Many Requests", "type": "about:blank", "status": 429}
        self._add(to, times, Mishap(429, body, reset=with_reset))

    def unavailable(self, *, to: str | None = None, times: int = 1, done: bool = False) -> None:
        """Answer the next requests with 503; where `done`, what was asked is done all the same."""
        body = {"title": "Service Unavailable", "detail": "Service Unavailable", "type": "about:blank", "status": 503}
        self._add(to, times, Mishap(503, body, done=done))

    def refuse(self, status: int, *, to: str | None = None, times: int = 1, detail: str = "") -> None:
        """Answer the next requests with 400, 401, 403 or another status.

        Raises:
            ValueError: it is no status of a refusal.
        """
        if HTTPStatus(status) < HTTPStatus.BAD_REQUEST:
            raise ValueError(f"{status} refuses nothing")
        title = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}.get(status, "Invalid Request")
        body = {"title": title, "detail": detail or title, "type": "about:blank", "status": status}
        self._add(to, times, Mishap(status, body))

    def too_many_connections(self, times: int = 1) -> None:
        """Answer the next attempts to connect to the stream with 429, as where a connection is stuck."""
        self._add(STREAM, times, Mishap(429, TOO_MANY, reset=False))

    def operational_at_connect(self, times: int = 1) -> None:
        """Accept the next streams with 200, say an error and close at once."""
        self._add(STREAM, times, Mishap(200, OPERATIONAL, instead=False))

    def lose_answer(self, to: str | None = CREATE, *, times: int = 1, done: bool = True, counted: bool = True) -> None:
        """Do what the next requests ask and break the connection without an answer; not `done`: break it before.

        Where not `counted`, it breaks before X takes the request in: nothing is done, and no limit is used.
        """
        self._add(to, times, Mishap(0, done=done and counted, counted=counted))

    def no_answer(self, to: str | None = None, *, times: int = 1, done: bool = False) -> None:
        """Never answer the next requests, and keep their connections open."""
        self._add(to, times, Mishap(0, done=done, hang=True))

    def hide_new_posts(self, seconds: float) -> None:
        """From now on what POST /2/tweets makes is found only after so many seconds, and not streamed; 0 ends it."""
        self._world.hide_new_s = float(seconds)

    def clear(self) -> None:
        """Forget what was to go wrong and has not yet."""
        with self._lock:
            self._next.clear()
        self.twice = self.shuffled = 0
        self._world.hide_new_s = 0.0

    def next_for(self, route: str) -> Mishap | None:
        """What goes wrong with a request, which is then used up."""
        with self._lock:
            for place, (to, mishap) in enumerate(self._next):
                if to is None or to == route:
                    del self._next[place]
                    return mishap
        return None

    def _add(self, to: str | None, times: int, mishap: Mishap) -> None:
        if to is not None and to not in LIMITS:
            raise ValueError(f"{to} is none of {', '.join(sorted(LIMITS))}")
        with self._lock:
            self._next.extend([(to, mishap)] * times)

    def _each(self, act: Callable[[StreamConnection], None]) -> int:
        streams = self.streams
        for stream in streams:
            act(stream)
        return len(streams)
