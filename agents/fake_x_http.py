"""The fake X's HTTP: who asks, whether they may, what goes wrong, and the answer."""

from __future__ import annotations

import re
import socket
import sys
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from agents.fake_x_asked import Asked, Refused, Said, Site, invalid, is_number, parsed
from agents.fake_x_control import PREFIX, control
from agents.fake_x_faults import TOO_MANY, Mishap
from agents.fake_x_limits import Allowed, Counts, Limits
from agents.fake_x_posts import Shape, User
from agents.fake_x_routes import Route, find
from agents.fake_x_stream import StreamConnection, reset

_END_WITHIN_S = 5.0
_OAUTH_TOKEN = re.compile(r'oauth_token="([^"]*)"')
_NO_RULES = {
    "title": "ConnectionException",
    "detail": "You must define rules before connecting.",
    "connection_issue": "RuleConfigurationIssue",
}


class Inside(NamedTuple):
    """What the server consists of."""

    site: Site
    counts: Counts
    limits: Limits
    keep_alive_s: float
    stream_buffer: int
    most_streams: int


class Server(ThreadingHTTPServer):
    """A thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], inside: Inside) -> None:
        self.inside = inside
        self._sockets: set[socket.socket] = set()
        self._lock = Lock()
        self._serving: list[Thread] = []
        super().__init__(address, Handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # socketserver's
        """Give a connection to a thread of its own, and remember it."""
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = Thread(target=self.process_request_thread, args=(request, client_address), name="fake X", daemon=True)
        with self._lock:
            self._sockets.add(request)
            self._serving = [*filter(Thread.is_alive, self._serving), thread]
            thread.start()

    def shutdown_request(self, request: Any) -> None:  # socketserver's
        """Forget a connection that has ended."""
        with self._lock:
            self._sockets.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """End all connections, and wait for their threads."""
        with self._lock:
            threads = self._serving
            for connection in self._sockets:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(_END_WITHIN_S)

    def handle_error(self, request: Any, client_address: Any) -> None:  # socketserver's
        """A client that goes away is no error; all else shows itself."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection of a client, for as many requests as it makes."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """A GET."""
        self._handle()

    def do_POST(self) -> None:
        """A POST."""
        self._handle()

    def do_DELETE(self) -> None:
        """A DELETE."""
        self._handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the standard library's name
        """Say nothing: tests and the demo have their own words."""

    def _handle(self) -> None:
        inside, url = self.server.inside, urlsplit(self.path)
        length = self.headers.get("content-length") or "0"
        if not is_number(length):
            self._send("unknown", invalid("The content-length is no number").said, {}, close=True)
            return
        body = self.rfile.read(int(length))
        if url.path.startswith(PREFIX):
            self._send("control", control(inside.site, inside.counts, self.command, url.path, body), {})
            return
        found = find(self.command, url.path)
        if found is None:
            self._send("unknown", Refused(404, "Not Found", f"{self.command} {url.path} is not spoken here").said, {})
            return
        route, part = found
        if route.answer is None:
            inside.counts.connected(inside.site.clock.now())
        user, caller = self._caller()
        mishap = inside.site.faults.next_for(route.name)
        counted = mishap is None or mishap.counted
        allowed = inside.limits.take(route.name, caller) if counted else Allowed(allowed=True, headers={})
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        if not caller:
            self._send(route.name, Refused(401, "Unauthorized", "Unauthorized").said, {})
        elif mishap is not None:
            self._go_wrong(mishap, route, Asked(query, None, part, user, route.name), body, allowed.headers)
        elif not allowed.allowed:
            self._send(route.name, Refused(429, "Too Many Requests", "Too Many Requests").said, allowed.headers)
        elif route.answer is None:
            self._stream(route, query, allowed.headers)
        else:
            said = self._answer(route, Asked(query, None, part, user, route.name), body)
            self._send(route.name, said, allowed.headers)

    def _caller(self) -> tuple[User | None, str]:
        """As which user, and in whose name the requests are counted; nobody where the credentials are none.

        A user's access token begins with the user's id, as X's own do.
        """
        kind, _, credentials = self.headers.get("authorization", "").partition(" ")
        if kind == "Bearer" and credentials.strip():
            return None, "app"
        token = _OAUTH_TOKEN.search(credentials) if kind == "OAuth" else None
        user = self.server.inside.site.world.user_by_id(unquote(token[1]).split("-")[0]) if token else None
        return (user, user.id) if user is not None else (None, "")

    def _answer(self, route: Route, asked: Asked, body: bytes) -> Said:
        inside = self.server.inside
        if route.as_user and asked.user is None:
            return Refused(403, "Unsupported Authentication", "This endpoint wants a user's tokens").said
        try:
            assert route.answer is not None
            return route.answer(inside.site, asked._replace(body=parsed(body)))
        except Refused as error:
            return error.said

    def _go_wrong(self, mishap: Mishap, route: Route, asked: Asked, body: bytes, headers: dict[str, str]) -> None:
        if mishap.done and route.answer is not None:
            self._answer(route, asked, body)
        if mishap.status:
            if mishap.status == 429:
                headers = {**headers, "x-rate-limit-remaining": "0"} if mishap.reset else {}
            body_said: Any = mishap.body
            self._send(route.name, Said(mishap.status, body_said), headers, close=not mishap.instead)
            return
        self.server.inside.counts.answered(route.name, 0)
        self.close_connection = True
        if mishap.hang:
            with suppress(OSError):
                self.connection.recv(1)
        else:
            reset(self.connection)

    def _send(self, route: str, said: Said, headers: dict[str, str], *, close: bool = False) -> None:
        body = msgspec.json.encode(said.body)
        self.server.inside.counts.answered(route, said.status)
        self.server.inside.counts.read(said.posts)
        if close:
            headers = {**headers, "connection": "close"}
            self.close_connection = True
        self._head(said.status, {**headers, "content-length": str(len(body))}, body)

    def _head(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "content-type: application/json; charset=utf-8"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def _stream(self, route: Route, query: dict[str, str], headers: dict[str, str]) -> None:
        inside = self.server.inside
        if not inside.site.world.rules:
            self._send(route.name, Said(409, _NO_RULES), headers)
            return
        connection = StreamConnection(
            self.connection, Shape.of(query), clock=inside.site.clock, faults=inside.site.faults, counts=inside.counts,
            keep_alive_s=inside.keep_alive_s, buffer=inside.stream_buffer,
        )  # fmt: skip
        if not inside.site.faults.opened(connection, inside.most_streams):
            self._send(route.name, Said(429, TOO_MANY), headers)
            return
        self.close_connection = True
        inside.counts.answered(route.name, 200)
        try:
            inside.site.world.listen(connection.hear)
            self._head(200, {**headers, "transfer-encoding": "chunked"})
            connection.serve()
        finally:
            inside.site.world.unlisten(connection.hear)
            inside.site.faults.closed(connection)
