"""What a listener does beside the stream, a request at a time, each when it is due: fill gaps, read messages, check."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Event, Thread
from typing import Protocol

from pipeline.backoff import DOUBLING_MOST_S, DOUBLING_S, LIMITED_S
from pipeline.clocks import Clock
from pipeline.errors import BadMessage, BrokerError, StateError, TopicsError, TriageError, XError, XLimited, XRefused
from pipeline.listener_metrics import ListenerMetrics

log = logging.getLogger(__name__)

STOP_WITHIN_S = 5.0
LIMITED_MOST_S = 900.0
"""The window of X's limits: waits after 429 without a time double up to it."""
NO_ACCESS = frozenset({401, 403})
"""What X answers with where we have no right: it would do so again."""
MAY_PASS = (XError, BadMessage, BrokerError, TopicsError, StateError)
"""The stream goes on meanwhile: an errand that reads Kafka while it is away is no reason to end it."""
NAP_S = 0.5
"""So soon an errand that became due is noticed."""


class Errand(Protocol):
    """Something to be done again and again."""

    name: str

    def due(self) -> float | None:
        """When its next step is, in seconds since 1970; None: not as things are."""

    def step(self) -> None:
        """Make one request at most.

        Raises:
            XError, BadMessage: it was not answered, or not so that it can be read; the same step comes again.
            BrokerError, TopicsError, StateError: what it needs of Kafka cannot be read; likewise.
        """


class Errands:
    """One thread for all of them; one that X limits or fails waits, and the others go on.

    What we have no right to is given up, loudly; whatever else X refuses is asked for again, later.
    """

    def __init__(self, errands: Sequence[Errand], clock: Clock, metrics: ListenerMetrics) -> None:
        self._errands = list(errands)
        self._clock = clock
        self._metrics = metrics
        self._not_before = {errand.name: 0.0 for errand in errands}
        self._failures = dict.fromkeys(self._not_before, 0)
        self.given_up: dict[str, str] = {}
        """Errands that X refuses, with what it said."""
        self._stopping = Event()
        self.failed: BaseException | None = None
        """What ended the thread, if something did."""
        self._thread = Thread(target=self._run, name="errands", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the request that is under way; one that takes long is not waited for."""
        self._stopping.set()
        self._thread.join(STOP_WITHIN_S)

    @property
    def stopping(self) -> Event:
        """Set when it is time to end."""
        return self._stopping

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.turn()
        except TriageError as error:
            self.failed = error
        finally:
            if not self._stopping.is_set() and self.failed is None:
                self.failed = TriageError("what is done beside the stream broke down; the log says why")

    def turn(self) -> None:
        """Do what is due first, or wait a little."""
        chosen = min(
            ((at, errand) for errand in self._errands if (at := self._due(errand)) is not None),
            key=lambda one: one[0],
            default=None,
        )
        now = self._clock.now()
        if chosen is None or chosen[0] > now:
            self._clock.wait(self._stopping, NAP_S)
            return
        self._do(chosen[1])

    def _due(self, errand: Errand) -> float | None:
        if errand.name in self.given_up:
            return None
        at = errand.due()
        return None if at is None else max(at, self._not_before[errand.name])

    def _do(self, errand: Errand) -> None:
        try:
            errand.step()
            self._failures[errand.name] = 0
        except XLimited as error:
            self._failed(errand, error, LIMITED_S, LIMITED_MOST_S, at_least=(error.reset_at or 0) + 1)
        except XRefused as error:
            if error.status not in NO_ACCESS:  # this request, at this time: the next one may be another
                self._failed(errand, error, LIMITED_S, LIMITED_MOST_S)
                return
            self.given_up[errand.name] = str(error)
            self._metrics.stopped_errands.set(len(self.given_up))
            log.error("%s is given up, for X refuses it: %s", errand.name, error)  # noqa: TRY400 - a reason, no traceback
        except MAY_PASS as error:
            self._failed(errand, error, DOUBLING_S, DOUBLING_MOST_S)

    def _failed(self, errand: Errand, error: TriageError, first: float, most: float, *, at_least: float = 0.0) -> None:
        """Again after a wait that doubles from time to time; when X says when (`at_least`, if still to come), then."""
        now = self._clock.now()
        wait = min(first * 2.0 ** min(self._failures[errand.name], 10), most)
        if at_least > now:
            wait = at_least - now
        else:
            self._failures[errand.name] += 1
        log.warning("%s waits %.0f s: %s", errand.name, wait, error)
        self._not_before[errand.name] = now + wait
