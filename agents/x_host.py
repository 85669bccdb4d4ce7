"""Where tweepy's requests go: tweepy has X's host written in, keeps no time, and tells little of what came back."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

HOST = "https://api.twitter.com"
"""The host that tweepy asks."""
_CONNECT_WITHIN_S = 10.0
_WINDOWS = ("x-rate-limit", "x-app-limit-24hour", "x-user-limit-24hour")


class Limit(NamedTuple):
    """What X says of how often it may be asked; None where it says nothing that can be read."""

    limit: int | None = None
    remaining: int | None = None
    reset_at: float | None = None
    """Seconds since 1970."""


def limit_of(headers: Mapping[str, str]) -> Limit:
    """The limit of the route; where one of a day is used up, that one, because it ends later."""
    found = [
        Limit(*(_number(headers.get(f"{window}-{what}")) for what in ("limit", "remaining", "reset")))
        for window in _WINDOWS
    ]
    used_up = [limit for limit in found if limit.remaining == 0 and limit.reset_at is not None]
    return max(used_up, key=lambda limit: limit.reset_at or 0.0) if used_up else found[0]


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.strip().isdigit() else None


def no_credentials_of_others(request: Any) -> Any:  # what requests passes to any authentication
    """An authentication that adds nothing: without one, requests takes a password of ~/.netrc in place of our token."""
    return request


class Host(HTTPAdapter):
    """Sends what is meant for X to `base_url`, where there is one; within a time, and without following redirects.

    Connections go to `on_socket` as they are made, so that another thread can end one that waits.
    """

    def __init__(
        self, base_url: str | None, *, silent_s: float, on_socket: Callable[[socket.socket], None] | None = None
    ) -> None:
        super().__init__(max_retries=0)
        self._base_url = base_url.rstrip("/") if base_url else None
        self._timeout = (min(_CONNECT_WITHIN_S, silent_s), silent_s)
        self._on_socket = on_socket

    def send(  # type: ignore[override] # requests passes the rest by name
        self, request: requests.PreparedRequest, *, proxies: dict[str, str] | None = None, **rest: Any
    ) -> requests.Response:
        """Send one request; the answer's redirect is taken away, since our secrets are for this host only."""
        rest["timeout"] = self._timeout
        if self._base_url is not None and (request.url or "").startswith(HOST):
            request.url = self._base_url + (request.url or "")[len(HOST) :]
            proxies = {}  # a proxy that is set for X does not lead to the one that is in its place
        response = super().send(request, proxies=proxies, **rest)
        response.headers.pop("location", None)
        return response

    def get_connection_with_tls_context(self, *arguments: Any, **named: Any) -> HTTPConnectionPool:
        """The pool of the host, whose new connections are told of."""
        pool = super().get_connection_with_tls_context(*arguments, **named)
        if self._on_socket is not None:
            _tell_of_sockets(pool, self._on_socket)
        return pool


def _tell_of_sockets(pool: HTTPConnectionPool, told: Callable[[socket.socket], None]) -> None:
    base: Any = pool.ConnectionCls

    class Told(base):  # type: ignore[misc] # chosen at run time: plain or TLS
        def connect(self) -> None:
            super().connect()
            told(self.sock)

    pool.ConnectionCls = Told


def end(connection: socket.socket) -> None:
    """Wake whoever reads from a socket: for them it is at its end."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def mount(session: requests.Session, host: Host) -> requests.Session:
    """Have a session send everything through the host, with the credentials that its requests carry and no others."""
    session.auth = no_credentials_of_others
    session.mount("https://", host)
    session.mount("http://", host)
    return session
