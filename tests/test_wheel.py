"""What ships: the wheel is built, installed elsewhere, and runs the demo from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
MARK = "TEST_WHEEL_STARTED"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `triage` command from the wheel alone, in an environment that only borrows the dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=True)
    site = next((folder / "env" / "lib").glob("python*")) / "site-packages"
    python = folder / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    borrowed = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    (site / "zz-borrowed.pth").write_text(f"{borrowed}\n")
    return folder / "env" / "bin" / "triage"


def _marked(mark: str) -> list[list[str]]:
    """What runs that was started with a mark in its environment."""
    return [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["environ"] or {}).get(MARK) == mark
    ]


def test_the_packages_come_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """The code that runs is the installed one, not the source folders."""
    program = "import agents, models, pipeline; print(agents.__file__, models.__file__, pipeline.__file__)"
    done = subprocess.run(
        [installed.with_name("python"), "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    )

    assert 3 == done.stdout.count(str(installed.parents[1]))


def test_the_demo_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """Every post of the sample ends in one place, nothing is left running, and the last line is JSON."""
    done = subprocess.run(
        [installed, "demo", "--json", "--speed", "2400"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, MARK: str(tmp_path)},
    )

    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    lines = [line for line in (ROOT / "agents" / "sample" / "posts.jsonl").read_bytes().splitlines() if line]
    assert len(lines) == found["posts"] >= 600
    assert found["queues"]["reactive"] > 0
    assert found["own"] > 0
    assert len(found["dead"]) >= 5
    assert "/metrics" in done.stderr
    assert [] == _marked(str(tmp_path))
    assert [] == list(tmp_path.iterdir())
