"""The rules: alert = unit test = runbook, spans by a factor, and whom each calls."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_tools import ROOT, Run
from prometheus_client import CollectorRegistry

from deploy.prometheus import rules
from deploy.prometheus.machines import ALIVE
from deploy.prometheus.rule import Numbers, Severity, Source, Team
from deploy.prometheus.spans import Spans
from pipeline.response_metrics import ResponseMetrics
from pipeline.settings import Settings

FOLDER = ROOT / "deploy" / "prometheus"
RUNBOOKS = ROOT / "deploy" / "runbooks"
ALERTS = rules.alerts(Source(Spans(), Numbers()))
NAMES = sorted({alert.name for alert in ALERTS})
UNIT_TESTS = sorted((FOLDER / "tests").glob("*.yaml"))
BURNS = {"14.4", "6", "3", "1"}


def _expressions(document: dict[str, Any]) -> list[str]:
    return [rule["expr"] for group in document["groups"] for rule in group["rules"]]


def test_alert_is_unit_test_is_runbook() -> None:
    """Each alert has a unit test and a page, and none of these is about an alert that is not there."""
    assert NAMES == [path.stem for path in UNIT_TESTS]
    assert NAMES == sorted(path.stem for path in RUNBOOKS.glob("*.md"))


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_a_unit_test_sees_its_alert_fire_and_be_quiet(path: Path) -> None:
    """Each names its own alert, when it fires and, all but the watchdog, which never does, when it does not."""
    checks = [check for one in yaml.safe_load(path.read_text())["tests"] for check in one["alert_rule_test"]]
    own = [check["exp_alerts"] for check in checks if check["alertname"] == path.stem]

    assert any(own)
    assert path.stem == "TriageWatchdog" or not all(own)


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_end_when_they_should(path: Path, promtool: Run) -> None:
    """It does, says promtool, on the real windows."""
    found = promtool("test", "rules", path)

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("factor", [1, 60])
def test_promtool_takes_the_rules(factor: int, promtool: Run, tmp_path: Path) -> None:
    """In life and in a drill."""
    path = tmp_path / "rules.yaml"
    path.write_text(rules.text(rules.document(factor=factor, numbers=Numbers(select='namespace="care"'))))

    found = promtool("check", "rules", path)

    assert found.returncode == 0, found.stdout + found.stderr


def test_a_program_without_targets_is_there() -> None:
    """Where no queue has a target nobody waits, and the responses worker runs all the same."""
    registry = CollectorRegistry()
    ResponseMetrics(registry, Settings(), [])

    assert registry.get_sample_value(ALIVE["responses"]) is not None


def test_a_program_that_is_not_run_calls_nobody() -> None:
    """Without a poster no alert says that there is none."""
    found = rules.document(programs=("triage", "responses"))
    components = {
        rule["labels"]["component"] for group in found["groups"] for rule in group["rules"] if "alert" in rule
    }

    assert {"any", "triage", "responses"} == components


def test_a_drill_differs_in_spans_alone() -> None:
    """With all spans taken out, the rules of a drill are those of life."""
    span = re.compile(r"\d+(ms|s|m|h|d|w)\b|> (60|1)$|\* (600|10)$")

    real, drill = (rules.text(rules.document(factor=factor)).splitlines() for factor in (1, 60))

    assert [span.sub("", line) for line in real] == [span.sub("", line) for line in drill]
    assert real != drill


@pytest.mark.parametrize(
    ("factor", "span", "expected"),
    [(1, "5m", "5m"), (60, "5m", "5s"), (60, "1h", "1m"), (60, "3d", "72m"), (60, "30s", "500ms"), (1, "1w", "1w")],
)
def test_spans(factor: int, span: str, expected: str) -> None:
    """Divided, in the largest unit that says it exactly."""
    assert expected == Spans(factor)(span)


def test_budgets_burn_in_two_windows_with_a_guard() -> None:
    """Four burn rates, each in a long and a short window, and not with few posts, nor with few late ones."""
    found = [alert.expr for alert in ALERTS if "Budget" in alert.name]

    assert BURNS == {burn for expr in found for burn in re.findall(r"> ([\d.]+) \*", expr)}
    assert all(expr.count("ratio_") == 4 and expr.count(":increase_") == 4 for expr in found)
    assert all(expr.count("_late:increase_") == 2 for expr in found)


def test_business_calls_the_lead_and_machines_the_engineer() -> None:
    """Every alert says how soon and whom; no response time wakes an engineer."""
    lead = {alert.name for alert in ALERTS if alert.team is Team.LEAD}

    assert {"TriageAnswerBudgetFast", "TriageOldestWaiting", "TriageBacklog", "TriageCost"} <= lead
    assert {"TriageNoProgress", "TriageLag", "TriageRoutingBudgetFast", "TriageIngestSilence"}.isdisjoint(lead)
    assert [alert.name for alert in ALERTS if alert.severity is Severity.NONE] == ["TriageWatchdog"]


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_says_what_it_means_how_to_look_what_to_do(name: str) -> None:
    """Three parts, in this order, none of them empty; and its links lead to other pages that are there."""
    page = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.*)$", page, flags=re.MULTILINE)

    assert [f"# {name}", "What it means", "How to look", "What to do"] == [parts[0].strip(), *parts[1::2]]
    assert all(len(part.strip()) > 40 for part in parts[2::2])
    assert all((RUNBOOKS / link).exists() for link in re.findall(r"\]\(([^)]+)\)", page))


def test_select_stands_in_every_series() -> None:
    """A release in its own namespace judges its own series only."""
    found = _expressions(rules.document(numbers=Numbers(select='namespace="care"')))

    bare = [expr for expr in found if re.search(r"triage_[a-z_]+(?![a-z_{])", re.sub(r"\{[^}]*\}", "{", expr))]
    assert bare == []
    assert all('namespace="care"' in expr for expr in found if expr != "vector(1)")


def test_the_alertmanager_example_routes(amtool: Run) -> None:
    """It is valid, and calls whom it should."""
    config = f"--config.file={FOLDER / 'alertmanager.yaml'}"
    asked = {
        "alertname=TriageWatchdog": "dead-man",
        "team=team-lead,severity=critical": "team-lead",
        "team=team-lead,severity=warning": "team-lead",
        "team=on-call,severity=critical": "on-call",
        "team=on-call,severity=warning": "on-call-tickets",
    }

    answers = {
        labels: amtool("config", "routes", "test", config, *labels.split(",")).stdout.strip() for labels in asked
    }

    assert 0 == amtool("check-config", FOLDER / "alertmanager.yaml").returncode
    assert asked == answers
