"""What is looked for in the program, its packages and its workflows: dangerous code, vulnerabilities, loose pins."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from deploy_tools import ROOT, Left, Run
from schemas import wrong

PACKAGES = ("pipeline", "agents", "models", "deploy")
LOCKS = ROOT / "requirements"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
KNOWN = {
    ("B105", "agents/fake_x_asked.py"): "no secret: a token that the fake X gives to anybody",
    ("B310", "agents/demo.py"): "an address of our own, on this machine",
    ("B311", "agents/demo_x.py"): "which posts an invented helpdesk answers is no secret",
    ("B311", "agents/fake_x.py"): "the order of invented posts is no secret",
    ("B311", "pipeline/traces.py"): "ids of traces must differ, and may be guessed",
}
"""What bandit finds, and why it may stay; what pyproject.toml skips has its reason there."""


def test_bandit_finds_nothing_new(bandit: Run) -> None:
    """No more than what is known, and nothing known that is gone; no line of ours tells it to look away."""
    found = bandit("--configfile", "pyproject.toml", "--format", "json", "--quiet", "--recursive", *PACKAGES)

    report = json.loads(found.stdout)
    assert set(KNOWN) == {(one["test_id"], one["filename"]) for one in report["results"]}
    assert [] == report["errors"]
    assert 0 == report["metrics"]["_totals"]["nosec"]


def _pins(lock: str) -> set[tuple[str, str]]:
    text = (LOCKS / f"{lock}.txt").read_text(encoding="utf-8")
    return set(re.findall(r"(?m)^([\w.-]+)==([^ ;]+)", text))


@pytest.mark.parametrize("lock", ["image", "wheel", "uv"])
def test_no_known_vulnerability(lock: str, pip_audit: Run, left: Left) -> None:
    """In what ships and what it is built with, where there is an answer."""
    found = pip_audit(
        "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json",
        "--requirement", LOCKS / f"{lock}.txt",
    )  # fmt: skip

    assert found.stdout or "ConnectionError" in found.stderr, found.stderr
    packages = json.loads(found.stdout)["dependencies"] if found.stdout else []
    if all("skip_reason" in one for one in packages):
        left.append((f"test_no_known_vulnerability[{lock}]", "an answer of PyPI about vulnerabilities"))
    assert [] == [one for one in packages if one.get("vulns")]


def test_the_list_of_contents_is_complete(cyclonedx_py: Run) -> None:
    """`make sbom` names us, and every locked package of the image with its version, address and hashes."""
    assert 0 == cyclonedx_py("--version").returncode
    made = subprocess.run(["make", "--silent", "sbom"], capture_output=True, text=True, check=False, cwd=ROOT)

    assert 0 == made.returncode, made.stderr
    found = json.loads((ROOT / "build" / "sbom.json").read_text(encoding="utf-8"))
    assert "tweet-triage" == found["metadata"]["component"]["name"]
    assert _pins("image") == {(one["name"], one["version"]) for one in found["components"]}
    assert all(one["purl"].startswith(f"pkg:pypi/{one['name']}@{one['version']}") for one in found["components"])
    assert all(one["externalReferences"][0]["hashes"] for one in found["components"])


def test_workflows_are_safe(zizmor: Run) -> None:
    """No finding of zizmor's, of any severity."""
    found = zizmor("--offline", "--no-progress", ".github")

    assert 0 == found.returncode, found.stdout + found.stderr
    assert "No findings to report" in found.stdout + found.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_workflows(path: Path) -> None:
    """By GitHub's schema; each begins with no right, each job names its own, and an end."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    workflow["on"] = workflow.pop(True)  # what YAML makes of the word
    jobs = workflow["jobs"].values()

    assert [] == wrong("github-workflows", workflow)
    assert {} == workflow["permissions"]
    assert all("permissions" in job for job in jobs)
    assert all("timeout-minutes" in job or "uses" in job for job in jobs)


def test_what_must_be_green_is_run_once() -> None:
    """`.ci/run` has every stage; the workflow asks for all tools, and runs no stage again in its ninety minutes."""
    [workflow] = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in WORKFLOWS if path.stem == "ci"]
    steps = workflow["jobs"]["ci"]["steps"]
    ours = [
        (one["run"], one.get("env")) for one in steps if ".ci/run" in one.get("run", "") or "make" in one.get("run", "")
    ]

    assert [("bash .ci/run", {"ALL_TOOLS": "--all-tools"})] == ours


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned(path: Path) -> None:
    """By commit, with the version that it is; a workflow of our own is of the same commit."""
    uses = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    pinned = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\$/\.github/workflows/\w+\.yml")

    assert uses
    assert [] == [one for one in uses if not pinned.fullmatch(one)]


def test_dependabot_renews_what_is_pinned() -> None:
    """By GitHub's schema; every folder that it looks into is there."""
    found = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))
    folders = {folder for one in found["updates"] for folder in one.get("directories", [one.get("directory")])}

    assert [] == wrong("dependabot", found)
    assert {"docker", "docker-compose", "github-actions", "gomod"} == {
        one["package-ecosystem"] for one in found["updates"]
    }
    assert all((ROOT / folder.lstrip("/")).is_dir() for folder in folders)
