"""The dashboard *Model*: how sure it is, what people see again, how a challenger judges, whether the posts changed."""

from __future__ import annotations

from deploy.grafana.board import Board, Kind, Panel, Row, many, one, total
from pipeline.posts import Stage

SHADOW = "triage_shadow_total"
OPINIONS = "triage_second_opinions_total"
CHANGED, ASKED = 'outcome="changed"', 'outcome=~"changed|confirmed"'


def _agreed(stage: str) -> str:
    both = f'champion="{stage}",challenger="{stage}"'
    return f"({many(SHADOW, span='6h', more=both)} or vector(0))"


AGREED = " + ".join(_agreed(stage.value) for stage in Stage)
SURE = f"1 - {many('triage_review_total', 'stage', span='1h')} / {many('triage_stages_total', 'stage', span='1h')}"

JUDGED = Row(
    "What it judges",
    (
        Panel(
            "The model",
            "Name, version and hash of the artifact that runs; two only while an upgrade rolls.",
            "short",
            {"{{name}} {{version}}": f"count by (name, version, sha256) ({one('triage_model_info')})"},
            ((1, "green"), (10, "orange")),
            Kind.TABLE,
        ),
        Panel(
            "Stages, share of an hour",
            "Before the threshold, the brand's own posts too.",
            "percentunit",
            {
                "{{stage}}": f"{many('triage_stages_total', 'stage', span='1h')} "
                f"/ on () group_left () {many('triage_stages_total', span='1h')}"
            },
            kind=Kind.STACK,
        ),
        Panel(
            "Posts judged a second",
            "By stage.",
            "reqps",
            {"{{stage}}": total("triage_stages_total", "stage")},
        ),
    ),
)

SURENESS = Row(
    "How sure it is",
    (
        Panel(
            "Sure enough, by stage",
            "The share of verdicts whose confidence is over the threshold that the costs of mistakes give.",
            "percentunit",
            {"{{stage}}": SURE},
            ((0.65, "orange"), (0.8, "green")),
            under="red",
        ),
        Panel(
            "Confidence of the first model, an hour",
            "Verdicts by the upper bound of their confidence.",
            "short",
            {"up to {{up_to}}": many("triage_confidence_total", "up_to", span="1h")},
            kind=Kind.STACK,
        ),
        Panel(
            "To review",
            "The share of posts that a person looks at; from 35% on there is an alert.",
            "percentunit",
            {"share": f"{many('triage_review_total', span='1h')} / {many('triage_posts_total', span='1h')}"},
            ((0.25, "orange"), (0.35, "red")),
        ),
        Panel(
            "The second opinion",
            "Of what the first model was unsure of, an hour: confirmed, changed, over the budget.",
            "short",
            {"{{outcome}}": many("triage_second_opinions_total", "outcome", span="1h")},
            kind=Kind.STACK,
        ),
        Panel(
            "The second opinion changes",
            "Of those asked, the share that it judged otherwise: the first model's mistakes, more or less.",
            "percentunit",
            {"changed": f"{many(OPINIONS, span='6h', more=CHANGED)} / {many(OPINIONS, span='6h', more=ASKED)}"},
            ((0.4, "orange"), (0.6, "red")),
        ),
        Panel(
            "Posts that people moved, by routed posts, a day",
            "The model's mistakes as helpdesks see them, by the queue they went to.",
            "percentunit",
            {
                "{{queue}}": f"{many('triage_moves_total', 'queue', span='1d')} "
                f"/ on () group_left () {many('triage_routed_total', span='1d')}"
            },
            ((0.05, "orange"), (0.1, "red")),
        ),
    ),
)

SHADOWED = Row(
    "The challenger",
    (
        Panel(
            "Agreement",
            "The share of posts that model and challenger put into the same stage, over six hours.",
            "percentunit",
            {"agree": f"({AGREED}) / {many(SHADOW, span='6h')}"},
            ((0.7, "orange"), (0.85, "green")),
            under="red",
        ),
        Panel(
            "Who judges what how, a day",
            "Each pair of verdicts.",
            "short",
            {"{{champion}} / {{challenger}}": many(SHADOW, "champion, challenger", span="1d")},
            kind=Kind.TABLE,
            width=16,
        ),
    ),
)

UNSEEN = 'band="unseen"'


def _shares(title: str, what: str, legend: str, *, trained: bool = False) -> tuple[Panel, ...]:
    """The divisions that an index compares, side by side."""
    spans = [("the last six hours", "6h"), ("the week before", "1w"), *([("in training", "training")] * trained)]
    return tuple(
        Panel(
            f"{title}, {span}",
            "Shares of bins that stay the same: beside each other they show what has grown.",
            "percentunit",
            {legend: one(f"triage:{what}_share:ratio_{of}")},
            kind=Kind.STACK,
            width=8 if trained else 12,
        )
        for span, of in spans
    )


DRIFT = Row(
    "Drift",
    (
        Panel(
            "How far from what was usual",
            "Population stability index of the last six hours, against the week before and against the training set; "
            "from 0.25 on there is an alert.",
            "short",
            {"{{what}}, {{against}}": one("triage:drift:psi")},
            ((0.1, "orange"), (0.25, "red")),
            width=16,
        ),
        Panel(
            "Words unknown to the model",
            "The share of words that were not in its training; between brands it differs, for one it hardly changes.",
            "percentunit",
            {
                "now": one("triage:words_share:ratio_6h", UNSEEN),
                "the week before": one("triage:words_share:ratio_1w", UNSEEN),
                "in training": one("triage:words_share:ratio_training", UNSEEN),
            },
            ((0.12, "orange"), (0.2, "red")),
        ),
        *_shares("Stages", "stages", "{{stage}}"),
        *_shares("Confidence", "confidence", "up to {{up_to}}", trained=True),
        *_shares("Words", "words", "{{band}}", trained=True),
    ),
)

MODEL = Board(
    "tweet-triage-model",
    "tweet-triage: Model",
    "How sure the model is, what goes to review, how a challenger judges, whether posts are other than they were.",
    (JUDGED, SURENESS, SHADOWED, DRIFT),
    span="7d",
)
