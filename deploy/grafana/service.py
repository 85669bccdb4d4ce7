"""The dashboard *Service*, for the team lead: who waits, how long, what became of it."""

from __future__ import annotations

from deploy.grafana.board import BRAND, Board, Kind, Panel, Row, many, one, quantile, total

PLACE = "brand, queue"


def _of_brand(name: str, more: str = "") -> str:
    return one(name, more, where=BRAND)


def _day(name: str, by: str = "", more: str = "") -> str:
    return many(name, by, span="1d", more=more, where=BRAND)


NOW = Row(
    "Now",
    (
        Panel(
            "Waiting",
            "Customers who wait for an answer. `triage waiting` lists them.",
            "short",
            {"waiting": f"sum({_of_brand('triage_waiting')})"},
            ((4, "orange"), (10, "red")),
            Kind.STAT,
            4,
        ),
        Panel(
            "Waiting too long",
            "Those of them over their target: answer these first.",
            "short",
            {"late": f"sum({_of_brand('triage_waiting_late')})"},
            ((1, "red"),),
            Kind.STAT,
            4,
        ),
        Panel(
            "Waiting longest",
            "How long the one has waited who has waited longest.",
            "s",
            {"oldest": f"time() - min({_of_brand('triage_oldest_waiting_timestamp_seconds')})"},
            ((1440, "orange"), (1800, "red")),
            Kind.STAT,
            4,
        ),
        Panel(
            "Backlogs",
            "Queues of a brand in which more wait than should, or one too long.",
            "short",
            {"backlogs": f"sum(max by ({PLACE}) ({_of_brand('triage_backlog')}))"},
            ((1, "orange"), (3, "red")),
            Kind.STAT,
            4,
        ),
        Panel(
            "Answered within target, 24 h",
            "Of those who began to wait, the share whose target was not missed. 95% is promised.",
            "percentunit",
            {"within": f"1 - {_day('triage_breaches_total')} / {_day('triage_turns_opened_total')}"},
            ((0.9, "orange"), (0.95, "green")),
            Kind.STAT,
            4,
            "red",
        ),
        Panel(
            "Nearly late, 1 h",
            "Waits that came to 80% of their target in the last hour.",
            "short",
            {"near": many("triage_near_breaches_total", span="1h", where=BRAND)},
            ((5, "orange"),),
            Kind.STAT,
            4,
        ),
    ),
)

TIMES = Row(
    "Response times",
    (
        Panel(
            "First answer, half of them within",
            "From the customer's post to the first answer: the median of three hours, by queue.",
            "s",
            {"{{queue}}": quantile(0.5, "triage_first_response_seconds", "queue", span="3h", where=BRAND)},
            ((1800, "orange"), (7200, "red")),
        ),
        Panel(
            "First answer, nine of ten within",
            "The same for all but the slowest tenth.",
            "s",
            {"{{queue}}": quantile(0.9, "triage_first_response_seconds", "queue", span="3h", where=BRAND)},
            ((1800, "orange"), (7200, "red")),
        ),
        Panel(
            "First answer in business hours, nine of ten within",
            "Only the hours in which the team works count.",
            "s",
            {"{{queue}}": quantile(0.9, "triage_first_response_business_seconds", "queue", span="3h", where=BRAND)},
            ((1800, "orange"), (7200, "red")),
        ),
        Panel(
            "Later answers, nine of ten within",
            "In a conversation that has had an answer before.",
            "s",
            {"{{queue}}": quantile(0.9, "triage_next_response_seconds", "queue", span="3h", where=BRAND)},
            ((1800, "orange"), (7200, "red")),
        ),
        Panel(
            "Later answers in business hours, nine of ten within",
            "Only the hours in which the team works count.",
            "s",
            {"{{queue}}": quantile(0.9, "triage_next_response_business_seconds", "queue", span="3h", where=BRAND)},
            ((1800, "orange"), (7200, "red")),
        ),
        Panel(
            "Answered within target, by brand",
            "Over six hours; 95% is promised, and the alerts look at it.",
            "percentunit",
            {
                "{{brand}}": f"1 - {many('triage_breaches_total', 'brand', span='6h', where=BRAND)} "
                f"/ {many('triage_turns_opened_total', 'brand', span='6h', where=BRAND)}"
            },
            ((0.9, "orange"), (0.95, "green")),
            under="red",
        ),
    ),
)

