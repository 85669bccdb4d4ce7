"""Drift: are the posts, and the model's confidence, still what they were in training? Counted here, compared later.

The worker only counts, by bins that never change: counters add up over workers and survive a restart, because
Prometheus takes what they grew by. Nothing is kept a post, and no window is kept here; the index over six hours or a
week is a recording rule (deploy/prometheus), for which the shares of the training set stand beside the counters.
They count what was judged, not what was acknowledged: a batch that is made again counts again, and shares mind little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log
from operator import add
from threading import Lock
from typing import Protocol

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from pipeline.posts import STAGES

CONFIDENCE_BOUNDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)
"""Upper bounds of the bins of a verdict's confidence; of three stages the best has a third at least."""
BANDS = ("unseen", *map(str, range(1, 10)))
"""Words by how frequent they were in training: not there at all; 1, the most frequent, to 9, each a ninth of it."""
LEAST_SHARE = 0.001
"""A bin that nothing falls into has a share all the same: the logarithm of nothing has no end."""
CONFIDENCE_LABELS = tuple((stage.value, f"{bound:g}") for stage in STAGES for bound in CONFIDENCE_BOUNDS)
"""Stage and upper bound of each bin, in the order in which bins are counted."""
BAND_LABELS = tuple((band,) for band in BANDS)


class Shares(msgspec.Struct, frozen=True):
    """What is usual, from the training set: shares by bin in the orders of the labels above, each summing to 1."""

    confidence: tuple[float, ...]
    """Of held-out verdicts: each post judged by a model that has not seen its brand family."""
    words: tuple[float, ...]
    """Of words, each looked up among those of the other brand families."""


class Watcher(Protocol):
    """Who is told what the first model saw; see pipeline.metrics."""

    def learnt_from(self, shares: Shares) -> None:
        """What the model was trained on."""

    def judged(self, counts: Sequence[int]) -> None:
        """So many verdicts fell into each bin of CONFIDENCE_LABELS."""

    def read(self, counts: Sequence[int]) -> None:
        """So many words fell into each of BANDS."""


class Bins(Collector):
    """Counters that are added to all at once: one `inc` each would cost more than what is counted."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        values: Sequence[Sequence[str]],
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._values = values
        self._counts = [0] * len(values)
        self._lock = Lock()
        registry.register(self)

    def add(self, counts: Sequence[int]) -> None:
        """Add to each bin, in the order of its labels' values."""
        with self._lock:
            self._counts = list(map(add, self._counts, counts))

    def collect(self) -> Iterator[CounterMetricFamily]:
        """A sample for every bin, from the first scrape on."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, count in zip(self._values, self._counts, strict=True):
            family.add_metric(values, count)
        yield family


def psi(now: Sequence[float], usual: Sequence[float]) -> float:
    """The population stability index of two divisions into the same bins; no unit, 0 where they are alike.

    The sum over bins of (now - usual) ln(now / usual): Kullback and Leibler's divergence both ways (On information and
    sufficiency, Annals of Mathematical Statistics 22, 1951), by this name and with 0.1 (look) and 0.25 (act) as limits
    in E. M. Lewis, An Introduction to Credit Scoring (1992), and N. Siddiqi, Credit Risk Scorecards (2006).
    Without any change its mean is about (bins - 1) (1 / n + 1 / m) for samples of n and m.
    """
    pairs = ((max(one, LEAST_SHARE), max(other, LEAST_SHARE)) for one, other in zip(now, usual, strict=True))
    return sum((one - other) * log(one / other) for one, other in pairs)
