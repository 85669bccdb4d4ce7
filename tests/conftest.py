"""One real embedded broker for all tests that need one, and a fake X for each that does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
import tweepy.client
import tweepy.streaming
from hypothesis import settings as hypothesis_settings
from x_reader import HandClock

from agents.broker import Broker
from agents.fake_x import FakeX
from agents.x_api import XApi
from pipeline.settings import Settings, Topics
from pipeline.settings_kafka import Kafka

os.environ.setdefault("TRIAGE_LOG_FORMAT", "console")  # what processes say is read here as people read it

# A busy machine is slow at times: that is no failure of a property. The same examples each time, so that what fails
# here fails there too; others are tried with `make test ARGS=--hypothesis-profile=explore`.
hypothesis_settings.register_profile("ours", deadline=None, derandomize=True)
hypothesis_settings.register_profile("explore", deadline=None)
hypothesis_settings.load_profile("ours")


def pytest_addoption(parser: pytest.Parser) -> None:
    """--long: as many kills, and as long outages, as the promises name."""
    parser.addoption("--long", action="store_true", help="run the fault suite in its long form")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What could not be run here, for want of a program, is said by name."""
    for report in terminalreporter.getreports("passed"):
        for key, what in report.user_properties if report.when == "call" else ():
            if key == "not run":
                terminalreporter.write_line(f"not run: {what}", yellow=True)


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


@pytest.fixture
def clock() -> HandClock:
    """The fake X's clock, which stands still."""
    return HandClock()


@pytest.fixture
def x(clock: HandClock) -> Iterator[FakeX]:
    """A fake X with one rule."""
    with FakeX(clock=clock) as x:
        x.world.add_rule("@brand OR from:brand", "brand")
        yield x


@pytest.fixture
def api(x: FakeX) -> Iterator[XApi]:
    """The API as the account @brand."""
    with closing(XApi(x.access("brand"), base_url=x.base_url)) as api:
        yield api


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What tweepy sleeps, in place of its sleeping."""
    naps: list[float] = []
    monkeypatch.setattr(tweepy.streaming, "sleep", naps.append)
    monkeypatch.setattr(tweepy.client, "time", SimpleNamespace(sleep=naps.append, time=time.time))
    return naps
