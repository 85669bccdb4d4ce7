"""Every metric of the listener, on a registry that is passed in; labels are causes, routes and brands, never more."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.backoff import Cause
from pipeline.gaps import Gap
from pipeline.metrics import LAG_BUCKETS, BatchHistogram
from pipeline.settings_listener import Prices
from pipeline.sweeps import Route

HAND_OVER_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0)
MONTH_S = 30 * 86_400.0
_SOONEST_S = 3600.0
"""Before an hour is over, what it comes to in a month is told as if it were."""


class Reading:
    """What was read and what that costs, since this listener counts."""

    def __init__(self, prices: Prices, started: float) -> None:
        self._prices = {route: float(getattr(prices, route.value)) for route in Route}
        self._started = started
        self.posts = dict.fromkeys(Route, 0)

    def read(self, route: Route, posts: int) -> None:
        """So many came by a route; each is paid for, whether it is new or not."""
        self.posts[route] += posts

    def dollars(self, route: Route) -> float:
        """What a route has cost so far."""
        return self.posts[route] * self._prices[route]

    def a_month(self, route: Route, now: float) -> float:
        """What 30 days cost if it goes on like this."""
        return self.dollars(route) * MONTH_S / max(now - self._started, _SOONEST_S)


class ReadingMetrics(Collector):
    """Posts read, dollars so far, dollars a month; looked up when somebody asks."""

    def __init__(self, reading: Reading, now: Callable[[], float], registry: CollectorRegistry) -> None:
        self._reading = reading
        self._now = now
        registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample a route."""
        posts = GaugeMetricFamily("triage_x_posts_read", "Posts and messages read from X, by how.", labels=["route"])
        cost = GaugeMetricFamily("triage_x_cost_dollars", "What reading has cost, since the start.", labels=["route"])
        month = GaugeMetricFamily("triage_x_cost_month_dollars", "What 30 days like this cost.", labels=["route"])
        now = self._now()
        for route in Route:
            posts.add_metric([route.value], self._reading.posts[route])
            cost.add_metric([route.value], self._reading.dollars(route))
            month.add_metric([route.value], self._reading.a_month(route, now))
        yield from (posts, cost, month)


class ListenerMetrics:
    """The metrics of the listener; `now` gives seconds since 1970."""

    def __init__(self, registry: CollectorRegistry, prices: Prices, now: Callable[[], float]) -> None:
        self.registry = registry
        ProcessCollector(registry=registry)
        self.reading = Reading(prices, now())
        ReadingMetrics(self.reading, now, registry)
        self.build = Info("triage_build", "Which program this is.", registry=registry)
        self._declare_gaps(registry)
        self._declare_flow(registry)

    def _declare_gaps(self, registry: CollectorRegistry) -> None:
        self.gaps = Counter("triage_gaps_total", "Gaps opened, by what began them.", ["cause"], registry=registry)
        self.gap_seconds = Counter(
            "triage_gap_seconds_total", "How long posts could be missed, in gaps that ended.", ["cause"],
            registry=registry,
        )  # fmt: skip
        self.out_of_reach = Counter(
            "triage_gap_out_of_reach_seconds_total", "Those of them that no search reaches.", registry=registry
        )
        self.recovered = Counter(
            "triage_posts_recovered_total", "Posts that only a sweep found, by the gap's cause.", ["cause"],
            registry=registry,
        )  # fmt: skip
        self.open_gaps = Gauge("triage_gaps_open", "Gaps that last, or are not swept yet.", registry=registry)
        self.reconnects = Counter(
            "triage_reconnects_total", "Connections that ended or were not made, by how.", ["cause"], registry=registry
        )
        self.at_bound = Gauge(
            "triage_reconnect_wait_at_bound", "1 while reconnecting waits as long as it ever does.", registry=registry
        )
        for cause in Cause:
            for counter in (self.gaps, self.gap_seconds, self.recovered, self.reconnects):
                counter.labels(cause.value)

    def _declare_flow(self, registry: CollectorRegistry) -> None:
        self.connected = Gauge("triage_stream_connected", "1 while the stream is open.", registry=registry)
        self.leader = Gauge("triage_listener_active", "1 while this listener holds the lease.", registry=registry)
        self.kept = Counter(
            "triage_listened_total", "Posts and messages that Kafka acknowledged, by topic.", ["topic"],
            registry=registry,
        )  # fmt: skip
        self.repeated = Counter("triage_repeated_total", "Posts that had come before.", registry=registry)
        self.lost = Counter(
            "triage_lost_total", "Posts that came and could not be kept; each opens a gap.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self.resent = Counter("triage_resent_total", "Records that Kafka failed and that were sent again.",
                              registry=registry)  # fmt: skip
        self.in_flight = Gauge("triage_in_flight_bytes", "Handed to Kafka, not acknowledged.", registry=registry)
        self.spilled = Gauge("triage_spilled_bytes", "On disk, until Kafka is back.", registry=registry)
        self.hand_over = BatchHistogram(
            "triage_hand_over_seconds", "A line read from X to its acknowledgement by Kafka.", HAND_OVER_BUCKETS,
            registry,
        )  # fmt: skip
        self.ingest_lag = BatchHistogram(
            "triage_listen_lag_seconds", "created_at of a post of the stream to its line read.", LAG_BUCKETS, registry
        )
        self.headroom = Gauge(
            "triage_x_rate_limit_headroom", "Share of X's limit that is left, as it said last.", ["route"],
            registry=registry,
        )  # fmt: skip
        self.stopped_errands = Gauge(
            "triage_stopped_errands", "Kinds of reading that X refuses us and that are given up.", registry=registry
        )

    def opened(self, gap: Gap) -> None:
        """A gap began."""
        self.gaps.labels(gap.cause.value).inc()

    def ended(self, gap: Gap) -> None:
        """Posts come again."""
        self.gap_seconds.labels(gap.cause.value).inc(gap.seconds)

    def swept(self, gap: Gap) -> None:
        """A sweep of it is done."""
        self.recovered.labels(gap.cause.value).inc(gap.sweeps[-1].recovered)

    def limit(self, route: str, limit: int | None, remaining: int | None) -> None:
        """What X said of a limit."""
        if limit and remaining is not None:
            self.headroom.labels(route).set(remaining / limit)
