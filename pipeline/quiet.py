"""Notices a stream that lives and brings nothing: far fewer posts than usual, though keep-alives come."""

from __future__ import annotations

from collections import deque
from threading import Lock

AT_LEAST_S = 60.0
LOOK_BACK_S = 3600.0
AGAIN_AFTER_S = 900.0
"""A reconnect that did not help is not repeated sooner: the world may just be quiet."""
BUCKET_S = 5.0


class Quiet:
    """Counts posts in pieces of five seconds over the last hour; times are of a clock that only goes forward.

    One thread counts, others ask.
    """

    def __init__(self, *, share: float, posts: float) -> None:
        self._share = share
        self._posts = posts
        self._buckets: deque[tuple[float, int]] = deque()
        self._since: float | None = None
        self._said_at: float | None = None
        self._last_at: float | None = None
        """The end of the last five seconds in which a post came."""
        self._lock = Lock()

    def count(self, posts: int, now: float) -> None:
        """So many came."""
        start = now - now % BUCKET_S
        with self._lock:
            if posts:
                self._last_at = start + BUCKET_S
            if self._buckets and self._buckets[-1][0] >= start:
                at, before = self._buckets.pop()
                self._buckets.append((at, before + posts))
            else:
                self._buckets.append((start, posts))

    def opened(self, now: float) -> None:
        """A connection is open: only its own time is judged."""
        self._since = now

    def closed(self) -> None:
        """No connection: nothing is expected."""
        self._since = None

    def is_quiet(self, now: float) -> float | None:
        """For how many seconds far fewer came than usual; None: they did not, or it was said a short while ago."""
        with self._lock:
            return self._is_quiet(now)

    def trusted(self, now: float) -> float:
        """Until when the stream brought what there was: not longer than it takes for one post to be usual.

        A stream that has stopped bringing posts may go on with keep-alives, and end before its silence is noticed.
        """
        with self._lock:
            last = self._last_at
            if last is None or self._since is None or now - last <= self._usual_pause(last):
                return now
            return max(last, self._since)

    def _usual_pause(self, last: float) -> float:
        """Between two posts, in seconds."""
        if not self._buckets:
            return LOOK_BACK_S
        return min(LOOK_BACK_S, (last - self._buckets[0][0]) / max(1, sum(posts for _, posts in self._buckets)))

    def _is_quiet(self, now: float) -> float | None:
        while self._buckets and self._buckets[0][0] < now - LOOK_BACK_S:
            self._buckets.popleft()
        if self._since is None or (self._said_at is not None and now - self._said_at < AGAIN_AFTER_S):
            return None
        window = self._window(now)
        if window is None or now - self._since < window:
            return None
        came = sum(posts for at, posts in self._buckets if at >= now - window)
        expected = self.usual(now - window) * window
        if expected < self._posts or came > self._share * expected:
            return None
        self._said_at = now
        return self._how_long(now, self.usual(now - window), self._since)

    def usual(self, until: float) -> float:
        """Posts a second before `until`, as far as is remembered."""
        before = [(at, posts) for at, posts in self._buckets if at < until]
        if not before:
            return 0.0
        return sum(posts for _, posts in before) / max(BUCKET_S, until - before[0][0])

    def _how_long(self, now: float, usual: float, opened: float) -> float:
        """Since when it has been so quiet: since the last five seconds before which enough came, or the opening."""
        came = 0
        for at, posts in reversed(self._buckets):
            came += posts
            if at < opened or came > self._share * usual * (now - at):
                return now - max(at, opened)
        return now - opened

    def _window(self, now: float) -> float | None:
        """Over how long it takes to tell: as long as `posts` usually take; None: too few come to tell at all."""
        rate = self.usual(now - AT_LEAST_S)
        window = max(AT_LEAST_S, self._posts / rate) if rate else LOOK_BACK_S
        return window if window <= LOOK_BACK_S / 2 else None
