"""The laptop: compose.yaml by its schema, by what it mounts and says, and its programs together, without Docker."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, NamedTuple
from urllib.request import urlopen

import box
import psutil
import pytest
import yaml
from commands import parse
from deploy_tools import CHART, ROOT, Run
from schemas import wrong

from agents import clients
from agents.broker import Broker
from agents.broker_properties import PROPERTIES
from agents.jars import KAFKA
from agents.ports import free_port
from pipeline import settings as settings_module
from pipeline.settings import Settings
from pipeline.settings_kafka import Kafka
from pipeline.topics import QUEUE_TOPICS, TOPICS

FOLDER = ROOT / "deploy"
FILE = FOLDER / "compose.yaml"
COMPOSE = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("tweet-triage:")}
PROGRAMS = ("triage", "responses", "listener", "poster")
COMPONENTS = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["components"]
PROMETHEUS = yaml.safe_load((FOLDER / "compose" / "prometheus.yaml").read_text(encoding="utf-8"))
WITHIN_S = 90.0


def _default(text: str) -> str:
    """A value of compose.yaml where no variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def _volumes(service: dict[str, Any]) -> dict[str, Path | str]:
    """By place in the container the file or folder, or the name of a volume."""
    found: dict[str, Path | str] = {}
    for line in map(_default, service.get("volumes", [])):
        source, target, *_ = line.split(":")
        found[target] = (FOLDER / source).resolve() if source.startswith(".") else source
    return found


