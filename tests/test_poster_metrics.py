"""What the poster tells of the answers that it has in hand."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from pipeline.poster_metrics import PosterMetrics
from pipeline.settings import Brand, Settings

TOLD = ("acme", "still", "other")
SETTINGS = Settings(brands=(Brand(name="acme", handles=("Acme",)), Brand(name="still", handles=("Still",))))


def test_answers_wait_by_brand() -> None:
    """A brand of which nothing waits says so; one that the settings do not know counts as another one."""
    registry = CollectorRegistry()
    metrics = PosterMetrics(registry, SETTINGS, lambda: 0.0)

    metrics.wait(["acme", "acme", "nobody"])
    metrics.wait(["acme", "nobody", "someone"])

    found = {brand: registry.get_sample_value("triage_replies_waiting", {"brand": brand}) for brand in TOLD}
    assert {"acme": 1, "still": 0, "other": 2} == found
