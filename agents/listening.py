"""The loop of connections: make one, note how it ended, open a gap, wait as X asks, make the next."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event
from typing import NamedTuple

from agents.outlet import Outlet
from agents.sources import Ending, Heard, Source
from pipeline.backoff import Backoff, Cause
from pipeline.clocks import Clock
from pipeline.errors import SettingsError
from pipeline.gap_book import GapBook
from pipeline.listener_metrics import ListenerMetrics
from pipeline.quiet import Quiet
from pipeline.settings_listener import Listener

log = logging.getLogger(__name__)


class Parts(NamedTuple):
    """What the loop works with."""

    source: Source
    outlet: Outlet
    book: GapBook
    quiet: Quiet
    metrics: ListenerMetrics
    clock: Clock
    say: Callable[[str], None]


class Listening:
    """Runs on one thread until it is stopped; `look` is called by another, now and then.

    Args:
        parts: what it works with.
        settings: limits.
        backoff: what is known of attempts made before, by a listener that held the lease until now.
    """

    def __init__(self, parts: Parts, settings: Listener, backoff: Backoff | None = None) -> None:
        (self._source, self._outlet, self._book, self._quiet, self._metrics, self._clock, self._say) = parts
        self._settings = settings
        self.backoff = backoff or Backoff(most=settings.connects_per_15_min)
        self._stopping = Event()
        self._mark: str | None = None
        self.first_mark: str | None = None
        """Where a source that resumes began that had no mark."""
        self._resumed: tuple[str | None, float] | None = None
        """The mark of a start that has one, and until when all was in Kafka then."""
        self._opened_at: float | None = None
        self._heard_at = self._certain = self._clock.now()
        self._quiet_since: float | None = None

    @property
    def connected(self) -> bool:
        """Whether the stream is open."""
        return self._opened_at is not None

    @property
    def certain_until(self) -> float:
        """Until when the stream certainly brought what there was: a sign of life, and posts as far as some are usual.

        In seconds since 1970; at first that of the start.
        """
        now = self._clock.monotonic()
        return min(self._heard_at, self._clock.now() - (now - self._quiet.trusted(now)))

    def run(self, mark: str | None, whole_until: float | None = None) -> None:
        """Listen until stopped.

        Args:
            mark: where the source goes on.
            whole_until: posts made until then are in Kafka, as the last listener left it; seconds since 1970.

        Raises:
            SettingsError: the source will not let us in; the text says what to change.
        """
        self._mark = mark
        self._resumed = None if whole_until is None else (mark, whole_until)
        heard = Heard(self._line, self._alive, self._open, self._missed, self._begins)
        while not self._stopping.is_set():
            wait = self.backoff.not_before - self._clock.now()
            if wait > 0 and self._clock.wait(self._stopping, wait):
                return
            began = self._clock.now()
            self._opened_at = self._quiet_since = None
            ending = self._source.listen(heard, self._mark)
            self._metrics.connected.set(0)
            self._certain = self.certain_until
            self._quiet.closed()
            if ending.cause is not None or self._quiet_since is not None:
                self._ended(ending, began)

    def stop(self) -> None:
        """End, from any thread."""
        self._stopping.set()
        self._source.close()

    def look(self) -> None:
        """Notice a stream that lives and brings nothing, and end it."""
        if self._opened_at is None or self._quiet_since is not None:
            return
        if (window := self._quiet.is_quiet(self._clock.monotonic())) is not None:
            self._quiet_since = self._clock.now() - window
            self._source.hang_up()

    # What the source tells; on its thread, which must not wait.

    def _line(self, raw: bytes, mark: str | None) -> None:
        self._heard_at = self._clock.now()
        self._mark = mark or self._mark
        self._outlet.put(raw, mark=mark)

    def _alive(self) -> None:
        self._heard_at = self._clock.now()

    def _open(self) -> None:
        now = self._clock.now()
        self._opened_at = self._heard_at = now
        self.backoff = self.backoff.reached(now)
        self._metrics.connected.set(1)
        self._quiet.opened(self._clock.monotonic())
        gap = self._book.end(now)
        after = f", {gap.seconds:.0f} s after the last that is certain: what was missed is looked for" if gap else ""
        self._say(f"listening to {self._source.name}{after}")

    def _missed(self, why: str) -> None:
        """What lay behind the mark is gone: since the last start, if nothing came since then."""
        cause, since, now = Cause.CLOSED, self._since(), self._clock.now()
        if self._resumed is not None and self._resumed[0] == self._mark:
            cause, since = Cause.RESTART, min(since, self._resumed[1])
        gap = self._book.missing(cause, since, now, why)
        log.warning("%s: %s", self._source.name, why)
        self._say(f"{self._source.name}: {why}; a gap of {gap.seconds:.0f} s says so in listener.state")

    def _begins(self, mark: str) -> None:
        self._mark = self.first_mark = mark

    # After a connection.

    def _ended(self, ending: Ending, began: float) -> None:
        now = self._clock.now()
        cause = Cause.QUIET if self._quiet_since is not None else ending.cause or Cause.DISCONNECT
        lived_s = 0.0 if self._opened_at is None else now - self._opened_at
        if not self._source.resumes:
            self._book.open(cause, self._since(), now)
        if ending.refused:
            raise SettingsError(ending.detail)
        before = self.backoff
        if ending.reached and self._opened_at is None:
            before = before.reached(began)
        self.backoff = before.ended(cause, now, lived_s=lived_s, reset_at=ending.reset_at)
        self._opened_at = None
        self._metrics.reconnects.labels(cause.value).inc()
        self._metrics.at_bound.set(self.backoff.at_bound)
        self._tell(cause, ending.detail, self.backoff.not_before - now)

    def _since(self) -> float:
        """Posts made from then on may be missing: less than a lateness before what is certain are."""
        last = self._certain if self._quiet_since is None else min(self._certain, self._quiet_since)
        return last - self._settings.late_s - self._outlet.lag_s

    def _tell(self, cause: Cause, detail: str, wait: float) -> None:
        line = f"{self._source.name}: {cause.value}" + (f" ({detail})" if detail else "")
        self._say(f"{line}; the next attempt {'at once' if wait <= 0 else f'in {wait:.1f} s'}")
        if self.backoff.at_bound:
            log.error("reconnecting waits as long as it ever does: %s", line)
