"""The dashboard *Stream*, for the engineer on call: rates, latency, lag, dead letters, gaps, budgets."""

from __future__ import annotations

from deploy.grafana.board import Board, Kind, Panel, Row, many, one, quantile, total

LATENCY = "triage_route_latency_seconds"
SOON = 'le="5.0"'
OURS = f"and on (namespace, job, instance) {one('triage_build_info')}"
DEAD_POSTS = (
    f"sum(rate({one('triage_dead_total')}[15m]) "
    f"and on (namespace, job, instance) present_over_time({one('triage_posts_total')}[15m]))"
)
"""Not those of other programs, which count them under the same name."""
PROCESS = "{{pod}} {{instance}}"


def _left(span: str) -> str:
    late = f"1 - {many(f'{LATENCY}_bucket', span=span, more=SOON)} / {many(f'{LATENCY}_count', span=span)}"
    return f"1 - ({late}) / 0.001"


NOW = Row(
    "Now",
    (
        Panel(
            "Posts a second",
            "Read from `tweets` and done.",
            "reqps",
            {"posts": total("triage_posts_total")},
            kind=Kind.STAT,
            width=4,
        ),
        Panel(
            "Routed within 5 s, 24 h",
            "From Kafka to the queue; 99.9% is promised.",
            "percentunit",
            {"within": f"{many(f'{LATENCY}_bucket', span='1d', more=SOON)} / {many(f'{LATENCY}_count', span='1d')}"},
            ((0.99, "orange"), (0.999, "green")),
            Kind.STAT,
            4,
            "red",
        ),
        Panel(
            "Budget left, 30 days",
            "Of the thousandth that may be late; under nothing, change nothing that is not needed.",
            "percentunit",
            {"left": _left("30d")},
            ((0, "orange"), (0.25, "green")),
            Kind.STAT,
            4,
            "red",
        ),
        Panel(
            "Oldest record not done",
            "Over all topics and partitions.",
            "s",
            {"lag": f"max({one('triage_lag_seconds')})"},
            ((5, "orange"), (60, "red")),
            Kind.STAT,
            4,
        ),
        Panel(
            "Active listeners",
            "One is right.",
            "short",
            {"listeners": f"sum({one('triage_listener_active')})"},
            ((1, "green"), (2, "red")),
            Kind.STAT,
            4,
            "red",
        ),
        Panel(
            "Open gaps",
            "Times in which posts could be missed, not swept yet.",
            "short",
            {"gaps": f"max({one('triage_gaps_open')})"},
            ((1, "orange"), (3, "red")),
            Kind.STAT,
            4,
        ),
    ),
)

RATES = Row(
    "Rates and latency",
    (
        Panel(
            "Posts and facts a second",
            "Posts that triage did, records that responses read, records that the listener wrote.",
            "reqps",
            {
                "triage": total("triage_posts_total"),
                "responses {{topic}}": total("triage_facts_total", "topic"),
                "listener {{topic}}": total("triage_listened_total", "topic"),
            },
        ),
        Panel(
            "From Kafka to the queue",
            "Kafka's timestamp of the post to its output acknowledged; 5 s is promised.",
            "s",
            {
                "half": quantile(0.5, LATENCY),
                "99 of 100": quantile(0.99, LATENCY),
                "999 of 1,000": quantile(0.999, LATENCY),
            },
            ((1, "orange"), (5, "red")),
        ),
        Panel(
            "From X to Kafka",
            "created_at to Kafka's timestamp; X itself takes 6 to 7 s.",
            "s",
            {
                "half": quantile(0.5, "triage_ingest_lag_seconds"),
                "99 of 100": quantile(0.99, "triage_ingest_lag_seconds"),
                "at the listener, 99 of 100": quantile(0.99, "triage_listen_lag_seconds"),
            },
            ((30, "orange"), (300, "red")),
        ),
        Panel(
            "Judging one batch",
            "All but the slowest hundredth; and how many posts a batch has.",
            "s",
            {"99 of 100": quantile(0.99, "triage_classify_seconds")},
            ((1, "orange"), (5, "red")),
        ),
        Panel(
            "Posts in a batch",
            "The mean: larger where there is a backlog.",
            "short",
            {"mean": f"{total('triage_batch_posts_sum')} / {total('triage_batch_posts_count')}"},
        ),
        Panel(
            "Looking at clocks, and at the hand-over",
            "A tick of the responses worker; a line of X to its acknowledgement.",
            "s",
            {
                "tick, 99 of 100": quantile(0.99, "triage_tick_seconds"),
                "hand-over, 99 of 100": quantile(0.99, "triage_hand_over_seconds"),
            },
            ((0.25, "orange"), (1, "red")),
        ),
    ),
)

