"""What machines do: posts that do not come or do not move, programs that are gone, a model that judges otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.prometheus import drift
from deploy.prometheus.rule import ANY, Alert, Severity, Source, Team, record

ALIVE = {
    "triage": "triage_posts_total",
    "responses": "triage_recovering_partitions",
    "listener": "triage_listener_active",
    "poster": "triage_poster_active",
}
"""By program a series that it alone has, and always: who waits is told of queues with a target."""
SILENT = "triage:posts:silent"
"""1 from when posts should have come and none did, until one comes."""


def alerts(source: Source) -> list[Alert]:
    """For the engineer on call."""
    found = [*_coming(source), *_moving(source), _away(source), *_gone(source), *_x(source)]
    return [*found, drift.alert(source), _watchdog()]


def recorded(source: Source) -> list[Mapping[str, object]]:
    """Silence, which remembers itself: whatever it is compared with lies in the silence too when that lasts.

    At the rate of the time before some twenty posts should have come; half as many do where they came yesterday at
    this time. Where a slow day ends at once, the day before says that it always does.
    """

    def came(span: str, ago: str = "") -> str:
        return source.total("increase", "triage_posts_total", span, ago=ago)

    expected = (
        f"{came('1h', '15m')} > 80",
        f"{came('15m', '1d')} > 10",
        f"({came('1h', '30m')} > 40 and {came('30m')} == 0 unless {came('30m', '1d')} == 0)",
        source.series(SILENT),
    )
    return [record(SILENT, f"count by (namespace) ({came('15m')} == 0\nand ({' or '.join(expected)}))")]


def _coming(source: Source) -> list[Alert]:
    return [
        Alert(
            "TriageIngestSilence",
            f"{source.series(SILENT)} == 1",
            "2m",
            Severity.CRITICAL,
            Team.ON_CALL,
            "triage",
            "No post has come for a quarter of an hour",
            "Before that, or a day ago at this time, posts came. It goes on until one comes.",
        ),
        Alert(
            "TriageGapOpen",
            f"max by (namespace) ({source.series('triage_gaps_open')}) > 0",
            "15m",
            Severity.WARNING,
            Team.ON_CALL,
            "listener",
            "The listener cannot see X, or has not looked for what it missed",
            "Open gaps: {{ $value }}. Posts of their time may be missing.",
        ),
    ]


def _moving(source: Source) -> list[Alert]:
    committed, end = source.series("triage_committed_offset"), source.series("triage_end_offset")
    still = f"changes({committed}[{source.span('5m')}]) == 0"
    return [
        _dead(source, "triage", "triage_posts_total"),
        _dead(source, "responses", "triage_facts_total"),
        Alert(
            "TriageLag",
            f"max by (namespace, topic) ({source.series('triage_lag_seconds')}) > {source.span.seconds('60s')}",
            "5m",
            Severity.CRITICAL,
            Team.ON_CALL,
            ANY,
            "Records of {{ $labels.topic }} wait",
            "The oldest one that is read and not done came {{ $value | humanizeDuration }} ago.",
        ),
        Alert(
            "TriageNoProgress",
            f"count by (namespace, topic) ({end} - {committed} > 0 and {still}) > 0",
            "5m",
            Severity.CRITICAL,
            Team.ON_CALL,
            ANY,
            "Partitions of {{ $labels.topic }} stand still",
            "Partitions that have records of which nothing is being done: {{ $value }}.",
        ),
    ]


def _dead(source: Source, component: str, read: str) -> Alert:
    """Of one worker: each program counts its dead letters under the same name, the poster its answers too."""

    def dead(function: str) -> str:
        span = source.span("15m")
        own = f"present_over_time({source.series(ALIVE[component])}[{span}])"
        each = f"{function}({source.series('triage_dead_total')}[{span}])"
        return f"sum by (namespace) ({each} and on (namespace, job, instance) {own})"

    share = "{{ $value | humanizePercentage }}"
    return Alert(
        "TriageDeadLetters",
        f"{dead('rate')} / {source.total('rate', read, '15m')} > 0.01 and {dead('increase')} > 10",
        "5m",
        Severity.WARNING,
        Team.ON_CALL,
        component,
        "Many records cannot be read",
        f"{share} of what {component} read in the last quarter of an hour is in tweets.dead.",
    )


def _away(source: Source) -> Alert:
    """Nothing that is read, no lag: without it Kafka's absence is told as silence, a quarter of an hour later."""
    return Alert(
        "TriageBrokerAway",
        f"count by (namespace) ({source.series('triage_broker_connections')} == 0) > 0",
        "2m",
        Severity.CRITICAL,
        Team.ON_CALL,
        ANY,
        "Kafka is away",
        "Workers without a connection to any broker: {{ $value }}.",
    )


def _gone(source: Source) -> list[Alert]:
    started = f"changes({source.series('process_start_time_seconds')}[{source.span('1h')}])"
    gone = [
        Alert(
            "TriageGone",
            f"absent({source.series(alive)})",
            "5m",
            Severity.CRITICAL,
            Team.ON_CALL,
            component,
            f"No {component} is running, as far as Prometheus sees",
            f"No process has {alive}.",
        )
        for component, alive in ALIVE.items()
    ]
    return [
        Alert(
            "TriageRestarts",
            f"sum by (namespace, instance, pod) ({started} and on (namespace, job, instance) "
            f"{source.series('triage_build_info')}) > 2",
            "",
            Severity.WARNING,
            Team.ON_CALL,
            ANY,
            "{{ $labels.instance }} starts again and again",
            "Restarts in an hour: {{ $value }}.",
        ),
        *gone,
    ]


def _x(source: Source) -> list[Alert]:
    return [
        Alert(
            "TriageListenerLease",
            f"sum by (namespace) ({source.series('triage_listener_active')}) != 1",
            "1m",
            Severity.CRITICAL,
            Team.ON_CALL,
            "listener",
            "Not exactly one listener is active",
            "Active listeners: {{ $value }}. There should be one.",
        ),
        Alert(
            "TriagePosterIdle",
            f"sum by (namespace) ({source.series('triage_poster_active')}) < 1",
            "2m",
            Severity.CRITICAL,
            Team.ON_CALL,
            "poster",
            "No poster posts",
            "Each of them stands by: answers stay in the topic replies.",
        ),
        Alert(
            "TriageRateLimit",
            f"min by (namespace, route) ({source.series('triage_x_rate_limit_headroom')}) < 0.1",
            "5m",
            Severity.WARNING,
            Team.ON_CALL,
            "listener",
            "X's limit for {{ $labels.route }} is nearly used up",
            "{{ $value | humanizePercentage }} of the requests of the window are left.",
        ),
    ]


def _watchdog() -> Alert:
    return Alert(
        "TriageWatchdog",
        "vector(1)",
        "",
        Severity.NONE,
        Team.ON_CALL,
        ANY,
        "Prometheus judges these rules, and Alertmanager hears of it",
        "It always fires; whoever receives it calls when it stops.",
    )