def _variables(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _env(service: dict[str, Any]) -> dict[str, str]:
    files = [_variables(FOLDER / _default(name)) for name in service.get("env_file", [])]
    said: dict[str, str] = service["environment"]
    return {name: value for file in files for name, value in file.items()} | said


def test_it_is_a_compose_file() -> None:
    """By the specification's own schema."""
    assert [] == wrong("compose-spec", COMPOSE)


def test_what_is_mounted_is_there() -> None:
    """Every file and folder in the repository, to be read only; every volume declared."""
    for service in SERVICES.values():
        for target, source in _volumes(service).items():
            if isinstance(source, Path):
                assert source.exists(), source
                assert any(line.endswith(f"{target}:ro") for line in service["volumes"]), target
            else:
                assert source in COMPOSE["volumes"]
        assert all((FOLDER / _default(name)).is_file() for name in service.get("env_file", []))
        assert all((FOLDER / service["build"][key]).exists() for key in ("context",) if "build" in service)


def test_images_are_pinned() -> None:
    """To a version; Kafka's is that of the embedded one."""
    others = {name: one["image"] for name, one in SERVICES.items() if name not in OURS}

    assert all(re.fullmatch(r"docker\.io/[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", image) for image in others.values())
    assert f"docker.io/apache/kafka:{KAFKA}" == others["kafka"]


def test_nobody_else_gets_in() -> None:
    """Every port is this machine's own."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert len(ports) > 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", OURS)
def test_commands_are_commands(name: str) -> None:
    """As the program's own parser takes them; those of the chart's components are the chart's."""
    parse(OURS[name]["command"])

    assert name not in COMPONENTS or COMPONENTS[name]["command"] == OURS[name]["command"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_settings_are_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that is mounted and the variables together."""
    service = OURS[name]
    for variable, value in _env(service).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv("TRIAGE_SETTINGS")

    found = settings_module.load(Path(_volumes(service)[service["environment"]["TRIAGE_SETTINGS"]]))

    assert 12 == len(found.brands)
    assert found.x.base_url == "http://fake-x:8321"
    assert 8321 == int(SERVICES["fake-x"]["ports"][0].rpartition(":")[2])


def test_the_example_for_x_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variables are those that compose.yaml asks for, and settings; its paths lead to the other example."""
    variables = _variables(FOLDER / "compose" / "real-x.env.example")
    asked = set(re.findall(r"\$\{(\w+):-", FILE.read_text(encoding="utf-8")))
    for name, value in variables.items():
        if name.startswith("TRIAGE_"):
            monkeypatch.setenv(name, value or "given")

    found = settings_module.load(FOLDER / f"{variables['SETTINGS_FILE']}.example")

    assert {"SETTINGS_FILE", "X_ENV_FILE"} == asked - {"TAG"} == {one for one in variables if "TRIAGE" not in one}
    assert "compose/real-x.env" == variables["X_ENV_FILE"]
    assert "given" == found.x.bearer()
    assert found.x.base_url is None
    assert found.kafka == settings_module.load(FOLDER / "compose" / "fake-x.yaml").kafka


@pytest.mark.parametrize("name", OURS)
def test_programs_may_nothing(name: str) -> None:
    """Read-only root, no rights, room in /tmp alone."""
    service = OURS[name]

    assert service["read_only"] is True
    assert ["ALL"] == service["cap_drop"]
    assert ["no-new-privileges:true"] == service["security_opt"]
    assert all(one.startswith("/tmp:") for one in service["tmpfs"])


def test_the_listener_has_room_to_spill() -> None:
    """More than it spills at most."""
    [tmp] = OURS["listener"]["tmpfs"]
    [size] = re.findall(r"size=(\d+)m", tmp)

    assert int(size) * 1024**2 > Settings().listener.spill.bytes


def test_kafka_is_told_what_the_embedded_one_is() -> None:
    """Where both are told something, but for how soon one notices a dead one."""
    said = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in SERVICES["kafka"]["environment"].items()
    }
    both = said.keys() & PROPERTIES.keys()

    assert {name: PROPERTIES[name] for name in both} == {name: said[name] for name in both}
    assert {"auto.create.topics.enable", "message.max.bytes", "offsets.topic.replication.factor"} <= both


def test_kafka_is_found() -> None:
    """Inside by its service's name, from outside on this machine."""
    environment = SERVICES["kafka"]["environment"]
    places = dict(one.split("://") for one in environment["KAFKA_ADVERTISED_LISTENERS"].split(","))
    settings = settings_module.load(FOLDER / "compose" / "fake-x.yaml")

    assert (places["INSIDE"],) == settings.kafka.bootstrap_servers
    assert (places["OUTSIDE"],) == Kafka().bootstrap_servers
    assert f"{places['OUTSIDE']}:9092" == SERVICES["kafka"]["ports"][0]


def test_prometheus_looks_where_the_programs_are(promtool: Run, tmp_path: Path) -> None:
    """Each program, at its port; the configuration is one, with the rules that are mounted."""
    [job] = PROMETHEUS["scrape_configs"]
    [where] = job["dns_sd_configs"]
    mounted = _volumes(SERVICES["prometheus"])
    config = tmp_path / "prometheus.yaml"
    text = (FOLDER / "compose" / "prometheus.yaml").read_text(encoding="utf-8")
    for target, source in mounted.items():
        text = text.replace(target, str(source)) if isinstance(source, Path) else text
    config.write_text(text, encoding="utf-8")

    found = promtool("check", "config", config)

    assert 0 == found.returncode, found.stdout + found.stderr
    assert "rules found" in found.stdout
    assert PROGRAMS == tuple(where["names"])
    assert {str(where["port"])} == {OURS[name]["environment"]["TRIAGE_METRICS__PORT"] for name in PROGRAMS}
    assert {"component", "namespace"} == {one["target_label"] for one in job["relabel_configs"]}
    assert ["alertmanager:9093"] == PROMETHEUS["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    """By the services' names and the places of mounts; its first page is one of them."""
    mounted = _volumes(SERVICES["grafana"])
    [source] = yaml.safe_load((FOLDER / "compose" / "grafana" / "datasources.yaml").read_text())["datasources"]
    [provider] = yaml.safe_load((FOLDER / "compose" / "grafana" / "dashboards.yaml").read_text())["providers"]
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])

    assert "http://prometheus:9090" == source["url"]
    assert FOLDER / "grafana" / "dashboards" == mounted[provider["options"]["path"]]
    assert str(home.parent) == provider["options"]["path"]
    assert (FOLDER / "grafana" / "dashboards" / home.name).is_file()
    assert 2 == sum(target.startswith("/etc/grafana/provisioning/") for target in mounted)


