"""The metrics of the poster: what came of answers, what waits, what X still lets through, what it cost."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterable
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.brands import OTHER
from pipeline.headroom import Headroom
from pipeline.metrics import Common
from pipeline.outbox import Route
from pipeline.posting import Entry, State
from pipeline.replies import Kind, Reply, cost, kinds_of_warnings
from pipeline.settings import Settings

_BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0)


class PosterMetrics(Common):
    """The metrics of the poster; `now` gives seconds since 1970."""

    def __init__(self, registry: CollectorRegistry, settings: Settings, now: Callable[[], float]) -> None:
        super().__init__(registry)
        self._poster = settings.poster
        self._brands = {brand.name for brand in settings.brands}
        self.replies = Counter(
            "triage_replies_total", "Answers by what came of them: posted, failed, unknown, held.",
            ["brand", "kind", "outcome"], registry=registry,
        )  # fmt: skip
        for brand in (*self._brands, OTHER.name):  # the first one that fails is seen as an increase
            for kind in get_args(Kind):
                self.replies.labels(brand, kind, State.FAILED.value)
        self.warnings = Counter(
            "triage_reply_warnings_total", "Answers posted in spite of a warning: avoid, vision, link.",
            ["brand", "warning"], registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "triage_reply_seconds", "From an answer's record in `replies` to its being on X.", ["brand"],
            buckets=_BUCKETS, registry=registry,
        )  # fmt: skip
        self._waiting = Gauge("triage_replies_waiting", "Answers read and not done.", ["brand"], registry=registry)
        self.wait(())
        self.doubtful = Gauge(
            "triage_replies_doubtful", "Answers that may be on X or not, and are looked for.", registry=registry
        )
        self.calls = Counter(
            "triage_x_calls_total", "Calls of X's API by what was asked and what came of it.",
            ["what", "outcome"], registry=registry,
        )  # fmt: skip
        self._remaining = Headroom(
            "triage_x_remaining", "Requests that X still takes in its window.", ["brand", "what"], now, registry
        )
        self.blocked_until = Gauge(
            "triage_x_blocked_until_timestamp_seconds", "Until when X takes no more.", ["brand", "what"],
            registry=registry,
        )  # fmt: skip
        self.cost = Counter(
            "triage_reply_cost_total", "What posting cost, by the prices in settings.", ["brand"], registry=registry
        )
        self.active = Gauge("triage_poster_active", "1 while this process is the one that posts.", registry=registry)

    def brand(self, name: str) -> str:
        """A configured brand's name; others are one label."""
        return name if name in self._brands else OTHER.name

    def ended(self, reply: Reply, entry: Entry, warnings: tuple[str, ...], asked_at: int) -> None:
        """An answer is done; `asked_at` is its record's Kafka timestamp in ms."""
        brand = self.brand(reply.brand)
        self.replies.labels(brand, reply.kind, entry.state.value).inc()
        if entry.state is not State.POSTED:
            return
        self.seconds.labels(brand).observe(max(0, entry.at - asked_at) / 1000)
        self.cost.labels(brand).inc(cost(reply, self._poster))
        for kind in kinds_of_warnings(warnings):
            self.warnings.labels(brand, kind).inc()

    def buried(self, brand: str, kind: str, reason: str) -> None:
        """An answer went to replies.dead without being tried."""
        known = kind if kind in get_args(Kind) else "reply"
        self.replies.labels(self.brand(brand), known, "failed").inc()
        self.dead.labels(reason).inc()

    def wait(self, brands: Iterable[str]) -> None:
        """Answers are under way: the brand of each."""
        found = Counts(self.brand(name) for name in brands)
        for brand in (*self._brands, OTHER.name):
            self._waiting.labels(brand).set(found[brand])

    def stands_by(self) -> None:
        """Another process posts, and hears what X says of its count."""
        self.active.set(0)
        self._remaining.clear()

    def limit(self, route: Route, remaining: int | None, limit: int | None, reset_at: float | None) -> None:
        """What X says of its count."""
        if remaining is not None:
            self._remaining.say((self.brand(route.brand), route.what), remaining, limit, reset_at)

    def blocked(self, route: Route, until: int) -> None:
        """X takes no more on a route until then (ms)."""
        brand = self.brand(route.brand)
        self.blocked_until.labels(brand, route.what).set(until / 1000)
        self._remaining.used_up((brand, route.what), until / 1000)
