"""Every metric of the listener, on a registry that is passed in; labels are causes, routes and brands, never more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline.backoff import Cause
from pipeline.gaps import DAY_S, Gap
from pipeline.headroom import Headroom
from pipeline.metrics import LAG_BUCKETS, BatchHistogram
from pipeline.settings_listener import Prices
from pipeline.sweeps import Route

HAND_OVER_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0)
MONTH_S = 30 * 86_400.0
MOST_REMEMBERED = 500_000
"""Ids that were read today, 60 MB at most: beyond them all begins anew, and some are counted as paid for twice."""
_SOONEST_S = 3600.0
"""Before an hour is over, what it comes to in a month is told as if it were."""


class Reading:
    """What was read and what that costs, since this listener counts; `now` gives seconds since 1970.

    What 30 days cost is told by the listener that is active, from the time in which it was.

    X charges the same post once a UTC day, whoever reads it again that day (a soft guarantee: docs.x.com, pricing). So
    what is asked for again, by a second sweep or a look-up, is paid for once; a post of the stream counts when it
    comes, and once more when it is first asked for, for the stream's are too many to be remembered: the figure is an
    upper bound.
    """

    def __init__(self, prices: Prices, now: Callable[[], float]) -> None:
        self._prices = {route: float(getattr(prices, route.value)) for route in Route}
        self._now = now
        self._was_active_s = 0.0
        self._active_since: float | None = None
        self._day = 0
        self._today: set[str] = set()
        self.posts = dict.fromkeys(Route, 0)
        self._paid = dict.fromkeys(Route, 0)

    def came(self) -> None:
        """One by the stream."""
        self.posts[Route.STREAM] += 1
        self._paid[Route.STREAM] += 1

    def read(self, route: Route, ids: Sequence[str]) -> None:
        """These came by a route other than the stream; those not read yet today are paid for."""
        day = int(self._now() // DAY_S)
        if day != self._day or len(self._today) > MOST_REMEMBERED:
            self._day, self._today = day, set()
        new = set(ids) - self._today
        self._today |= new
        self.posts[route] += len(ids)
        self._paid[route] += len(new)

    def dollars(self, route: Route) -> float:
        """What a route has cost so far."""
        return self._paid[route] * self._prices[route]

    def active(self, active: bool) -> None:
        """Whether this listener reads from now on."""
        now = self._now()
        if self._active_since is not None:
            self._was_active_s += now - self._active_since
        self._active_since = now if active else None

    def a_month(self, route: Route, now: float) -> float:
        """What 30 days cost if it goes on like this; nothing where another one reads."""
        if self._active_since is None:
            return 0.0
        return self.dollars(route) * MONTH_S / max(self._was_active_s + now - self._active_since, _SOONEST_S)


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
        self._now = now
        ProcessCollector(registry=registry)
        self.reading = Reading(prices, now)
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
        self._headroom = Headroom(
            "triage_x_rate_limit_headroom", "Share of X's limit that is left; 1 once its window is over.",
            ["route"], self._now, registry,
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

    def active(self, active: bool) -> None:
        """Whether this listener holds the lease; without it, what X said is no news of X, nor are its gaps its own."""
        self.leader.set(active)
        self.reading.active(active)
        if not active:
            self._headroom.clear()
            for gauge in (self.connected, self.open_gaps, self.at_bound, self.stopped_errands, self.in_flight):
                gauge.set(0)

    def limit(self, route: str, limit: int | None, remaining: int | None, reset_at: float | None) -> None:
        """What X said of a limit."""
        if limit and remaining is not None:
            self._headroom.say((route,), remaining / limit, 1.0, reset_at)

    def used_up(self, route: str, reset_at: float | None) -> None:
        """X answered with 429: nothing is left until then."""
        self._headroom.say((route,), 0.0, 1.0, reset_at)
