"""The metrics: what Prometheus must see from the first scrape on, and batches counted as one by one."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from deploy.registry import MAKERS
from pipeline.errors import Reason
from pipeline.metrics import BatchHistogram, Metrics
from pipeline.posts import Stage


@pytest.mark.parametrize("reason", Reason)
def test_dead_letters_begin_at_nothing(reason: Reason) -> None:
    """A counter that is first seen at 100 has not increased, and no alert would come."""
    registry = CollectorRegistry()

    Metrics(registry)

    assert 0 == registry.get_sample_value("triage_dead_total", {"reason": reason.value})


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("name", ["triage_stages_total", "triage_review_total"])
def test_stages_begin_at_nothing(name: str, stage: Stage) -> None:
    """So do verdicts and reviews."""
    registry = CollectorRegistry()

    Metrics(registry)

    assert 0 == registry.get_sample_value(name, {"stage": stage.value})


@pytest.mark.parametrize("kind", ["reply", "dm", "post"])
def test_failed_answers_begin_at_nothing(kind: str) -> None:
    """And answers that cannot be posted, of every brand."""
    registry = CollectorRegistry()

    MAKERS["poster"](registry)

    labels = {"brand": "other", "kind": kind, "outcome": "failed"}
    assert 0 == registry.get_sample_value("triage_replies_total", labels)


@pytest.mark.parametrize("program", MAKERS)
def test_the_process_says_when_it_started(program: str) -> None:
    """Restarts of every program are counted by it, and by what says that the process is one of ours."""
    registry = CollectorRegistry()

    MAKERS[program](registry)

    assert {"triage_build"} <= {family.name for family in registry.collect()}
    assert (registry.get_sample_value("process_start_time_seconds") or 0) > 1_700_000_000


def test_a_batch_is_counted_as_one_by_one() -> None:
    """In its buckets; a negative value counts as nothing in the sum."""
    registry = CollectorRegistry()
    histogram = BatchHistogram("wait_seconds", "Waits.", (1.0, 5.0), registry)

    histogram.observe_all([0.5, 5.0, 7.0, -1.0])

    buckets = [registry.get_sample_value("wait_seconds_bucket", {"le": bound}) for bound in ("1.0", "5.0", "+Inf")]
    assert [2, 3, 4] == buckets
    assert 12.5 == registry.get_sample_value("wait_seconds_sum")