WAITING = Row(
    "Waiting",
    (
        Panel(
            "Who waits",
            "By brand and queue; more than three at once are a backlog.",
            "short",
            {"{{brand}} {{queue}}": f"sum by ({PLACE}) ({_of_brand('triage_waiting')})"},
            ((4, "orange"), (10, "red")),
            Kind.STACK,
        ),
        Panel(
            "Longest wait",
            "By brand and queue.",
            "s",
            {
                "{{brand}} {{queue}}": f"time() - min by ({PLACE}) "
                f"({_of_brand('triage_oldest_waiting_timestamp_seconds')})"
            },
            ((1440, "orange"), (1800, "red")),
        ),
        Panel(
            "Targets missed and nearly missed, an hour",
            "Missed while they wait, not when the answer comes.",
            "short",
            {
                "missed": many("triage_breaches_total", span="1h", where=BRAND),
                "nearly": many("triage_near_breaches_total", span="1h", where=BRAND),
            },
            ((1, "orange"), (10, "red")),
            Kind.BARS,
        ),
        Panel(
            "Waits that began and ended, an hour",
            "Where more begin than end, the queue grows.",
            "short",
            {
                "began": many("triage_turns_opened_total", span="1h", where=BRAND),
                "{{end}}": many("triage_turns_ended_total", "end", span="1h", where=BRAND),
            },
        ),
        Panel(
            "Answers that later news changed, a day",
            "What was told and corrected: late posts, deleted answers.",
            "short",
            {"{{queue}}": _day("triage_corrections_total", "queue")},
        ),
    ),
)

STAGES = Row(
    "Stages and outcomes",
    (
        Panel(
            "Posts by queue, an hour",
            "What came in, and where it went.",
            "short",
            {"{{queue}}": many("triage_routed_total", "queue", span="1h", where=BRAND)},
            kind=Kind.STACK,
        ),
        Panel(
            "Posts by brand, an hour",
            "A brand far above its usual has an issue.",
            "short",
            {"{{brand}}": many("triage_routed_total", "brand", span="1h", where=BRAND)},
            kind=Kind.STACK,
        ),
        Panel(
            "What became of conversations, a day",
            "Resolved on X, moved to private messages or e-mail, expired.",
            "short",
            {"{{outcome}}": _day("triage_outcomes_total", "outcome")},
            kind=Kind.STACK,
        ),
        Panel(
            "Answers until a conversation rests",
            "The mean of a day; many mean that the first did not help.",
            "short",
            {
                "{{brand}}": f"{_day('triage_replies_per_conversation_sum', 'brand')} "
                f"/ {_day('triage_replies_per_conversation_count', 'brand')}"
            },
            ((3, "orange"), (5, "red")),
        ),
        Panel(
            "Happy customers who got an answer, a day",
            "Praise is acknowledged too.",
            "short",
            {"{{brand}}": _day("triage_acknowledged_praise_total", "brand")},
        ),
        Panel(
            "Posts that people moved, a day",
            "By the queue they went to: what the model put wrong.",
            "short",
            {"{{queue}}": _day("triage_moves_total", "queue")},
            ((20, "orange"),),
        ),
    ),
)

ANSWERS = Row(
    "Answers out",
    (
        Panel(
            "Answers by what came of them, an hour",
            "Failed and held ones want a look: `triage dead list`.",
            "short",
            {"{{outcome}}": many("triage_replies_total", "outcome", span="1h", where=BRAND)},
            kind=Kind.STACK,
        ),
        Panel(
            "From written to on X, nine of ten within",
            "Longer while X takes no more.",
            "s",
            {"{{brand}}": quantile(0.9, "triage_reply_seconds", "brand", span="1h", where=BRAND)},
            ((60, "orange"), (900, "red")),
        ),
        Panel(
            "Answers in hand",
            "Read and not done; those that may be on X or not want a look there.",
            "short",
            {
                "waiting": f"sum({one('triage_replies_waiting')})",
                "doubtful": f"sum({one('triage_replies_doubtful')})",
            },
            ((20, "orange"), (100, "red")),
        ),
        Panel(
            "Warnings, a day",
            "Words to avoid, no word of the vision, links.",
            "short",
            {"{{warning}}": _day("triage_reply_warnings_total", "warning")},
            ((20, "orange"),),
            Kind.BARS,
        ),
        Panel(
            "What answers cost, a day",
            "By the prices in the settings.",
            "currencyUSD",
            {"{{brand}}": _day("triage_reply_cost_total", "brand")},
            ((50, "orange"), (200, "red")),
        ),
        Panel(
            "X's calls, a second",
            "By what was asked and what came of it.",
            "reqps",
            {"{{what}} {{outcome}}": total("triage_x_calls_total", "what, outcome")},
        ),
    ),
)

SERVICE = Board(
    "tweet-triage-service",
    "tweet-triage: Service",
    "For the team lead: who waits, how long customers waited against the targets, what became of them.",
    (NOW, TIMES, WAITING, STAGES, ANSWERS),
    variables=(("brand", "label_values(triage_turns_opened_total, brand)"),),
)
