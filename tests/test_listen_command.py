"""`triage listen` as a process: killed and started again; Kafka away; what it says without credentials; its secrets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any

import pytest
import yaml
from x_listening import gaps, ids, running, settings_for, until, values

from agents.broker import Broker
from agents.fake_x import FakeX
from pipeline.clocks import SystemClock
from pipeline.settings import Settings, Topics
from pipeline.settings_kafka import Kafka

TRIAGE = (sys.executable, "-m", "agents")


@pytest.fixture
def fake() -> Iterator[FakeX]:
    """The fake X, in real time."""
    with FakeX() as fake:
        yield fake


def _file(made: Settings, folder: Path) -> Path:
    """Settings as a file, with the secrets in it."""
    content: dict[str, Any] = made.model_dump(mode="json")
    x, account = made.x, made.brands[0].x
    content["x"] |= {
        "bearer_token": x.bearer(), "consumer_key": x.consumer()[0], "consumer_secret": x.consumer()[1]
    }  # fmt: skip
    content["brands"][0]["x"] |= dict(zip(("access_token", "access_token_secret"), account.tokens(), strict=True))
    content["metrics"]["port"] = 0
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def _publish(fake: FakeX, number: int) -> list[str]:
    return [fake.world.publish(f"@Acme bag {one}", author=f"c{one}").id for one in range(number)]


class Process:
    """The command, and what it has said."""

    def __init__(self, file: Path, log: Path) -> None:
        self._log = log
        environment = os.environ | {"TRIAGE_LOG_LEVEL": "DEBUG"}
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [*TRIAGE, "-s", str(file), "listen"], stderr=out, stdout=out, env=environment
            )

    def said(self) -> str:
        """All of it."""
        return self._log.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it."""
        self.process.send_signal(number)
        return self.process.wait(40)


def test_killed_and_started_again_nothing_is_missing_or_double(settings: Settings, fake: FakeX, tmp_path: Path) -> None:
    """Posts of before, of meanwhile, and of after; two at a time: the second takes over when the first is killed."""
    made = settings_for(settings, fake, tmp_path)
    file = _file(made, tmp_path)
    first = Process(file, tmp_path / "first.log")
    published = []
    try:
        until(lambda: "listening to x" in first.said(), "the first listens", 60)
        second = Process(file, tmp_path / "second.log")
        until(lambda: "waiting for the lease" in second.said(), "the second waits", 60)
        published += _publish(fake, 300)
        until(lambda: len(ids(made)) > 50, "some are there")
        first.end(signal.SIGKILL)
        published += _publish(fake, 50)
        until(lambda: "listening to x" in second.said(), "the second has taken over", 30)
        published.append(fake.world.publish("@Acme last", author="lena").id)
        until(lambda: gaps(made) and all(gap["closed_at"] for gap in gaps(made)), "the gap is closed", 120)
        where = second.said().split("metrics on ")[1].split()[0]
        metrics = urllib.request.urlopen(where).read().decode()
        assert 0 == second.end()
    finally:
        for process in (first, second):
            process.process.kill()

    assert sorted(published) == sorted(ids(made))
    assert ["restart"] == [gap["cause"] for gap in gaps(made)]
    assert 'triage_gaps_total{cause="restart"} 1.0' in metrics
    assert 'triage_x_cost_dollars{route="search"}' in metrics
    access = fake.access(fake.world.user("Acme"))
    for secret in access:
        assert secret not in first.said() + second.said(), "a secret stands in the log"


def test_while_kafka_is_away_posts_wait_on_disk(fake: FakeX, tmp_path: Path) -> None:
    """Beyond the budget they are spilled; when it is back, all are there, each once."""
    with Broker(tmp_path / "broker", log=lambda _: None, port=19592) as broker:
        base = Settings(kafka=Kafka(bootstrap_servers=(broker.bootstrap,)), topics=Topics(partitions=3))
        made = settings_for(base, fake, tmp_path, in_flight_bytes=65_536, slow_for_s=0.1)
        with running(made, SystemClock()) as one:
            until(lambda: one.connected, "connected")
            published = _publish(fake, 20)
            until(lambda: len(ids(made)) == 20, "the posts before")
            broker.stop()
            published += _publish(fake, 500)
            until(lambda: one.value("triage_spilled_bytes") > 100_000, "they are spilled")
            assert one.connected
            broker.start()
            until(lambda: len(ids(made)) >= 520, "all of them", 90)
            assert 0 == one.value("triage_spilled_bytes")

        assert sorted(published) == sorted(ids(made))
        assert 0 == one.value("triage_lost_total", reason="no_room")


