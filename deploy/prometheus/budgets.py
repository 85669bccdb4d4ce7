"""Error budgets: two promises, how fast each is being used up, in two windows at once.

Fourteen times too fast in the last hour and still so in the last five minutes calls somebody at once; three times in a
day is for working hours. With few posts one late one would be a large share, and of a thousandth one late one is all
that a slow day may have: with few posts, or few late ones, nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from deploy.prometheus.rule import Alert, Severity, Source, Team, record

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
FAST = ((14.4, "1h", "5m"), (6.0, "6h", "30m"))
SLOW = ((3.0, "1d", "2h"), (1.0, "3d", "6h"))
"""So many times as fast as the budget of 30 days lasts; the long window; the short one, which says it goes on."""
ROUTED_WITHIN = "5.0"
"""Seconds from the Kafka timestamp of a post to its output acknowledged: a bucket of triage_route_latency_seconds."""

LEAST_LATE = 5
"""So many late ones in the long window, or fewer, are chance; a fault makes more of them in minutes."""

_SHARE = "{{ $value | humanizePercentage }}"


class Budget(NamedTuple):
    """A promise: `allowed` is the share that may break it; fewer than `least` in the long window say nothing."""

    name: str
    allowed: str
    least: int
    by: str
    team: Team
    component: str


ROUTED = Budget("routed", "0.001", 50, "namespace", Team.ON_CALL, "triage")
ANSWERED = Budget("answered", "0.05", 20, "namespace, brand", Team.LEAD, "responses")


def recorded(source: Source) -> list[Mapping[str, object]]:
    """The share that broke the promise in each window; in long ones how many did, and of how many."""
    found = []
    for window in WINDOWS:
        for budget, (late, of) in ((ROUTED, _routed(source, window)), (ANSWERED, _answered(source, window))):
            found.append(record(f"triage:{budget.name}_late:ratio_{window}", f"{late} / {of}"))
            if window in {long for _, long, _ in (*FAST, *SLOW)}:
                found.append(record(f"triage:{budget.name}_late:increase_{window}", late))
                found.append(record(f"triage:{budget.name}:increase_{window}", of))
    return found


def _routed(source: Source, window: str) -> tuple[str, str]:
    latency = "triage_route_latency_seconds"
    soon = source.total("increase", f"{latency}_bucket", window, f'le="{ROUTED_WITHIN}"')
    every = source.total("increase", f"{latency}_count", window)
    return f"({every} - {soon})", every


def _answered(source: Source, window: str) -> tuple[str, str]:
    """A breach is told when the target is over, not when the answer comes: who is never answered counts."""
    late = source.total("increase", "triage_breaches_total", window, by=ANSWERED.by)
    every = source.total("increase", "triage_turns_opened_total", window, by=ANSWERED.by)
    return late, every


def alerts(source: Source) -> list[Alert]:
    """Four: each promise, fast and slow."""
    routed = (
        "Posts are routed too late",
        f"{_SHARE} of the posts were routed later than 5 s after they reached Kafka; 0.1% may be.",
    )
    answered = (
        "Customers of {{ $labels.brand }} wait longer than promised",
        f"{_SHARE} of those who asked {{{{ $labels.brand }}}} were not answered within the target; 5% may be.",
    )
    return [
        _alert(source, ROUTED, "TriageRoutingBudgetFast", FAST, Severity.CRITICAL, routed),
        _alert(source, ROUTED, "TriageRoutingBudgetSlow", SLOW, Severity.WARNING, routed),
        _alert(source, ANSWERED, "TriageAnswerBudgetFast", FAST, Severity.CRITICAL, answered),
        _alert(source, ANSWERED, "TriageAnswerBudgetSlow", SLOW, Severity.WARNING, answered),
    ]


def _alert(
    source: Source,
    budget: Budget,
    name: str,
    pairs: tuple[tuple[float, str, str], ...],
    severity: Severity,
    says: tuple[str, str],
) -> Alert:
    def ratio(window: str, burn: float) -> str:
        return f"{source.series(f'triage:{budget.name}_late:ratio_{window}')} > {burn:g} * {budget.allowed}"

    arms = [
        f"{ratio(long, burn)} and {ratio(short, burn)} "
        f"and {source.series(f'triage:{budget.name}:increase_{long}')} > {budget.least} "
        f"and {source.series(f'triage:{budget.name}_late:increase_{long}')} > {LEAST_LATE}"
        for burn, long, short in pairs
    ]
    return Alert(name, "\nor ".join(arms), "", severity, budget.team, budget.component, *says)