LAG = Row(
    "Lag and dead letters",
    (
        Panel(
            "Records not done",
            "End of the partitions less what is committed, by topic.",
            "short",
            {"{{topic}}": f"sum by (topic) ({one('triage_end_offset')} - {one('triage_committed_offset')})"},
            ((10_000, "orange"), (100_000, "red")),
        ),
        Panel(
            "Oldest record not done",
            "By topic.",
            "s",
            {"{{topic}}": f"max by (topic) ({one('triage_lag_seconds')})"},
            ((5, "orange"), (60, "red")),
        ),
        Panel(
            "Dead letters, an hour",
            "By reason: the workers' in `tweets.dead` (`triage dead list`), the poster's in `replies.dead`.",
            "short",
            {"{{reason}}": many("triage_dead_total", "reason", span="1h")},
            ((1, "orange"), (100, "red")),
            Kind.STACK,
        ),
        Panel(
            "Dead letters by posts",
            "Of what triage read in a quarter of an hour, the share in `tweets.dead`; from 1% on there is an alert.",
            "percentunit",
            {"share": f"{DEAD_POSTS} / {total('triage_posts_total', span='15m')}"},
            ((0.001, "orange"), (0.01, "red")),
            width=6,
        ),
        Panel(
            "Attempts repeated, an hour",
            "By step: produce is the broker, classify the model.",
            "short",
            {"{{step}}": many("triage_retries_total", "step", span="1h")},
            ((10, "orange"), (100, "red")),
            width=6,
        ),
        Panel(
            "Connections to Kafka",
            "The fewest that a worker has; none: it has lost its way to every broker.",
            "short",
            {"fewest": f"min({one('triage_broker_connections')})"},
            ((1, "green"),),
            width=6,
            under="red",
        ),
        Panel(
            "Rebalances, an hour",
            "Partitions divided anew: after restarts and scaling; else sessions time out.",
            "short",
            {"rebalances": many("triage_rebalances_total", span="1h")},
            ((10, "orange"), (30, "red")),
            Kind.BARS,
            6,
        ),
    ),
)

X = Row(
    "X",
    (
        Panel(
            "Connected, active",
            "1 of each is right.",
            "short",
            {
                "connected": f"sum({one('triage_stream_connected')})",
                "active listeners": f"sum({one('triage_listener_active')})",
                "active posters": f"sum({one('triage_poster_active')})",
                "waits as long as it ever does": f"max({one('triage_reconnect_wait_at_bound')})",
                "kinds of reading given up": f"max({one('triage_stopped_errands')})",
            },
            ((1, "green"), (2, "red")),
            under="red",
        ),
        Panel(
            "Gaps and connections that ended, an hour",
            "By what began them.",
            "short",
            {
                "gap: {{cause}}": many("triage_gaps_total", "cause", span="1h"),
                "connection: {{cause}}": many("triage_reconnects_total", "cause", span="1h"),
            },
            ((5, "orange"), (20, "red")),
        ),
        Panel(
            "Seconds in which posts could be missed, a day",
            "And those that no search reaches.",
            "s",
            {
                "{{cause}}": many("triage_gap_seconds_total", "cause", span="1d"),
                "out of reach": many("triage_gap_out_of_reach_seconds_total", span="1d"),
            },
            ((60, "orange"), (3600, "red")),
        ),
        Panel(
            "Posts found again, repeated, lost, an hour",
            "Found by a sweep; come twice; come and not kept.",
            "short",
            {
                "found again": many("triage_posts_recovered_total", span="1h"),
                "repeated": many("triage_repeated_total", span="1h"),
                "sent again to Kafka": many("triage_resent_total", span="1h"),
                "lost: {{reason}}": many("triage_lost_total", "reason", span="1h"),
            },
            ((100, "orange"),),
        ),
        Panel(
            "Posts in hand",
            "Handed to Kafka and not acknowledged; on disk while Kafka is away.",
            "bytes",
            {
                "in flight": f"sum({one('triage_in_flight_bytes')})",
                "on disk": f"sum({one('triage_spilled_bytes')})",
            },
            ((33_554_432, "orange"), (536_870_912, "red")),
        ),
        Panel(
            "What is left of X's limits",
            "By route, as X said last; all of it once the window is over.",
            "percentunit",
            {"{{route}}": f"min by (route) ({one('triage_x_rate_limit_headroom')})"},
            ((0.1, "orange"), (0.3, "green")),
            under="red",
        ),
        Panel(
            "Requests that X still takes from the poster",
            "By brand and what is asked.",
            "short",
            {"{{brand}} {{what}}": f"min by (brand, what) ({one('triage_x_remaining')})"},
            ((5, "orange"), (20, "green")),
            under="red",
        ),
        Panel(
            "Blocked by X for",
            "Until X takes more, by brand and what is asked.",
            "s",
            {
                "{{brand}} {{what}}": "clamp_min(max by (brand, what) "
                f"({one('triage_x_blocked_until_timestamp_seconds')}) - time(), 0)"
            },
            ((1, "orange"), (3600, "red")),
        ),
        Panel(
            "What reading costs in 30 days like this",
            "By route, by the prices in the settings.",
            "currencyUSD",
            {"{{route}}": f"sum by (route) ({one('triage_x_cost_month_dollars')})"},
            ((250, "orange"), (500, "red")),
            Kind.STACK,
        ),
        Panel(
            "Posts read, and what they cost, since the start",
            "By route.",
            "short",
            {
                "{{route}} posts": f"sum by (route) ({one('triage_x_posts_read')})",
                "{{route}} dollars": f"sum by (route) ({one('triage_x_cost_dollars')})",
            },
        ),
    ),
)

