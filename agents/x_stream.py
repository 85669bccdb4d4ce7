"""One connection of the filtered stream: tweepy's reader with all of its waiting and trying again off."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from http.client import HTTPException
from typing import Any, NamedTuple

import requests
import tweepy
import urllib3

from agents.x_fields import POSTS
from agents.x_host import Host, Limit, end, limit_of, mount
from agents.x_secrets import redact

_CHUNK = 64 * 1024  # an upper bound: a chunk of X's is read as soon as it is there
_DETAIL = 500
_OF_THE_NETWORK = (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError)


class How(StrEnum):
    """How a connection ended: a closed list, also a metric label."""

    CLOSED = "closed"
    """X closed it in good order."""
    TIMEOUT = "timeout"
    """No byte for too long."""
    NETWORK = "network"
    """It broke, or could not be made."""
    STATUS = "status"
    """X answered with another status than 200."""
    OPERATIONAL = "operational"
    """X said an error inside the stream."""
    ASKED = "asked"
    """We closed it."""


class Ended(NamedTuple):
    """How one connection ended."""

    how: How
    status: int | None
    """Of HTTP; None where no answer came."""
    limit: Limit
    detail: str
    """For people; never holds a secret."""


class Connection(tweepy.StreamingClient):  # type: ignore[misc] # tweepy has no types
    """Tweepy's client that connects once and never sleeps: each of its callbacks ends its loop."""

    def __init__(self, bearer: str, host: Host, heard: Callable[[bytes], None], alive: Callable[[], None]) -> None:
        super().__init__(bearer, chunk_size=_CHUNK, max_retries=0)
        self.ended: Ended | None = None
        self.bug: BaseException | None = None
        self.opened: Callable[[], None] = lambda: None
        self._heard = heard
        self._alive = alive
        self.handing = False
        """Our own code runs: what is raised is ours."""
        self._response: requests.Response | None = None
        mount(self.session, host)
        self.session.hooks["response"].append(self._answered)

    def _answered(self, response: requests.Response, **_: object) -> None:
        self._response = response

    def end(self, how: How, detail: str = "") -> None:
        """Note how it ended, the first time, and have tweepy's loop stop."""
        self.running = False
        if self.ended is None:
            response = self._response
            status, limit = (None, Limit()) if response is None else (response.status_code, limit_of(response.headers))
            self.ended = Ended(how, status, limit, redact(detail[:_DETAIL]))

    def on_connect(self) -> None:
        """X has answered with 200."""
        self._guarded(self.opened)

    def on_keep_alive(self) -> None:
        """An empty line."""
        self._guarded(self._alive)

    def on_data(self, raw_data: bytes) -> None:
        """A line, as it came: nothing is parsed here but what is no post."""
        if b'"data"' not in raw_data and (problem := _problem(raw_data)):
            self.end(How.OPERATIONAL, problem)
            return
        self.handing = True
        self._heard(raw_data)
        self.handing = False

    def _guarded(self, tell: Callable[[], None]) -> None:
        self.handing = True
        tell()
        self.handing = False

    def on_closed(self, response: requests.Response) -> None:
        """X has closed in good order; tweepy would connect again at once, for ever."""
        del response
        self.end(How.CLOSED, "X closed the stream")

    def on_request_error(self, status_code: int) -> None:
        """Another status; tweepy would sleep and connect again, even where X will never let us in."""
        self.end(How.STATUS, f"{status_code} {self._body()}".strip())

    def on_connection_error(self) -> None:
        """The network failed; tweepy calls this from its handler and does not say why."""
        self._failed(sys.exc_info()[1])

    def on_exception(self, exception: BaseException) -> None:
        """Whatever else was raised; tweepy would log it and end without a word."""
        self._failed(exception)

    def on_disconnect(self) -> None:
        """The end; why is known by then."""

    def _failed(self, error: BaseException | None) -> None:
        if self.handing or not isinstance(error, _OF_THE_NETWORK):
            self.bug = error
        elif _is_timeout(error):
            self.end(How.TIMEOUT, "no byte came for too long")
        else:
            self.end(How.NETWORK, why(error))
        self.running = False

    def _body(self) -> str:
        if self._response is None:
            return ""
        with suppress(*_OF_THE_NETWORK):  # the status is what counts
            return reason(self._response.content)
        return ""


def _problem(line: bytes) -> str:
    """What an error body inside the stream says; nothing where the line is something else."""
    try:
        said: Any = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(said, dict) or not ("errors" in said or ("title" in said and "detail" in said)):
        return ""
    return reason(line)


def reason(body: bytes) -> str:
    """What X says is wrong, in one line."""
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return body[:_DETAIL].decode("utf-8", "replace")
    errors = said.get("errors") if isinstance(said, dict) else None
    parts = [said, *(errors if isinstance(errors, list) else [])]
    texts = [
        str(part[key])
        for part in parts
        if isinstance(part, dict)
        for key in ("title", "detail", "message", "disconnect_type", "connection_issue")
        if part.get(key)
    ]
    return "; ".join(dict.fromkeys(texts))[:_DETAIL]


def why(error: BaseException) -> str:
    """What the network's error says at its heart: those around it hold the whole address, with the search."""
    inner = error.args[0] if error.args else error
    heart = getattr(inner, "reason", inner)
    if not isinstance(heart, BaseException):
        heart = error
    return f"{type(heart).__name__}: {heart}"


def _is_timeout(error: BaseException) -> bool:
    """Whether no byte came in time; a connection that could not be made in time is a fault of the network."""
    if isinstance(error, requests.ConnectTimeout):
        return False
    inner = error.args[0] if error.args else None
    return isinstance(error, requests.ReadTimeout | TimeoutError) or isinstance(
        inner, urllib3.exceptions.ReadTimeoutError
    )


class Stream:
    """One connection of the filtered stream; a second one is another Stream."""

    def __init__(self, bearer: str, *, base_url: str | None = None, stall_after_s: float = 21.0) -> None:
        self._bearer = bearer
        self._host = Host(base_url, silent_s=stall_after_s, on_socket=self._connected)
        self._asked = False
        self._socket: socket.socket | None = None

    def run(self, on_line: Callable[[bytes], None], on_alive: Callable[[], None], on_open: Callable[[], None]) -> Ended:
        """Connect, hand over lines and keep-alives until the connection ends, and say how it did.

        Never raises for what the network or X does; what `on_line`, `on_alive` and `on_open` raise is raised here.
        """
        if self._asked:
            return _ASKED
        connection = Connection(self._bearer, self._host, on_line, on_alive)
        connection.opened = on_open
        connection.filter(**POSTS)
        if connection.bug is not None and (connection.handing or not self._asked):
            raise connection.bug
        ended = connection.ended or Ended(How.NETWORK, None, Limit(), "the stream ended without a word")
        return _ASKED._replace(status=ended.status, limit=ended.limit) if self._asked else ended

    def close(self) -> None:
        """End the connection, from any thread, also while it waits; `run` then returns ASKED."""
        self._asked = True
        if self._socket is not None:
            end(self._socket)

    def _connected(self, connection: socket.socket) -> None:
        self._socket = connection
        if self._asked:
            end(connection)


_ASKED = Ended(How.ASKED, None, Limit(), "closed by us")
