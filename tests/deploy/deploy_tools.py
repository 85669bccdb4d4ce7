"""The tools that tests/deploy runs, as fixtures; what is not there is said by name, and with --all-tools it fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

import box
import dockerfile
import pytest

from agents.broker import Broker
from deploy.strimzi import STRIMZI

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "tweet-triage"
BUILT = ROOT / "build" / "tools"
OURS = Path(sys.executable).parent
"""Programs that come as packages: hadolint and the like."""
NAMES = (
    "helm", "promtool", "prometheus", "amtool", "podsecurity.test", "keda.test", "bwrap", "strimzi",
    "hadolint", "zizmor", "bandit", "pip-audit", "cyclonedx-py",
)  # fmt: skip
TOOLS = {name.replace(".", "_").replace("-", "_"): name for name in NAMES}
"""By fixture the program."""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Left(list[tuple[str, str]]):
    """Tests that could not run, and what each misses."""


def find(name: str) -> str | None:
    """Where a tool is: built by us, else on the path; of what is no program, its folder."""
    if (BUILT / name).is_dir():
        return str(BUILT / name)
    return which(name, path=f"{BUILT}:{OURS}") or which(name)


def pytest_addoption(parser: pytest.Parser) -> None:
    """--all-tools: a missing tool is a failure."""
    parser.addoption("--all-tools", action="store_true", help="fail where a tool is missing")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, and remember, what cannot run here."""
    left = config.stash.setdefault(LEFT, Left())
    if config.getoption("--all-tools"):
        return
    missing = {fixture: name for fixture, name in TOOLS.items() if find(name) is None}
    kept = []
    for item in items:
        used = getattr(item, "fixturenames", ())
        wanted = [f"{name} (bash deploy/tools.sh)" for fixture, name in missing.items() if fixture in used]
        if wanted:
            left.append((item.name, wanted[0]))
        else:
            kept.append(item)
    items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what could not run."""
    left = config.stash.get(LEFT, Left())
    for tool in sorted({tool for _, tool in left}):
        names = sorted({name.partition("[")[0] for name, missing in left if missing == tool})
        terminalreporter.write_line(f"NOT RUN for want of {tool}: {', '.join(names)}")


LEFT = pytest.StashKey[Left]()


def _there(name: str) -> str:
    path = find(name)
    if path is None:
        pytest.fail(f"{name} is not there: bash deploy/tools.sh brings it, or says why not")
    return path


def _runner(name: str) -> Run:
    path = _there(name)

    def run(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        command = [path, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=env, timeout=300)

    return run


@pytest.fixture
def left(pytestconfig: pytest.Config) -> Left:
    """Where a test says what it could not do, and for want of what."""
    return pytestconfig.stash[LEFT]


@pytest.fixture(scope="session")
def helm() -> Run:
    """Helm."""
    return _runner("helm")


@pytest.fixture(scope="session")
def promtool() -> Run:
    """Prometheus' own checker."""
    return _runner("promtool")


@pytest.fixture(scope="session")
def prometheus() -> None:
    """Prometheus itself, which the drill starts."""
    _runner("prometheus")


@pytest.fixture(scope="session")
def amtool() -> Run:
    """Alertmanager's own checker."""
    return _runner("amtool")


@pytest.fixture(scope="session")
def podsecurity_test() -> Run:
    """Kubernetes' own code about pods and objects."""
    return _runner("podsecurity.test")


@pytest.fixture(scope="session")
def keda_test() -> Run:
    """KEDA's own types."""
    return _runner("keda.test")


@pytest.fixture(scope="session")
def strimzi() -> Path:
    """The folder of Strimzi's schemas, one a kind."""
    return Path(_there("strimzi")) / STRIMZI


@pytest.fixture(scope="session")
def hadolint() -> Run:
    """The judge of Dockerfiles."""
    return _runner("hadolint")


@pytest.fixture(scope="session")
def zizmor() -> Run:
    """The judge of workflows."""
    return _runner("zizmor")


@pytest.fixture(scope="session")
def bandit() -> Run:
    """The judge of Python."""
    return _runner("bandit")


@pytest.fixture(scope="session")
def pip_audit() -> Run:
    """Who asks for known vulnerabilities."""
    return _runner("pip-audit")


@pytest.fixture(scope="session")
def cyclonedx_py() -> Run:
    """The maker of lists of what is inside."""
    return _runner("cyclonedx-py")


@pytest.fixture(scope="session")
def bwrap() -> str:
    """Bubblewrap, which gives a process a root of its own; where the system forbids that, it says so."""
    path = find("bwrap")
    if path is None:
        pytest.fail("bwrap is not there: bash deploy/tools.sh brings it, or says why not")
    tried = subprocess.run([path, "--ro-bind", "/", "/", "--unshare-user", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.fail(f"no user namespaces here: sysctl kernel.apparmor_restrict_unprivileged_userns=0? {tried.stderr!r}")
    return path


@pytest.fixture(scope="session")
def image(bwrap: str) -> Iterator[box.Image]:
    """The image, by the steps of deploy/Dockerfile in clean folders."""
    stages = dockerfile.read((ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8"))
    with TemporaryDirectory(prefix="tweet-triage-image-") as folder:
        yield list(box.build(bwrap, stages, ROOT, Path(folder)).values())[-1]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Kafka of the tests' own."""
    with Broker(tmp_path_factory.mktemp("broker"), log=lambda _: None, port=19392) as broker:
        yield broker


@pytest.fixture(scope="session")
def rendered(helm: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `helm template` makes of each value file in ci/."""
    folder = tmp_path_factory.mktemp("rendered")
    for values in sorted((CHART / "ci").glob("*-values.yaml")):
        made = helm("template", "care", CHART, "--namespace", "care", "--values", values)
        assert made.returncode == 0, made.stderr
        (folder / values.name.replace("-values", "")).write_text(made.stdout, encoding="utf-8")
    return folder
