"""A server on loopback that speaks the part of X's API v2 that is used here, for tests, the demo, and trying by hand.

It serves from threads of this process; with a clock that runs faster than the machine's, so does everything in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from threading import Thread
from typing import Self

from agents.fake_x_asked import Site
from agents.fake_x_faults import Faults
from agents.fake_x_http import Inside, Server
from agents.fake_x_limits import Counts, Limits
from agents.fake_x_posts import User
from agents.fake_x_world import World
from agents.x_api import Access
from pipeline.clocks import Clock, SystemClock

_SEED = 6


class FakeX:
    """The fake X: `world` is what is on it, `faults` what goes wrong, `counts` what it was asked."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        keep_alive_s: float = 10.0,
        rate_limits: Mapping[str, tuple[int, float]] | None = None,
        visible_after_s: float = 0.0,
        stream_buffer: int = 50_000,
        most_streams: int = 1,
        seed: int = _SEED,
    ) -> None:
        self.clock = SystemClock() if clock is None else clock
        self.world = World(self.clock, visible_after_s=visible_after_s)
        self.faults = Faults(self.world, Random(seed))  # noqa: S311 # the order of posts is no secret
        self.counts = Counts()
        self._inside = Inside(
            Site(self.world, self.clock, self.faults), self.counts, Limits(self.clock, rate_limits), keep_alive_s,
            stream_buffer, most_streams,
        )  # fmt: skip
        self._host = host
        self._port = port
        self._server: Server | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve; after `stop`, again on the same port, with all that was there before.

        Raises:
            OSError: the port is taken.
        """
        self._server = Server((self._host, self._port), self._inside)
        self._port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="fake X", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End all connections; nobody listens any more."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.end_connections()
            self._server.server_close()
            self._server = None

    @property
    def base_url(self) -> str:
        """Where it is, for `x.base_url` in the settings."""
        return f"http://{self._host}:{self._port}"

    def access(self, user: User | str = "brand") -> Access:
        """Credentials that it takes, to act as a user; an access token begins with the user's id, as X's own do."""
        who = self.world.user(user) if isinstance(user, str) else user
        return Access(
            "fake-bearer-token",
            "fake-consumer-key",
            "fake-consumer-secret",
            f"{who.id}-fake-token",
            "fake-access-secret",
        )
