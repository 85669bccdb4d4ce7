"""One real embedded broker for all tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings as hypothesis_settings

from agents.broker import Broker
from pipeline.settings import Kafka, Settings, Topics

# A busy machine is slow at times: that is no failure of a property.
hypothesis_settings.register_profile("ours", deadline=None)
hypothesis_settings.load_profile("ours")


def pytest_addoption(parser: pytest.Parser) -> None:
    """--long: as many kills, and as long outages, as the promises name."""
    parser.addoption("--long", action="store_true", help="run the fault suite in its long form")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Apache Kafka on a free port, gone with the session."""
    with Broker(tmp_path_factory.mktemp("broker"), log=lambda _: None, port=19092) as broker:
        yield broker


@pytest.fixture
def prefix() -> str:
    """Stands before a test's topics, so that tests do not meet."""
    return f"t{uuid4().hex[:8]}."


@pytest.fixture
def settings(broker: Broker, prefix: str) -> Settings:
    """Settings on the broker, with topics of the test's own (not yet made)."""
    return Settings(kafka=Kafka(bootstrap_servers=(broker.bootstrap,)), topics=Topics(prefix=prefix, partitions=3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    return tmp_path
