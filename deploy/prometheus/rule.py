"""What a rule is made of: where its numbers come from, whom it calls, what it says."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from deploy.prometheus.spans import Spans

ANY = "any"
"""As a component: the alert means something whichever programs are run."""


class Severity(StrEnum):
    """How soon somebody must look."""

    CRITICAL = "critical"
    """Now, at night too."""
    WARNING = "warning"
    """In working hours."""
    NONE = "none"
    """Nobody: it shows that the way to people works."""


class Team(StrEnum):
    """Whom it calls: what customers feel goes to the team lead, what machines do to the engineer on call."""

    LEAD = "team-lead"
    ON_CALL = "on-call"


class Numbers(NamedTuple):
    """What can be set otherwise."""

    select: str = ""
    """A label matcher for every series, such as namespace="care"; empty: all of them."""
    waiting: str = "3"
    """More than so many waiting in a queue of a brand are too many: `responses.backlog` of the settings."""
    dollars: str = "500"
    """What 30 days of reading X may cost."""
    runbooks: str = "https://runbooks.example.com/tweet-triage"
    """Where deploy/runbooks is published."""


class Source(NamedTuple):
    """What expressions are written with."""

    span: Spans
    numbers: Numbers

    def series(self, name: str, *matchers: str) -> str:
        """A series with its matchers."""
        inside = ",".join(part for part in (*matchers, self.numbers.select) if part)
        return f"{name}{{{inside}}}" if inside else name

    def total(self, function: str, name: str, span: str, *matchers: str, by: str = "namespace", ago: str = "") -> str:
        """The sum over all workers of rate() or increase() of a counter."""
        offset = f" offset {self.span(ago)}" if ago else ""
        return f"sum by ({by}) ({function}({self.series(name, *matchers)}[{self.span(span)}]{offset}))"


class Alert(NamedTuple):
    """One alerting rule; `wait` is its `for`; `component`: the program without which it means nothing."""

    name: str
    expr: str
    wait: str
    severity: Severity
    team: Team
    component: str
    summary: str
    description: str

    def rule(self, source: Source) -> dict[str, Any]:
        """As Prometheus reads it."""
        labels = {"severity": self.severity.value, "team": self.team.value, "component": self.component}
        waiting = {"for": source.span(self.wait)} if self.wait else {}
        return {
            "alert": self.name,
            "expr": self.expr,
            **waiting,
            "labels": labels,
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{source.numbers.runbooks}/{self.name}.md",
            },
        }


def record(name: str, expr: str, **labels: str) -> Mapping[str, object]:
    """One recording rule; with labels, if it has any of its own."""
    return {"record": name, "expr": expr, **({"labels": labels} if labels else {})}
