"""When X may be asked again after it said that too much was asked."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.outbox import Route, call_route
from pipeline.posting import Entry, State

FIRST_MS, MOST_MS = 60_000, 960_000
"""Where X does not say until when: so long at first, then twice as long each time, up to that."""


class Backoffs:
    """By route, how long the last wait was."""

    def __init__(self) -> None:
        self._waits: dict[Route, int] = {}

    def until(self, route: Route, reset_at: float | None, now: int) -> int:
        """When it may be asked again (ms): when X says so, else after longer and longer waits."""
        if reset_at is not None and reset_at * 1000 > now:
            return round(reset_at * 1000)
        wait = self._waits.get(route, FIRST_MS)
        self._waits[route] = min(2 * wait, MOST_MS)
        return now + wait

    def resume(self, entries: Iterable[Entry]) -> None:
        """Take the waits of the process before, as replies.log says: its next one is not the first."""
        for entry in sorted(entries, key=lambda one: one.at):
            if entry.not_before > entry.at:
                self._waits[call_route(entry)] = min(2 * (entry.not_before - entry.at), MOST_MS)
            elif entry.state is State.POSTED:
                self.fine(call_route(entry))

    def fine(self, route: Route) -> None:
        """X answered: the next wait is short again."""
        self._waits.pop(route, None)
