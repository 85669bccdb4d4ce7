"""The fault suite: short by default, long with --long; every scenario leaves a line in build/faults.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from arena import Arena, Result

from agents.broker import Broker

REPORT = Path(__file__).parents[2] / "build" / "faults.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    """--long: as many kills, and as long outages, as the promises name."""
    parser.addoption("--long", action="store_true", help="run the fault suite in its long form")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the long form was asked for."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session")
def fault_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that these tests may stop."""
    with Broker(tmp_path_factory.mktemp("kafka"), log=lambda _: None) as broker:
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
    REPORT.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


@pytest.fixture
def report(_results: list[Result]) -> list[Result]:
    """Where a scenario leaves its line."""
    return _results
