"""The embedded broker's jars: fetched once through jgo, checked against pinned SHA-256 sums, kept in a cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import BrokerError

KAFKA = "4.3.1"
ARTIFACTS = f"org.apache.kafka:kafka_2.13:{KAFKA}+org.slf4j:slf4j-simple:1.7.36"
"""The second so that a broker that dies says why."""
SUMS = Path(__file__).with_name("jars.sha256")

Fetch = Callable[[Path], Iterator[Path]]
"""Brings all jars into a folder and names them."""


def cache_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """TRIAGE_CACHE_DIR, else tweet-triage in XDG_CACHE_HOME or ~/.cache."""
    if named := environment.get("TRIAGE_CACHE_DIR"):
        return Path(named)
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tweet-triage"


def jars(cache: Path, *, fetch: Fetch | None = None, log: Callable[[str], None]) -> list[Path]:
    """The jars, each one checked; without any network when all are there and right.

    Raises:
        BrokerError: they cannot be fetched, or what was fetched is not what was pinned.
    """
    folder = cache / f"kafka-{KAFKA}"
    wanted = _sums()
    with _only_one(cache):
        if _wrong(folder, wanted):
            log(f"fetching Apache Kafka {KAFKA} ({len(wanted)} jars, 44 MB) into {folder}: once only")
            _refetch(folder, wanted, fetch or fetch_with_jgo)
        if wrong := _wrong(folder, wanted):
            raise BrokerError(
                f"{len(wrong)} jars of Apache Kafka are not what was pinned (first: {wrong[0]}): the download is "
                f"broken or was changed on its way; delete {folder} and try again"
            )
    return [folder / name for name in wanted]


def fetch_with_jgo(folder: Path) -> Iterator[Path]:
    """All jars of the broker and what it needs, by a Maven resolver in pure Python."""
    import requests  # slow, and seldom needed
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.env import EnvironmentBuilder
    from jgo.maven import MavenContext

    try:
        context = MavenContext(repo_cache=folder / "repository", remote_repos={"central": MAVEN_CENTRAL_URL})
        builder = EnvironmentBuilder(context=context, cache_dir=folder / "environments")
        environment = builder.from_endpoint(endpoint=ARTIFACTS)
    except (requests.RequestException, OSError, RuntimeError, ValueError) as error:
        raise BrokerError(
            f"the jars of Apache Kafka {KAFKA} could not be fetched ({type(error).__name__}: {error}): check the "
            f"network, or copy the cache folder ({cache_dir()}) from a machine that has them"
        ) from error
    yield from sorted(Path(environment.path).rglob("*.jar"))


def _refetch(folder: Path, wanted: Mapping[str, str], fetch: Fetch) -> None:
    """Into a temporary folder first, then one by one into place, so that a break leaves nothing half written."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as temporary:
        for jar in fetch(Path(temporary)):
            if jar.name in wanted and _sum(jar) == wanted[jar.name]:
                new = folder / f"{jar.name}.new"
                shutil.copyfile(jar, new)
                new.replace(folder / jar.name)


def _wrong(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    return [name for name, total in wanted.items() if not (folder / name).is_file() or _sum(folder / name) != total]


def _sums() -> dict[str, str]:
    lines = (line.split() for line in SUMS.read_text(encoding="ascii").splitlines())
    return {name: total for total, name in lines}


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _only_one(cache: Path) -> Iterator[None]:
    """A lock among processes, so that two that start at once do not both fetch."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "lock").open("w")
    except OSError as error:
        raise BrokerError(
            f"cannot write to the cache folder {cache} ({error.strerror}): set TRIAGE_CACHE_DIR"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
