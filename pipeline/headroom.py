"""What X leaves of its limits, made when somebody asks: a window that is over leaves all of it again, asked or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

WINDOW_S = 900.0
"""X's own, where it does not say when one ends."""


class _Said(NamedTuple):
    left: float
    full: float | None
    until: float


class Headroom(Collector):
    """A gauge of what is left; `now` gives seconds since 1970."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        now: Callable[[], float],
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._now = now
        self._said: dict[tuple[str, ...], _Said] = {}
        registry.register(self)

    def say(self, labels: tuple[str, ...], left: float, full: float | None, reset_at: float | None) -> None:
        """So much is left until then; of which `full` is all, None where X does not say."""
        until = self._now() + WINDOW_S if reset_at is None else reset_at
        self._said[labels] = _Said(left, full, until)

    def used_up(self, labels: tuple[str, ...], until: float) -> None:
        """Nothing is left until then; of how much, X said before or not at all."""
        before = self._said.get(labels)
        self.say(labels, 0.0, None if before is None else before.full, until)

    def clear(self) -> None:
        """Nothing is known: whoever asks X now is another process."""
        self._said = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample a limit; none of one that began anew and of which X does not say how much it is."""
        family = GaugeMetricFamily(self._name, self._documentation, labels=self._labels)
        now = self._now()
        for labels, said in sorted(self._said.copy().items()):
            value = said.left if now < said.until else said.full
            if value is not None:
                family.add_metric(labels, value)
        yield family
