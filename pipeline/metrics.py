"""Every metric, named once: its type, its unit and its labels, on a registry that is passed in."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from pipeline.drift import BAND_LABELS, BANDS, CONFIDENCE_LABELS, Bins, Shares
from pipeline.errors import Reason
from pipeline.posts import Stage

LATENCY_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
LAG_BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)


class BatchHistogram(Collector):
    """A histogram without labels that takes a whole batch at once: observing one by one costs a microsecond a post."""

    def __init__(self, name: str, documentation: str, buckets: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(buckets)
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0
        self._lock = Lock()
        registry.register(self)

    def observe_all(self, values: Sequence[float]) -> None:
        """Count a batch of values; a negative one (a skewed clock) counts as zero."""
        ordered = sorted(values)  # so that there is one search a bucket, not one a value
        ends = [bisect_right(ordered, bound) for bound in self._bounds]
        with self._lock:
            for place, (start, end) in enumerate(pairwise((0, *ends, len(ordered)))):
                self._counts[place] += end - start
            self._sum += sum(ordered[bisect_right(ordered, 0) :])

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The cumulative buckets, as Prometheus wants them."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        running = 0
        buckets = []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), counts, strict=True):
            running += count
            buckets.append((bound, float(running)))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=total)


class Common:
    """The metrics that each of our programs has: what it is, and how far it is with its partitions."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        ProcessCollector(registry=registry)
        self.build = Info("triage_build", "Which program this is.", registry=registry)
        self.dead = Counter(
            "triage_dead_total",
            "Records that the broker acknowledged in tweets.dead; the poster's in replies.dead that were not tried.",
            ["reason"], registry=registry,
        )  # fmt: skip
        for reason in Reason:  # a counter that begins at 100 has not increased, as far as Prometheus sees
            self.dead.labels(reason.value)
        self.retries = Counter(
            "triage_retries_total", "Attempts that failed and were repeated in place.", ["step"], registry=registry
        )
        self.rebalances = Counter("triage_rebalances_total", "Times that partitions were assigned.", registry=registry)
        labels = ["topic", "partition"]
        self.committed_offset = Gauge(
            "triage_committed_offset", "Next offset to be read after a restart.", labels, registry=registry
        )
        self.end_offset = Gauge("triage_end_offset", "End of the partition as last seen.", labels, registry=registry)
        self.lag_seconds = Gauge(
            "triage_lag_seconds", "Age of the oldest record read and not yet acknowledged; 0 without lag.", labels,
            registry=registry,
        )  # fmt: skip

    def forget_partitions(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Drop the gauges of (topic, partition)s that another worker has now, so that sums over workers stay right."""
        for topic, partition in partitions:
            for gauge in (self.committed_offset, self.end_offset, self.lag_seconds):
                gauge.remove(topic, str(partition))


class Streaming(Common):
    """And of those that read streams."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.connections = Gauge(
            "triage_broker_connections", "Open connections to brokers; 0: Kafka is away.", registry=registry
        )
        self.connections.set(math.nan)  # a program that has just been started does not know yet


class Metrics(Streaming):
    """The metrics of the triage worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._declare_counters(registry)
        self._declare_timings(registry)
        self._declare_drift(registry)
        self.model = Info("triage_model", "Which model judges.", registry=registry)

    def _declare_counters(self, registry: CollectorRegistry) -> None:
        self.posts = Counter("triage_posts_total", "Records read from tweets.", registry=registry)
        self.routed = Counter(
            "triage_routed_total", "Routed records that the broker acknowledged.", ["brand", "queue"], registry=registry
        )
        self.stages = Counter(
            "triage_stages_total", "Verdicts by stage, before the threshold.", ["stage"], registry=registry
        )
        self.review = Counter(
            "triage_review_total", "Posts sent to review, by the stage that was unsure.", ["stage"], registry=registry
        )
        self.opinions = Counter(
            "triage_second_opinions_total", "Posts of which the first model was unsure, by what came of it.",
            ["outcome"], registry=registry,
        )  # fmt: skip
        self.shadow = Counter(
            "triage_shadow_total", "Posts judged by model and challenger, by the stage that each gave.",
            ["champion", "challenger"], registry=registry,
        )  # fmt: skip
        for stage in Stage:
            self.stages.labels(stage.value)
            self.review.labels(stage.value)

    def _declare_drift(self, registry: CollectorRegistry) -> None:
        self.confidence = Bins(
            "triage_confidence", "Verdicts of the first model, by stage and upper bound of their confidence.",
            ["stage", "up_to"], CONFIDENCE_LABELS, registry,
        )  # fmt: skip
        self.words = Bins(
            "triage_words", "Words that the first model read, by how frequent they were in its training.",
            ["band"], BAND_LABELS, registry,
        )  # fmt: skip
        self._usual_confidence = Gauge(
            "triage_training_confidence_ratio", "The share of a bin of triage_confidence_total in training.",
            ["stage", "up_to"], registry=registry,
        )  # fmt: skip
        self._usual_words = Gauge(
            "triage_training_words_ratio", "The share of a band of triage_words_total in training.", ["band"],
            registry=registry,
        )  # fmt: skip

    def learnt_from(self, shares: Shares) -> None:
        """State what the model was trained on; a model of which that is not known has no such series."""
        for labels, share in zip(CONFIDENCE_LABELS, shares.confidence, strict=True):
            self._usual_confidence.labels(*labels).set(share)
        for band, share in zip(BANDS, shares.words, strict=True):
            self._usual_words.labels(band).set(share)

    def _declare_timings(self, registry: CollectorRegistry) -> None:
        self.classify_seconds = Histogram(
            "triage_classify_seconds", "Time to judge one batch.", buckets=LATENCY_BUCKETS, registry=registry
        )
        self.batch_posts = Histogram(
            "triage_batch_posts", "Posts in one batch.", buckets=(1, 10, 100, 500, 1000, 2000, 4000), registry=registry
        )
        self.route_latency = BatchHistogram(
            "triage_route_latency_seconds", "Kafka timestamp of the post to its output acknowledged.",
            LATENCY_BUCKETS, registry,
        )  # fmt: skip
        self.ingest_lag = BatchHistogram(
            "triage_ingest_lag_seconds", "created_at of the post to its Kafka timestamp.", LAG_BUCKETS, registry
        )
