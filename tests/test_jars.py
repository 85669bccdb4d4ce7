"""The broker's jars: checked before use, fetched once, mended when damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents import jars
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
