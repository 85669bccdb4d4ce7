"""A stream of the fake X that is read by tweepy in a thread, and a clock that tests put forward."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue
from threading import Event, Thread
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from agents.fake_x import FakeX
from agents.x_api import Ended, Stream, XApi

PATIENCE_S = 10.0


class HandClock:
    """Stands still until it is put forward; who waits for it is put forward himself."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def now(self) -> float:
        """Seconds since 1970."""
        return self.at

    def monotonic(self) -> float:
        """The same."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Put it forward."""
        self.at += max(0.0, seconds)

    def wait(self, event: Event, seconds: float) -> bool:
        """Put it forward, unless the event is set."""
        if not event.is_set():
            self.sleep(seconds)
        return event.is_set()


class Reader:
    """Reads a stream until it ends; a context manager that ends it at the latest."""

    def __init__(
        self, x: FakeX, *, stall_after_s: float = PATIENCE_S, on_line: Callable[[bytes], None] | None = None
    ) -> None:
        self.lines: Queue[bytes] = Queue()
        self.alive: Queue[None] = Queue()
        self.opened = Event()
        self.raised: list[BaseException] = []
        self._ended: list[Ended] = []
        self._on_line = on_line or self.lines.put
        self.stream = Stream(x.access(), base_url=x.base_url, stall_after_s=stall_after_s)
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        try:
            self._ended.append(self.stream.run(self._on_line, lambda: self.alive.put(None), self.opened.set))
        except ArithmeticError as error:  # what tests have a handler raise
            self.raised.append(error)

    def connected(self) -> Self:
        """Wait until it is open."""
        assert self.opened.wait(PATIENCE_S)
        return self

    def line(self) -> bytes:
        """The next line."""
        return self.lines.get(timeout=PATIENCE_S)

    def post(self) -> dict[str, Any]:
        """The next line, read."""
        found: dict[str, Any] = json.loads(self.line())
        return found

    def texts(self, count: int) -> list[str]:
        """The texts of the next posts."""
        return [self.post()["data"]["text"] for _ in range(count)]

    def ended(self) -> Ended:
        """How it ended, when it has."""
        self._thread.join(PATIENCE_S)
        assert len(self._ended) == 1
        return self._ended[0]


def calls(api: XApi) -> dict[str, Callable[[], Any]]:
    """Every call, by name, with what fits a fake X."""
    return {
        "user": lambda: api.user("brand"),
        "recent_search": lambda: api.recent_search("brand"),
        "mentions": lambda: api.mentions("1001"),
        "timeline": lambda: api.timeline("1001"),
        "dm_events": api.dm_events,
        "posts": lambda: api.posts(["1"]),
        "rules": api.rules,
        "add_rules": lambda: api.add_rules([("word", "tag")]),
        "delete_rules": lambda: api.delete_rules(["1"]),
        "create_post": lambda: api.create_post("hello"),
        "create_dm": lambda: api.create_dm("1001", "hello"),
        "end_connections": api.end_connections,
    }


def pages(ask: Callable[[str | None], Any]) -> Iterator[dict[str, Any]]:
    """All pages of a call that takes a page's token."""
    token: str | None = None
    while True:
        page = json.loads(ask(token).body)
        yield page
        token = page["meta"].get("next_token")
        if token is None:
            return


@contextmanager
def answers(answer: bytes) -> Iterator[str]:
    """A server that gives one answer to one request."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


APP = {"Authorization": "Bearer any"}


def ask(x: FakeX, method: str, path: str, *, headers: dict[str, str] | None = None, body: object = None) -> Any:
    """Status, headers and body of one request."""
    connection = http.client.HTTPConnection(urlsplit(x.base_url).netloc, timeout=5)
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    try:
        connection.request(method, path, body=data, headers=APP if headers is None else headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), json.loads(answer.read() or b"null")
    finally:
        connection.close()


def as_user(x: FakeX, handle: str = "brand") -> dict[str, str]:
    """The headers of a user."""
    return {"Authorization": f'OAuth oauth_consumer_key="c", oauth_token="{x.access(handle).access_token}"'}


def search(query: str, **parameters: str) -> str:
    """The path of a search."""
    return f"/2/tweets/search/recent?{urlencode({'query': query, **parameters})}"
