"""The metrics of the responses worker: how long customers waited, who waits now, and what became of conversations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.backlog import NOBODY, Place, Waiting
from pipeline.brands import OTHER
from pipeline.changes import Change
from pipeline.metrics import Streaming
from pipeline.responses import Response
from pipeline.settings import Settings

WAIT_BUCKETS = (60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 86_400.0, 604_800.0)
"""Seconds; the targets of the settings are added, so that the share within a target is exact."""


class WaitingNow(Collector):
    """The gauges of who waits: always those of the partitions that this worker has now, and so sums over workers."""

    def __init__(self, places: Iterable[Place], registry: CollectorRegistry) -> None:
        self._places = tuple(places)
        self._now: Mapping[Place, Waiting] = {}
        registry.register(self)

    def say(self, now: Mapping[Place, Waiting]) -> None:
        """Replace what is known."""
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample a brand and queue; of the oldest only where somebody waits."""
        now = self._now
        labels = ["brand", "queue"]
        waiting = GaugeMetricFamily("triage_waiting", "Customers who wait for an answer.", labels=labels)
        late = GaugeMetricFamily("triage_waiting_late", "Those who wait longer than the target.", labels=labels)
        oldest = GaugeMetricFamily(
            "triage_oldest_waiting_timestamp_seconds", "When the one posted who waits longest.", labels=labels
        )
        for place in sorted({*self._places, *now}):
            found = now.get(place, NOBODY)
            waiting.add_metric(place, found.number)
            late.add_metric(place, found.late)
            if found.oldest is not None:
                oldest.add_metric(place, found.oldest / 1000)
        yield from (waiting, late, oldest)


class ResponseMetrics(Streaming):
    """The metrics of the responses worker."""

    def __init__(self, registry: CollectorRegistry, settings: Settings, wanted: Collection[Place]) -> None:
        super().__init__(registry)
        self._brands = {brand.name for brand in settings.brands} | {OTHER.name}
        self.waiting = WaitingNow(wanted, registry)
        place = ["brand", "queue"]
        targets = [settings.targets, *(brand.targets for brand in settings.brands)]
        bounds = {float(target) for some in targets for target in some.values() if target is not None}
        buckets = sorted({*WAIT_BUCKETS, *bounds})

        def waits(name: str, what: str) -> Histogram:
            return Histogram(f"triage_{name}_seconds", what, place, buckets=buckets, registry=registry)

        self.first = waits("first_response", "created_at of the post to its first answer.")
        self.next = waits("next_response", "The same for later turns of a conversation.")
        self.first_business = waits("first_response_business", "The same, in business hours only.")
        self.next_business = waits("next_response_business", "The same, in business hours only.")
        self.replies = Histogram(
            "triage_replies_per_conversation", "Answers of the brand until a conversation came to rest.", ["brand"],
            buckets=(0, 1, 2, 3, 5, 8, 13), registry=registry,
        )  # fmt: skip
        self._declare_counters(registry, place)
        for brand, queue in wanted:
            for counter in (self.opened, self.near_breaches, self.breaches):
                counter.labels(brand, queue)

    def _declare_counters(self, registry: CollectorRegistry, place: list[str]) -> None:
        def counter(name: str, what: str, labels: list[str]) -> Counter:
            return Counter(f"triage_{name}_total", what, labels, registry=registry)

        self.heard = Counter(
            "triage_facts_total", "Records read by the responses worker.", ["topic"], registry=registry
        )
        self.opened = counter("turns_opened", "Waits that began.", place)
        self.ended = counter("turns_ended", "Waits that ended, by how.", [*place, "end"])
        self.near_breaches = counter("near_breaches", "Waits that came near their target.", place)
        self.breaches = counter("breaches", "Waits that went over their target.", place)
        self.corrections = counter("corrections", "Told events that later ones changed.", place)
        self.outcomes = counter("outcomes", "What became of conversations.", ["brand", "outcome"])
        self.praise = counter("acknowledged_praise", "Happy customers who got an answer.", ["brand"])
        self.moves = counter("moves", "Posts that a person moved, by the queue they went to.", place)
        self.recovering = Gauge(
            "triage_recovering_partitions", "Partitions whose state is being read.", registry=registry
        )
        self.recovery_seconds = Gauge(
            "triage_recovery_seconds", "How long the last reading of state took.", registry=registry
        )
        self.tick_seconds = Histogram(
            "triage_tick_seconds", "Looking once for what is due and for who waits.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0), registry=registry,
        )  # fmt: skip
        self.backlog = Gauge(
            "triage_backlog", "1 while more wait than there should, or one too long; said by one worker.", place,
            registry=registry,
        )  # fmt: skip

    def brand(self, name: str) -> str:
        """A configured brand's name; others are one label."""
        return name if name in self._brands else OTHER.name

    def count(self, responses: Iterable[tuple[Response, bool]]) -> None:
        """Count records of `responses` once they are acknowledged; with each, whether its post was praise."""
        for response, praise in responses:
            self._count(response, self.brand(response.brand), praise=praise)

    def _count(self, response: Response, brand: str, *, praise: bool) -> None:
        change, turn = response.event_type, response.turn
        if response.outcome is not None and change == "settled":
            self.outcomes.labels(brand, response.outcome).inc()
            self.replies.labels(brand).observe(response.replies or 0)
        if turn is None:
            return
        place = (brand, turn.queue.value)
        if change in _COUNTED_BY:
            getattr(self, _COUNTED_BY[change]).labels(*place).inc()
        elif change in _ENDS:
            self.ended.labels(*place, change).inc()
        if change == Change.ANSWERED.name.lower() and turn.wait_s is not None and turn.business_s is not None:
            wall, business = (self.first, self.first_business) if turn.first else (self.next, self.next_business)
            wall.labels(*place).observe(turn.wait_s)
            business.labels(*place).observe(turn.business_s)
            if praise:
                self.praise.labels(brand).inc()


_COUNTED_BY = {"opened": "opened", "near_breach": "near_breaches", "breached": "breaches", "corrected": "corrections"}
_ENDS = frozenset({"answered", "resolved", "handed_off", "expired", "retracted", "superseded"})
