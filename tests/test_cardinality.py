"""/metrics under attack: a hundred thousand customers, hashtags and languages that nobody has seen before."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import cycle
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
import yaml
from patience import PATIENCE
from prometheus_client.parser import text_string_to_metric_families

from agents import topics
from benchmarks.feed import fill
from benchmarks.placed import Placed
from pipeline.settings import Settings
from pipeline.topics import TWEETS

KNOWN = 300
STRANGERS = 100_000
TEXTS = ("where is my order?", "is your site down for everyone?", "love it, best ever!")
LARGEST = 1_000_000


class Metrics:
    """What a worker's /metrics says."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def read(self) -> str:
        """All of it."""
        with urllib.request.urlopen(re.findall(r"http://\S+/metrics", self._log.read_text())[0], timeout=30) as answer:
            return str(answer.read().decode())

    def series(self) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
        """Every series, by its name and labels."""
        families = text_string_to_metric_families(self.read())
        return {(one.name, tuple(sorted(one.labels.items()))) for family in families for one in family.samples}

    def sum(self, name: str) -> float:
        """Of all series of a name."""
        samples = [one for family in text_string_to_metric_families(self.read()) for one in family.samples]
        return sum(one.value for one in samples if one.name == name)


@pytest.fixture
def workers(settings: Settings, tmp_path: Path) -> Iterator[tuple[Metrics, Metrics]]:
    """The triage and the responses worker on topics of the test's own."""
    content = {
        "brands": [{"name": "acme", "handles": ["Acme"]}],
        "kafka": {"bootstrap_servers": list(settings.kafka.bootstrap_servers)},
        "topics": {"prefix": settings.topics.prefix, "partitions": settings.topics.partitions},
        "worker": {"group": f"w{settings.topics.prefix[1:-1]}"},
        "responses": {"group": f"r{settings.topics.prefix[1:-1]}"},
        "metrics": {"port": 0},
    }
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump(content))
    topics.create(settings)
    with ExitStack() as ending:
        for name in ("worker", "responses"):
            log = ending.enter_context((tmp_path / name).open("w"))
            command = [sys.executable, "-m", "agents", "--settings", str(file), name]
            process = ending.enter_context(subprocess.Popen(command, stderr=log))
            ending.callback(process.terminate)
        for name in ("worker", "responses"):
            _wait(partial(_is_ready, tmp_path / name), f"{name} is ready")
        yield Metrics(tmp_path / "worker"), Metrics(tmp_path / "responses")


def _is_ready(log: Path) -> bool:
    return "ready" in log.read_text()


def _wait(condition: Callable[[], bool], what: str, within: float = 40.0) -> None:
    deadline = monotonic() + within * PATIENCE
    while not condition():
        assert monotonic() < deadline, f"not within {within} s: {what}"
        Event().wait(0.2)


def _known() -> Iterator[Placed]:
    """Posts in English for every queue, and what cannot be read."""
    for number, text in zip(range(KNOWN), cycle(TEXTS), strict=False):
        broken = number % 20 == 0
        yield _placed(
            number, b"{" if broken else _post(number, f"@Acme {text}", lang="de" if number % 7 == 0 else "en")
        )


def _strangers() -> Iterator[Placed]:
    """Each of a customer, with a hashtag and in a language, that nobody has seen before."""
    for number, text in zip(range(KNOWN, KNOWN + STRANGERS), cycle(TEXTS), strict=False):
        yield _placed(number, _post(number, f"@Acme {text} #tag{number}", lang=f"l{number}"))


def _post(number: int, text: str, *, lang: str) -> bytes:
    author = str(10_000_000 + number)
    data = {"id": str(number), "text": text, "author_id": author, "lang": lang}
    users = [{"id": author, "username": f"user{number}", "name": f"User {number}"}]
    return json.dumps({"data": data, "includes": {"users": users}}).encode()


def _placed(number: int, value: bytes) -> Placed:
    return Placed(TWEETS, number % 3, b"%d" % (10_000_000 + number), value)


def test_strangers_make_no_series(settings: Settings, workers: tuple[Metrics, Metrics]) -> None:
    """/metrics of both workers has as many series after them as before, and stays under a megabyte."""
    triage, responses = workers
    fill(settings, _known())
    _done(workers, KNOWN)
    before = [triage.series(), responses.series()]

    fill(settings, _strangers())
    _done(workers, KNOWN + STRANGERS)

    after = [triage.series(), responses.series()]
    assert [[], []] == [sorted(new ^ old) for new, old in zip(after, before, strict=True)]
    sizes = [len(one.read().encode()) for one in workers]
    print(f"series of triage and responses: {[len(some) for some in after]}, bytes: {sizes}")
    assert max(sizes) < LARGEST


def _done(workers: tuple[Metrics, Metrics], count: int) -> None:
    """Every post is triaged, and everything that came of it is heard, and told of."""
    triage, responses = workers
    _wait(lambda: triage.sum("triage_committed_offset") >= count, "the posts are triaged")
    routed = triage.sum("triage_routed_total")
    _wait(lambda: responses.sum("triage_committed_offset") >= routed, "what was routed is heard")
    _wait(
        lambda: responses.sum("triage_waiting") >= responses.sum("triage_turns_opened_total") > 0, "who waits is told"
    )
