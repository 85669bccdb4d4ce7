"""/metrics and the probes, over real HTTP."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from agents.health import Answer, HealthServer
from pipeline.metrics import BatchHistogram, Metrics


@pytest.fixture
def server() -> Iterator[HealthServer]:
    """A server whose /readyz says no."""
    registry = CollectorRegistry()
    Metrics(registry).posts.inc(3)
    server = HealthServer(
        "127.0.0.1",
        0,
        registry,
        healthy=lambda: Answer(fine=True, why="offsets move"),
        ready=lambda: Answer(fine=False, why="no partitions assigned yet"),
    )
    server.start()
    yield server
    server.stop()


def _get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(server.address + path, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_come_from_our_registry(server: HealthServer) -> None:
    """/metrics shows our counters, and nothing of the process-wide registry."""
    status, text = _get(server, "/metrics")

    assert 200 == status
    assert "triage_posts_total 3.0" in text
    assert "python_gc" not in text


def test_probes_say_why(server: HealthServer) -> None:
    """A probe that fails answers 503 with the reason."""
    assert (200, "offsets move\n") == _get(server, "/healthz")
    assert (503, "no partitions assigned yet\n") == _get(server, "/readyz")


def test_other_paths_are_not_served(server: HealthServer) -> None:
    """There is nothing else."""
    assert 404 == _get(server, "/table/posts")[0]


def test_a_taken_port_is_replaced(server: HealthServer) -> None:
    """With the port taken the server moves to a free one and says so."""
    probe = lambda: Answer(fine=True, why="")  # noqa: E731
    second = HealthServer("127.0.0.1", server.port, CollectorRegistry(), healthy=probe, ready=probe)
    second.start()
    second.stop()

    assert second.moved
    assert second.port != server.port


def test_batch_histogram_counts_like_prometheus() -> None:
    """The batch histogram exposes the same samples as prometheus_client's own."""
    registry = CollectorRegistry()
    histogram = BatchHistogram("x_seconds", "x", (0.1, 1.0), registry)

    histogram.observe_all([0.05, 0.1, 0.5, 7.0, -1.0])

    value = registry.get_sample_value
    assert [3.0, 4.0, 5.0] == [value("x_seconds_bucket", {"le": le}) for le in ("0.1", "1.0", "+Inf")]
    assert 5.0 == value("x_seconds_count")
    assert value("x_seconds_sum") == pytest.approx(7.65)
