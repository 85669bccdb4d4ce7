"""One connection of the fake X's filtered stream: lines in chunks, keep-alives, and the faults that befall it."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections import deque
from contextlib import suppress
from typing import Any

import msgspec

from agents.fake_x_faults import Faults
from agents.fake_x_limits import Counts
from agents.fake_x_posts import FakePost, Rule, Shape, includes_json, post_json
from pipeline.clocks import Clock

_PAUSE_S = 0.004  # of the machine's clock: what comes meanwhile goes out in one write
_MOST_LINES = 256  # in one chunk
_SHUFFLE_WITHIN_S = 2.0
_encode = msgspec.json.Encoder().encode
_Heard = tuple[FakePost, tuple[Rule, ...], list[str]]


class StreamConnection:
    """A stream that a client reads; `serve` runs in the connection's thread, all else in anybody's."""

    def __init__(
        self,
        connection: socket.socket,
        shape: Shape,
        *,
        clock: Clock,
        faults: Faults,
        counts: Counts,
        keep_alive_s: float,
        buffer: int,
    ) -> None:
        self._socket = connection
        self._shape = shape
        self._clock = clock
        self._faults = faults
        self._counts = counts
        self._keep_alive_s = keep_alive_s
        self._buffer = buffer
        self._pending: deque[_Heard | bytes] = deque()
        self._stalled_until = self._silent_until = 0.0
        self._last_words: bytes | None = None
        self._ending = self._abandoned = self._over = self._torn = False
        self._shuffling: list[_Heard] = []
        self._shuffling_since = 0.0
        self._sent_at = clock.monotonic()
        self.opened_at = clock.now()
        """Seconds since 1970, of the server's clock."""
        self.stuck = False
        """X counts it though it is over, until somebody ends it."""

    def hear(self, post: FakePost, rules: tuple[Rule, ...]) -> None:
        """Take a post; cut the client off where it has not read so many that the buffer is full."""
        if self._abandoned or self._ending or self._clock.monotonic() < self._silent_until:
            return
        self._pending.append((post, rules, list(post.chain)))
        if len(self._pending) > self._buffer:
            self.cut()

    def say(self, line: bytes) -> None:
        """Send a line after what waits."""
        self._pending.append(line)

    def finish(self, last_words: bytes | None = None) -> None:
        """Close in good order after what waits."""
        self._last_words = last_words
        self._ending = True

    def drop(self, *, mid_line: bool = False) -> None:
        """Reset the connection after what waits."""
        self._torn = mid_line
        self._over = True

    def cut(self) -> None:
        """Break the connection at once; what waits is lost."""
        self._pending.clear()
        self._over = True
        self._faults.closed(self)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes a write that waits for the client

    def stall(self, seconds: float, *, keep_alives: bool) -> None:
        """Send nothing, or nothing but keep-alives, for so many seconds."""
        until = self._clock.monotonic() + seconds
        if keep_alives:
            self._silent_until = until
        else:
            self._stalled_until = until

    def abandon(self, *, stuck: bool = False) -> None:
        """Forget the client without telling it; where stuck, it goes on being counted as open."""
        self._abandoned, self.stuck = True, stuck
        self._faults.closed(self)

    def serve(self) -> None:
        """Send until the connection ends."""
        with suppress(OSError):
            while not self.client_gone():
                time.sleep(_PAUSE_S)
                if self._step():
                    break

    def _step(self) -> bool:
        """Send what there is; whether it is the end."""
        over, ending, now = self._over, self._ending, self._clock.monotonic()
        if self._abandoned and not over:
            return False
        if now >= self._stalled_until:
            self._send_waiting(now)
        if over or ending:
            self._faults.closed(self)  # before the client can know, since it may come back at once
        if over:
            self._reset()
            return True
        if ending:
            self._chunk((self._last_words or b"") + b"\r\n" if self._last_words else b"")
            self._write(b"0\r\n\r\n")
            return True
        if now >= self._stalled_until and now - self._sent_at >= self._keep_alive_s:
            self._chunk(b"\r\n")
        return False

    def _send_waiting(self, now: float) -> None:
        while self._pending or self._shuffling:
            lines, posts = [], []
            for item in self._take(now):
                if isinstance(item, bytes):
                    lines.append(item)
                else:
                    lines.append(self._line(item))
                    posts.append(item[0])
            if not lines:
                return
            self._chunk(b"\r\n".join([*lines, b""]))
            self._tell(posts)

    def _take(self, now: float) -> list[_Heard | bytes]:
        taken: list[_Heard | bytes] = []
        while self._pending and len(taken) < _MOST_LINES:
            item = self._pending.popleft()
            if isinstance(item, bytes):
                taken.append(item)
            elif self._faults.shuffled > len(self._shuffling):
                self._shuffling_since = self._shuffling_since or now
                self._shuffling.append(item)
            else:
                taken.append(item)
                if self._faults.twice > 0:
                    self._faults.twice -= 1
                    taken.append(item)
        return self._unshuffle(now) + taken

    def _unshuffle(self, now: float) -> list[_Heard | bytes]:
        held = self._shuffling
        late = now - self._shuffling_since > _SHUFFLE_WITHIN_S or self._over or self._ending
        if not held or (len(held) < self._faults.shuffled and not late):
            return []
        self._faults.shuffled = max(0, self._faults.shuffled - len(held))
        self._shuffling, self._shuffling_since = [], 0.0
        self._faults.random.shuffle(held)
        return list(held)

    def _line(self, heard: _Heard) -> bytes:
        post, rules, chain = heard
        envelope: dict[str, Any] = {"data": post_json(post, self._shape.post, chain)}
        if includes := includes_json([post], self._shape):
            envelope["includes"] = includes
        envelope["matching_rules"] = [{"id": rule.id, "tag": rule.tag or ""} for rule in rules]
        return _encode(envelope)

    def _tell(self, posts: list[FakePost]) -> None:
        now = self._clock.now()
        for post in posts:
            post.tell("stream", now)
        self._counts.read(len(posts))

    def _chunk(self, body: bytes) -> None:
        if body:
            self._write(b"%x\r\n%b\r\n" % (len(body), body))

    def _write(self, data: bytes) -> None:
        began = self._clock.monotonic()  # a client that reads it may put the clock forward at once
        self._socket.sendall(data)
        self._sent_at = began

    def client_gone(self) -> bool:
        """Whether the client has closed the connection."""
        try:
            return self._socket.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _reset(self) -> None:
        if self._torn:
            self._chunk(b'{"data":{"id":"1","text":"cut in the mid')
            time.sleep(_PAUSE_S)  # a reset that comes at once takes back what was sent before it
        reset(self._socket)


def reset(connection: socket.socket) -> None:
    """End a connection as a crash does: the other side gets a reset."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(connection.detach())