class Running(NamedTuple):
    """A service that was started, where it answers, what it may write."""

    bwrap: subprocess.Popen[str]
    port: int
    tmp: Path
    log: Path

    def ready(self) -> bool:
        """Whether it says so."""
        assert self.bwrap.poll() is None, self.log.read_text(encoding="utf-8")
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1):
                return True
        except OSError:
            return False

    def end(self) -> int:
        """Its exit code when it is told to stop."""
        [program] = psutil.Process(self.bwrap.pid).children()
        program.terminate()
        return self.bwrap.wait(40)


class Laptop:
    """Starts services of compose.yaml in the image, with other ports, on a Kafka of the tests' own."""

    def __init__(self, image: box.Image, broker: Broker, folder: Path) -> None:
        self._image = image
        self._folder = folder
        self._x = free_port(18321)
        self._names: list[str] = []
        self._changed = {
            "TRIAGE_KAFKA__BOOTSTRAP_SERVERS": json.dumps([broker.bootstrap]),
            "TRIAGE_X__BASE_URL": f"http://127.0.0.1:{self._x}",
        }

    def once(self, name: str) -> str:
        """What a service says that ends."""
        done = subprocess.run(self._command(name, 0), capture_output=True, text=True, check=False, timeout=120)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    @contextmanager
    def running(self, name: str, **env: str) -> Iterator[Running]:
        """A service, ended with the test."""
        log = self._folder / f"{name}.log"
        port = free_port(19464 + 10 * len(self._names))
        self._names.append(name)
        command = self._command(name, port, **env)
        with log.open("w") as output, subprocess.Popen(command, stderr=output, stdout=output, text=True) as process:
            try:
                yield Running(process, port, self._folder / name, log)
            finally:
                process.kill()

    def _command(self, name: str, port: int, **env: str) -> list[str]:
        service = OURS[name]
        words = [word.replace("8321", str(self._x)).replace("0.0.0.0", "127.0.0.1") for word in service["command"]]
        here = {} if name == "fake-x" else self._changed | {"TRIAGE_METRICS__PORT": str(port)}
        volumes = {target: Path(source) for target, source in _volumes(service).items()}
        tmp = self._folder / name
        tmp.mkdir(exist_ok=True)
        tmp.chmod(0o777)
        env = _env(service) | here | env
        return self._image.command(*self._image.entrypoint, *words, tmp=tmp, env=env, volumes=volumes)


def _until(true: Callable[[], bool]) -> None:
    deadline, never = monotonic() + WITHIN_S, Event()
    while not true():
        assert monotonic() < deadline
        never.wait(0.1)


@pytest.fixture
def laptop(image: box.Image, broker: Broker, tmp_path: Path) -> Laptop:
    """The image on a Kafka."""
    return Laptop(image, broker, tmp_path)


@pytest.mark.parametrize("compiled", ["", "1"], ids=["amd64", "arm64"])
def test_all_of_it_runs(laptop: Laptop, broker: Broker, compiled: str) -> None:
    """Topics are made, all get ready, posts of the crowd come into queues; told to stop, all do; nothing is written.

    On arm64 Faust has no compiled parts: NO_CYTHON leaves them out here too.
    """
    made = laptop.once("topics")
    settings = Settings(kafka=Kafka(bootstrap_servers=(broker.bootstrap,)))

    with ExitStack() as stack:
        stack.enter_context(laptop.running("fake-x"))
        started = {name: stack.enter_context(laptop.running(name, NO_CYTHON=compiled)) for name in PROGRAMS}
        _until(lambda: all(one.ready() for one in started.values()))
        with closing(clients.consumer(settings.kafka)) as consumer:
            _until(lambda: any(next(clients.stored(consumer, topic), None) for topic in QUEUE_TOPICS))
        codes = {name: one.end() for name, one in started.items()}

    assert all(topic.name in made for topic in TOPICS)
    assert dict.fromkeys(PROGRAMS, 0) == codes
    assert [] == [path for one in started.values() for path in one.tmp.iterdir()]
