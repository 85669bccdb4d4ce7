"""docs/operate.md: what it names is there."""

from __future__ import annotations

import io
import json
import logging
import re
from pathlib import Path

import pytest
import yaml

from agents import logs
from deploy import registry
from deploy.prometheus import rules
from pipeline.settings import Settings

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
RULES = [rule for group in rules.document()["groups"] for rule in group["rules"]]
SERIES = registry.series({program: registry.dump(program) for program in registry.MAKERS})
NAMES = set(SERIES) | {re.sub("_(bucket|sum|count)$", "", name) for name in SERIES}
NO_METRICS = {"triage_api", "triage_attempt"}


def test_every_metric_is_one_that_a_program_has() -> None:
    """By the registries of the four, as they are now, and the rules that are made of them."""
    named = set(re.findall(r"\b(?:triage_|triage:|process_)[a-z0-9_:]+[a-z0-9]", PAGE)) - NO_METRICS

    assert len(named) > 30
    assert named <= NAMES | {rule["record"] for rule in RULES if "record" in rule} | {"triage_"}


def test_every_alert_is_one_of_ours() -> None:
    """With its page."""
    named = set(re.findall(r"\bTriage[A-Z]\w+", PAGE))

    assert named <= {rule["alert"] for rule in RULES if "alert" in rule}
    assert all((ROOT / "deploy" / "runbooks" / f"{name}.md").exists() for name in named)


def test_its_links_lead_somewhere() -> None:
    """Within the repository."""
    assert [] == [link for link in re.findall(r"\]\(([^)#]+)", PAGE) if not (ROOT / "docs" / link).exists()]


def test_the_line_of_log_that_it_shows_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same fields as a line that is logged now; and those are in its table."""
    [shown] = [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)]
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.json_lines("triage"))
    logger = logging.getLogger("agents.sender")
    monkeypatch.setattr(logger, "handlers", [handler])

    logger.warning("a batch was refused", extra={"topic": "queue.reactive", "partition": 4})

    assert shown.keys() == json.loads(stream.getvalue()).keys()
    table = PAGE.partition("| Field | |")[2].partition("\n\n")[0]
    assert shown.keys() <= set(re.findall(r"`(\w+)`", table))


def test_its_settings_are_settings() -> None:
    """As they stand there."""
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)

    assert Settings.model_validate(yaml.safe_load(block)).traces.exported
