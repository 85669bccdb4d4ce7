"""What the fault suites share: a broker of their own, the arena on it, and the file of results."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from arena import Arena, Result

from agents.broker import Broker

REPORT = Path(__file__).parents[2] / "build" / "faults.json"
QUICK = {"log.cleaner.backoff.ms": "200", "log.cleaner.min.compaction.lag.ms": "0"}
"""So that a compaction need not be waited for."""


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the long form was asked for."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session")
def fault_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that these tests may stop; on a port that no other test's broker takes while it is away."""
    port = 29_092 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    with Broker(tmp_path_factory.mktemp("kafka"), port=port, log=lambda _: None, properties=QUICK) as broker:
        yield broker


@pytest.fixture(scope="session")
def arena(fault_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Where runs are made."""
    arena = Arena(fault_broker.bootstrap, tmp_path_factory.mktemp("runs"))
    yield arena
    arena.end()


@pytest.fixture(scope="session")
def _results() -> Iterator[list[Result]]:
    results: list[Result] = []
    yield results
    REPORT.parent.mkdir(exist_ok=True)
    others = json.loads(REPORT.read_text()) if REPORT.exists() else []  # of the other files, in processes of their own
    names = {result.scenario for result in results}
    rows = [row for row in others if row["scenario"] not in names] + [asdict(result) for result in results]
    REPORT.write_text(json.dumps(rows, indent=1) + "\n")


@pytest.fixture
def report(_results: list[Result]) -> list[Result]:
    """Where a scenario leaves its line."""
    return _results