BUDGET = Row(
    "Budgets",
    (
        Panel(
            "How fast the budget of late routing is used up",
            "1: it lasts just 30 days. From 14.4 over an hour, or 6 over six hours, somebody is called.",
            "short",
            {
                window: f"{one(f'triage:routed_late:ratio_{window}')} / 0.001"
                for window in ("5m", "30m", "1h", "6h", "1d", "3d")
            },
            ((1, "orange"), (6, "red")),
            width=12,
        ),
        Panel(
            "How fast the budget of late answers is used up",
            "By brand; 5% may be late.",
            "short",
            {
                f"{{{{brand}}}} {window}": f"{one(f'triage:answered_late:ratio_{window}')} / 0.05"
                for window in ("1h", "6h", "3d")
            },
            ((1, "orange"), (6, "red")),
            width=12,
        ),
    ),
)

PROCESSES = Row(
    "Processes",
    (
        Panel(
            "Memory",
            "By process.",
            "bytes",
            {PROCESS: f"max by (pod, instance) ({one('process_resident_memory_bytes')} {OURS})"},
            ((536_870_912, "orange"), (2_147_483_648, "red")),
        ),
        Panel(
            "Processor",
            "Cores, by process; one worker uses one core and a little more.",
            "short",
            {PROCESS: f"sum by (pod, instance) (rate({one('process_cpu_seconds_total')}[$__rate_interval]) {OURS})"},
            ((1, "orange"), (2, "red")),
        ),
        Panel(
            "Open files",
            "By process; flat, or something is not closed.",
            "short",
            {PROCESS: f"max by (pod, instance) ({one('process_open_fds')} {OURS})"},
            ((500, "orange"), (1000, "red")),
        ),
        Panel(
            "Restarts, an hour",
            "More than two: see TriageRestarts.",
            "short",
            {PROCESS: f"sum by (pod, instance) (changes({one('process_start_time_seconds')}[1h]) {OURS})"},
            ((1, "orange"), (3, "red")),
        ),
        Panel(
            "Reading the state",
            "Partitions whose state is being read, and how long the last reading took.",
            "s",
            {
                "partitions": f"sum({one('triage_recovering_partitions')})",
                "seconds": f"max({one('triage_recovery_seconds')})",
            },
            ((60, "orange"), (300, "red")),
        ),
        Panel(
            "Versions",
            "Two only while an upgrade rolls.",
            "short",
            {"{{version}}{{program}}": f"count by (version, program) ({one('triage_build_info')})"},
        ),
    ),
)

STREAM = Board(
    "tweet-triage-stream",
    "tweet-triage: Stream",
    "For the engineer on call: rates, latency, lag, dead letters, gaps, budgets. What to do: deploy/runbooks.",
    (NOW, RATES, LAG, X, BUDGET, PROCESSES),
    span="6h",
)
