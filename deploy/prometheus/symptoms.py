"""What customers feel: who waits, whose answer does not go out, what it costs."""

from __future__ import annotations

from deploy.prometheus.rule import Alert, Severity, Source, Team

PLACE = "namespace, brand, queue"


def alerts(source: Source) -> list[Alert]:
    """For the team lead."""
    return [*_waiting(source), *_answers(source), _review(source), _cost(source)]


def _waiting(source: Source) -> list[Alert]:
    oldest = source.series("triage_oldest_waiting_timestamp_seconds")
    late, waiting = source.series("triage_waiting_late"), source.series("triage_waiting")
    return [
        Alert(
            "TriageOldestWaiting",
            f"time() - min by ({PLACE}) ({oldest}) and sum by ({PLACE}) ({late}) > 0",
            "5m",
            Severity.WARNING,
            Team.LEAD,
            "responses",
            "Somebody in {{ $labels.queue }} of {{ $labels.brand }} waits longer than the target",
            "The one who waits longest posted {{ $value | humanizeDuration }} ago.",
        ),
        Alert(
            "TriageBacklog",
            f"sum by ({PLACE}) ({waiting}) > {source.numbers.waiting}",
            "5m",
            Severity.WARNING,
            Team.LEAD,
            "responses",
            "Too many wait in {{ $labels.queue }} of {{ $labels.brand }}",
            f"Customers who wait for an answer: {{{{ $value }}}}. More than {source.numbers.waiting} are too many.",
        ),
    ]


def _answers(source: Source) -> list[Alert]:
    failed = 'outcome="failed"'
    until, waiting = source.series("triage_x_blocked_until_timestamp_seconds"), source.series("triage_replies_waiting")
    return [
        Alert(
            "TriageAnswersBlocked",
            f"max by (namespace, brand, what) ({until}) - time() > 0 "
            f"and on (namespace, brand) sum by (namespace, brand) ({waiting}) > 0",
            "5m",
            Severity.WARNING,
            Team.LEAD,
            "poster",
            "X takes no more answers of {{ $labels.brand }} for now",
            "Answers wait; X takes {{ $labels.what }} again in {{ $value | humanizeDuration }}.",
        ),
        Alert(
            "TriageAnswersFailed",
            f"{source.total('increase', 'triage_replies_total', '1h', failed, by='namespace, brand')} > 3",
            "",
            Severity.WARNING,
            Team.LEAD,
            "poster",
            "Answers of {{ $labels.brand }} do not go out",
            "Answers of the last hour that X or the poster refused: {{ $value | humanize }}. They are in replies.dead.",
        ),
        Alert(
            "TriageReplyDoubtful",
            f"sum by (namespace) ({source.series('triage_replies_doubtful')}) > 0",
            "10m",
            Severity.WARNING,
            Team.LEAD,
            "poster",
            "It is not known whether an answer is on X",
            "Answers that may be on X or not: {{ $value }}. Look there before one is sent again.",
        ),
    ]


def _review(source: Source) -> Alert:
    share = f"{source.total('rate', 'triage_review_total', '1h')} / {source.total('rate', 'triage_posts_total', '1h')}"
    return Alert(
        "TriageReviewShare",
        f"{share} > 0.35 and {source.total('increase', 'triage_posts_total', '1h')} > 100",
        "30m",
        Severity.WARNING,
        Team.LEAD,
        "triage",
        "The model is unsure of many posts",
        "{{ $value | humanizePercentage }} of the posts of the last hour went to review.",
    )


def _cost(source: Source) -> Alert:
    return Alert(
        "TriageCost",
        f"sum by (namespace) ({source.series('triage_x_cost_month_dollars')}) > {source.numbers.dollars}",
        "1h",
        Severity.WARNING,
        Team.LEAD,
        "listener",
        "Reading X costs more than it may",
        f"30 days like this cost {{{{ $value | humanize }}}} dollars; {source.numbers.dollars} may be spent.",
    )