def test_what_cannot_be_kept_is_looked_for(fake: FakeX, tmp_path: Path) -> None:
    """With the disk full too, posts are counted, and their gap is filled when Kafka is back."""
    with Broker(tmp_path / "broker", log=lambda _: None, port=19692) as broker:
        base = Settings(kafka=Kafka(bootstrap_servers=(broker.bootstrap,)), topics=Topics(partitions=3))
        spill = {"folder": tmp_path / "spill", "bytes": 50_000}
        made = settings_for(base, fake, tmp_path, in_flight_bytes=65_536, slow_for_s=0.1, spill=spill)
        with running(made, SystemClock()) as one:
            until(lambda: one.connected, "connected")
            published = _publish(fake, 20)
            until(lambda: len(ids(made)) == 20, "the posts before")
            broker.stop()
            published += _publish(fake, 500)
            until(lambda: one.value("triage_lost_total", reason="no_room") > 50, "some cannot be kept")
            broker.start()
            until(lambda: len(ids(made)) > 20, "Kafka is back", 60)
            last = fake.world.publish("@Acme last", author="lena").id
            until(lambda: last in ids(made), "posts come again", 60)
            until(lambda: any(gap["closed_at"] for gap in gaps(made)), "the gap is closed", 120)

        assert sorted([*published, last]) == sorted(ids(made))
        lost = one.value("triage_lost_total", reason="no_room")
        assert lost == sum(gap["lost"] for gap in gaps(made) if gap["cause"] == "overflow")


def test_without_credentials_it_says_how_to_get_them(tmp_path: Path) -> None:
    """And where to put them; the exit code is that of settings."""
    file = tmp_path / "settings.yaml"
    file.write_text("brands: [{name: acme, handles: [Acme]}]")

    done = subprocess.run([*TRIAGE, "-s", str(file), "listen"], capture_output=True, text=True, check=False)

    assert 3 == done.returncode
    assert "https://developer.x.com" in done.stderr
    assert "x.bearer_token_file" in done.stderr


def test_a_file_in_place_of_x(settings: Settings, fake: FakeX, tmp_path: Path) -> None:
    """Followed as it grows, and on from its place after a restart: nothing twice, no gap."""
    made = settings_for(settings, fake, tmp_path)
    path = tmp_path / "posts.jsonl"
    path.write_text('{"id": "1", "text": "@Acme one", "author_id": "7"}\n')
    with running(made, SystemClock(), path) as one:
        until(lambda: len(values(made, "tweets")) == 1, "the first")
        with path.open("a") as file:
            file.write('{"id": "2", "text": "@Acme two", "author_id": "7"}\n')
        until(lambda: len(values(made, "tweets")) == 2, "the second")
        until(lambda: one.connected, "it is read")
    with path.open("a") as file:
        file.write('{"id": "3", "text": "@Acme three", "author_id": "7"}\n')
    with running(made, SystemClock(), path):
        until(lambda: len(values(made, "tweets")) == 3, "the third")

    assert ["1", "2", "3"] == [one["id"] for one in values(made, "tweets")]
    assert [] == gaps(made)


def _post(number: int) -> str:
    return f'{{"id": "{number}", "text": "@Acme {number}", "author_id": "7"}}\n'


def test_a_file_that_is_rotated_while_nobody_listens(settings: Settings, fake: FakeX, tmp_path: Path) -> None:
    """From before its first line on, nothing is missed and there is no gap, until the old file is gone: one says so."""
    made = settings_for(settings, fake, tmp_path)
    path, old = tmp_path / "posts.jsonl", tmp_path / "posts.jsonl.1"
    path.touch()
    began = time()
    with running(made, SystemClock(), path) as one:
        until(lambda: one.connected, "it is read")
    for number in (1, 3):
        with path.open("a") as file:
            file.write(_post(number))
        path.rename(old)
        path.write_text(_post(number + 1))
        with running(made, SystemClock(), path):
            until(lambda: len(values(made, "tweets")) == number + 1, "both files")  # noqa: B023 - called at once
        assert [] == gaps(made)
    path.unlink()
    (tmp_path / "new").write_text(_post(5))
    (tmp_path / "new").rename(path)
    with running(made, SystemClock(), path) as one:
        until(lambda: len(values(made, "tweets")) == 5, "the new file")
        path.write_text(_post(6))  # in place
        until(lambda: len(values(made, "tweets")) == 6, "what is new in it")

    assert ["1", "2", "3", "4", "5", "6"] == [post["id"] for post in values(made, "tweets")]
    gap, cut = gaps(made)
    assert ("closed", True) == (cut["cause"], gap["since"] < cut["since"])
    assert ("restart", True) == (gap["cause"], began - 60 < gap["since"] < gap["until"] <= gap["closed_at"])
    assert "is not read" in gap["note"]
    assert any("is not read" in line for line in one.said)
    assert 1 == one.value("triage_gaps_total", cause="restart")
