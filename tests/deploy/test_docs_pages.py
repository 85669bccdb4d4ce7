"""docs/configure.md, train.md, alarms.md: commands and settings are such, no alert is left out; and the site."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from commands import parse
from deploy_tools import ROOT

from deploy.prometheus import rules
from deploy.settings_page import rows
from pipeline.settings import Settings

PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("configure", "train", "alarms")}
BLOCKS = [
    (name, *block) for name, page in PAGES.items() for block in re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL)
]
LINES = [
    (name, line.strip()) for name, language, text in BLOCKS if language == "sh" for line in text.strip().splitlines()
]
TARGETS = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"))
ALERTS = {rule["alert"]: rule for group in rules.document()["groups"] for rule in group["rules"] if "alert" in rule}


@pytest.mark.parametrize(("page", "line"), LINES)
def test_commands_are_commands(page: str, line: str) -> None:
    """`triage` takes its words, also in a loop, `make` has the target; what is other is a reader's own tool."""
    loop = re.match(r"for \w+ in [^;]+; do (.*); done", line)
    words = shlex.split(loop[1].replace("$queue", "reactive") if loop else line.partition(" >")[0])

    if words[0] == "triage":
        parse(words[1:])
    elif words[0] == "make":
        assert set(words[1:]) <= set(TARGETS)
    else:
        assert words[0] in ("curl", "python"), page


@pytest.mark.parametrize("text", [text for _, kind, text in BLOCKS if kind == "yaml"])
def test_settings_are_settings(text: str) -> None:
    """As they stand there, checked as the program does."""
    Settings.model_validate(yaml.safe_load(text))


def test_every_setting_is_explained() -> None:
    """In a line under it in the code, from which docs/settings.md is made."""
    assert [] == [row.key for row in rows() if not row.meaning]


def test_every_alert_stands_on_the_page_of_alarms() -> None:
    """Under whom it calls, with its page."""
    table = PAGES["alarms"].partition("| What the customer feels")[2].partition("\n\n")[0]
    columns = list(zip(*(line.strip("| ").split(" | ") for line in table.splitlines()[2:]), strict=True))
    for name, rule in ALERTS.items():
        if name != "TriageWatchdog":
            assert f"[{name}](../deploy/runbooks/{name}.md)" in " ".join(columns[rule["labels"]["team"] == "on-call"])


def test_the_site_is_built(tmp_path: Path) -> None:
    """By mkdocs, strictly: every link and every anchor leads somewhere; the pages are the files of the repository."""
    config = ROOT / "deploy" / "site" / "mkdocs.yml"

    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "-d", tmp_path],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert 0 == built.returncode, built.stderr
    assert "Deploy" in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert {page.stem for page in (ROOT / "docs").glob("*.md")} <= {page.name for page in (tmp_path / "docs").iterdir()}
