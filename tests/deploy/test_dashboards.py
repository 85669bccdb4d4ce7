"""The dashboards: fresh, readable by Prometheus, of metrics that are there, with units and thresholds."""

from __future__ import annotations

import json
import re
from typing import Any

import promql_parser
import pytest
from deploy_tools import ROOT

from deploy import registry
from deploy.grafana.build import BOARDS
from deploy.prometheus import rules

FOLDER = ROOT / "deploy" / "grafana" / "dashboards"
DASHBOARDS = {name: json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in BOARDS}
DUMP = registry.series(json.loads(registry.FILE.read_text(encoding="utf-8")))
RECORDED = {
    rule["record"]: rule["expr"] for group in rules.document()["groups"] for rule in group["rules"] if "record" in rule
}
RECORDED_LABELS = {"namespace", "brand", "stage", "up_to", "band", "what", "against"}
TARGET_LABELS = {"namespace", "job", "instance", "pod", "component", "le", "program"}
"""What Prometheus itself adds, or a histogram; `program` and `version` say what runs."""


def _panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def _expressions() -> list[tuple[str, str]]:
    return [
        (f"{name}: {panel['title']}", target["expr"])
        for name, dashboard in DASHBOARDS.items()
        for panel in _panels(dashboard)
        for target in panel["targets"]
    ]


def _rules() -> list[tuple[str, str]]:
    return [
        (rule.get("record") or rule["alert"], rule["expr"])
        for group in rules.document()["groups"]
        for rule in group["rules"]
    ]


def _names(expr: str) -> set[str]:
    return set(re.findall(r"\b(?:triage_|triage:|process_)[a-zA-Z0-9_:]+", re.sub(r'"[^"]*"', '""', expr)))


EXPRESSIONS = [*_expressions(), *_rules()]
IDS = [where for where, _ in EXPRESSIONS]


@pytest.mark.parametrize("expr", [expr for _, expr in EXPRESSIONS], ids=IDS)
def test_every_expression_parses(expr: str) -> None:
    """As PromQL, with Grafana's own words put in."""
    assert promql_parser.parse(expr.replace("$__rate_interval", "5m")) is not None


@pytest.mark.parametrize("expr", [expr for _, expr in EXPRESSIONS], ids=IDS)
def test_every_metric_is_one_of_ours(expr: str) -> None:
    """Of the dump of what our programs really have, or recorded by our rules."""
    assert _names(expr) <= {*DUMP, *RECORDED}
    assert _names(expr) or expr == "vector(1)"


@pytest.mark.parametrize("expr", [expr for _, expr in EXPRESSIONS], ids=IDS)
def test_every_label_is_one_of_the_metric(expr: str) -> None:
    """What is summed by, or matched, are labels that one of the metrics has."""
    labels = {label for name in _names(expr) for label in DUMP.get(name, set())}
    labels |= RECORDED_LABELS if any(":" in name for name in _names(expr)) else set()
    used = {
        label.strip()
        for inside in re.findall(r"\b(?:by|on) \(([^)]*)\)", expr)
        for label in inside.split(",")
        if label.strip()
    } | set(re.findall(r'([a-z_]+)(?:=~|!~|!=|=)"', expr))

    assert used <= labels | TARGET_LABELS


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_has_unit_thresholds_and_words(name: str) -> None:
    """And an id of its own, within the width of the page."""
    panels = _panels(DASHBOARDS[name])

    assert all(panel["fieldConfig"]["defaults"]["unit"] for panel in panels)
    assert all(panel["fieldConfig"]["defaults"]["thresholds"]["steps"] for panel in panels)
    assert all(panel["description"] and panel["targets"] for panel in panels)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels)
    ids = [panel["id"] for panel in DASHBOARDS[name]["panels"]]
    assert sorted(set(ids)) == sorted(ids)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


@pytest.mark.parametrize("name", BOARDS)
def test_no_two_panels_lie_on_each_other(name: str) -> None:
    """Each place of the page is of one panel."""
    places = [
        (x, y)
        for panel in DASHBOARDS[name]["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(set(places)) == len(places)


def test_the_boards_are_three_with_fixed_addresses() -> None:
    """So that links to them last."""
    assert ["tweet-triage-service", "tweet-triage-stream", "tweet-triage-model"] == [
        dashboard["uid"] for dashboard in DASHBOARDS.values()
    ]


def test_nearly_all_metrics_are_shown() -> None:
    """What nobody shows, nobody looks at."""
    shown = {name for _, expr in EXPRESSIONS for name in _names(expr)}
    unseen = {re.sub(r"_(bucket|sum|count)$", "", name) for name in DUMP} - {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in shown
    }

    assert unseen == {"process_max_fds", "process_virtual_memory_bytes"}
