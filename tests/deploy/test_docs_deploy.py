"""docs/deploy.md: its commands are commands, its values render, its tables are those of the project."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from commands import parse
from deploy_tools import CHART, ROOT, Run

from agents.worker import STOP_WITHIN_S
from pipeline.access import ACCESS, Access
from pipeline.settings import Settings
from pipeline.topics import TOPICS

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
LINES = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
SERVICES = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))["services"]
ARGUMENTS = re.findall(r"(?m)^ARG (\w+)", (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8"))
TARGETS = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"))
TO_BE_MADE = {"deploy/compose/real-x.env", "deploy/compose/real-x.yaml"}
VERBS = {"create", "get", "exec", "rollout"}


def _exists(path: str) -> None:
    assert path in TO_BE_MADE or (ROOT / path).exists(), path


def _after(words: list[str], *flags: str) -> list[str]:
    return [word for flag, word in pairwise(words) if flag in flags]


def _docker(words: list[str]) -> None:
    """Files, build arguments and services are there; what runs in the image is a command of ours."""
    for path in _after(words, "-f", "--env-file"):
        _exists(path)
    assert {one.partition("=")[0] for one in _after(words, "--build-arg")} <= set(ARGUMENTS)
    assert {one.partition("=")[0] for one in _after(words, "--scale")} <= set(SERVICES)
    if "run" in words:
        start = next(number for number, word in enumerate(words) if word in (*SERVICES, "tweet-triage:dev"))
        parse(words[start + 1 :])


def _helm(words: list[str]) -> None:
    """The chart is where it says."""
    assert words[1] in ("upgrade", "test", "rollback")
    assert words[1] != "upgrade" or "deploy/helm/tweet-triage" in words


def _kubectl(words: list[str]) -> None:
    """Known words; what runs in a pod is a command of ours."""
    assert set(words) & VERBS
    if "--" in words:
        inside = words[words.index("--") + 1 :]
        assert "triage" == inside[0]
        parse(inside[1:])


def _make(words: list[str]) -> None:
    assert set(words[1:]) <= set(TARGETS)


def _cp(words: list[str]) -> None:
    for path in words[1:]:
        _exists(path)


def _gh(words: list[str]) -> None:
    assert ["attestation", "verify"] == words[1:3]


KNOWN: dict[str, Callable[[list[str]], None]] = {
    "docker": _docker, "helm": _helm, "kubectl": _kubectl, "make": _make, "cp": _cp, "gh": _gh,
}  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_commands_are_commands(line: str) -> None:
    """Each names files, services, targets and commands of ours that are there."""
    words = shlex.split(line)

    KNOWN[words[0]](words)


def test_the_values_render(helm: Run, tmp_path: Path) -> None:
    """Into four programs and the job that makes the topics."""
    [text] = [text for language, text in BLOCKS if language == "yaml"]
    values = tmp_path / "values.yaml"
    values.write_text(text)

    found = helm("template", "care", CHART, "--namespace", "care", "--values", values)

    assert 0 == found.returncode, found.stderr
    kinds = [one["kind"] for one in yaml.safe_load_all(found.stdout) if one]
    names = [one["metadata"]["name"] for one in yaml.safe_load_all(found.stdout) if one]
    assert 4 == kinds.count("StatefulSet")
    assert {"Job", "PodMonitor", "PrometheusRule"} <= set(kinds)
    assert {"care-tweet-triage-triage", "care-tweet-triage-responses"} <= set(names)


@pytest.mark.parametrize("one", ACCESS, ids=lambda one: one.name)
def test_rights_are_those_of_the_table(one: Access) -> None:
    """User, topics, groups."""
    reads = "all" if one.creates else ", ".join(one.reads) or f"sees {', '.join(one.sees)}"
    groups = ", ".join(group.default for group in one.groups) or (f"{one.any_group}*" if one.any_group else "")
    row = f"| {one.name} | {reads} | {', '.join(one.writes)} | {groups} |"

    assert row in PAGE


def test_numbers_are_those_of_the_program() -> None:
    """Topics, partitions, port, user, times."""
    settings = Settings()
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    drains = {name: one["drainSeconds"] for name, one in values["components"].items()}

    assert f"| Topics | {len(TOPICS)}, " in PAGE
    assert f"`topics.partitions`, {settings.topics.partitions}:" in PAGE
    assert f"| Port | {settings.metrics.port}: " in PAGE
    assert f"| User | {values['runAsUser']}:{values['fsGroup']}, " in PAGE
    assert f"within {STOP_WITHIN_S:.0f} s (listener {drains['listener']} s, poster {drains['poster']} s)" in PAGE


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)", PAGE))
def test_links_lead_somewhere(link: str) -> None:
    """Every file that the page points at is there."""
    assert (ROOT / "docs" / link).resolve().exists()
