"""The example for Alertmanager: what a fault brings about is held back, another fault beside it is not.

Debian's Alertmanager does not start without its templates in /usr/share, so how it inhibits is written down here.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from deploy_tools import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
RULES = yaml.safe_load((FOLDER / "alertmanager.yaml").read_text(encoding="utf-8"))["inhibit_rules"]
Labels = dict[str, str]


def _labels(alert: str, component: str | None = None, **more: str) -> Labels:
    """As the rules give them, by the rule's own unit test; some of them otherwise."""
    tests = yaml.safe_load((FOLDER / "tests" / f"{alert}.yaml").read_text(encoding="utf-8"))["tests"]
    fired: list[Labels] = [
        one["exp_labels"] for test in tests for check in test["alert_rule_test"] for one in check["exp_alerts"]
    ]
    found = next(one for one in fired if component in (None, one["component"]))
    return {"alertname": alert, **found, **more}


def _matches(matcher: str, labels: Labels) -> bool:
    """A label that is not there is empty; regular expressions are anchored at both ends."""
    name, how, value = re.fullmatch(r'(\w+)\s*(=~|!~|!=|=)\s*"(.*)"', matcher).groups()  # type: ignore[union-attr]
    has = labels.get(name, "")
    same = re.fullmatch(value, has) is not None if "~" in how else value == has
    return same != how.startswith("!")


def _holds_back(rule: dict[str, Any], source: Labels, target: Labels) -> bool:
    return (
        all(_matches(matcher, source) for matcher in rule["source_matchers"])
        and all(_matches(matcher, target) for matcher in rule["target_matchers"])
        and all(source.get(name, "") == target.get(name, "") for name in rule.get("equal", ()))
    )


def held_back(source: Labels, target: Labels) -> bool:
    """Whether one alert holds another back."""
    return any(_holds_back(rule, source, target) for rule in RULES)


@pytest.mark.parametrize("target", ["TriageIngestSilence", "TriageGapOpen"])
def test_a_listener_that_is_gone_explains_silence(target: str) -> None:
    """Where the rules are for all namespaces, absence has none: then no namespace has a listener."""
    gone = _labels("TriageGone", "listener")

    assert "namespace" not in gone
    assert held_back(gone, _labels(target))


def test_a_listener_that_is_gone_explains_the_silence_of_its_own_namespace() -> None:
    """In the chart's rules, which name one."""
    gone = _labels("TriageGone", "listener", namespace="care")

    assert held_back(gone, _labels("TriageIngestSilence", namespace="care"))
    assert not held_back(gone, _labels("TriageIngestSilence", namespace="other"))


def test_another_program_that_is_gone_explains_no_silence() -> None:
    """Posts come into Kafka without a poster."""
    assert not held_back(_labels("TriageGone", "poster"), _labels("TriageIngestSilence"))


@pytest.mark.parametrize(
    ("topic", "expected"),
    [("tweets", True), ("care.tweets", True), ("queue.reactive", False), ("tweets.dead", False), ("desk", False)],
)
def test_late_routing_explains_the_lag_of_posts_alone(topic: str, expected: bool) -> None:
    """That of the responses worker's topics is another fault."""
    assert expected == held_back(_labels("TriageRoutingBudgetFast"), _labels("TriageLag", topic=topic))


def test_late_routing_explains_that_it_is_slow_too() -> None:
    """One call for one thing."""
    assert held_back(_labels("TriageRoutingBudgetFast"), _labels("TriageRoutingBudgetSlow"))
