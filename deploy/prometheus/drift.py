"""Whether posts and verdicts are still what they were: in the week before, and in the model's training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from deploy.prometheus.rule import Alert, Severity, Source, Team, record
from pipeline.drift import LEAST_SHARE

INDEX = "triage:drift:psi"
LIMIT = "0.25"
"""E. M. Lewis' and N. Siddiqi's: from 0.1 on look, from 0.25 on act; see pipeline.drift.psi."""
LEAST_POSTS = 500
"""With fewer, in the last hours or in the week before, shares are chance."""
WEEK = "triage:stages:increase_1w"
"""Posts that were judged in the week before the last hours."""
EVERY = "1m"
"""Well under the five minutes for which Prometheus takes a recorded value for the present one."""


class Watched(NamedTuple):
    """What is divided into bins: the counter, the label of its bins; where training's shares stand, by which labels."""

    what: str
    counter: str
    bins: str
    training: str = ""
    parts: str = ""


WATCHED = (
    Watched("stages", "triage_stages_total", "stage"),
    Watched("confidence", "triage_confidence_total", "up_to", "triage_training_confidence_ratio", "stage, up_to"),
    Watched("words", "triage_words_total", "band", "triage_training_words_ratio", "band"),
)


def recorded(source: Source) -> list[Mapping[str, object]]:
    """Shares of the last hours, of the week before them and of training; then how far apart they are."""
    shares = [rule for watched in WATCHED for rule in _shares(source, watched)]
    return [*shares, _week(source), *(rule for watched in WATCHED for rule in _indices(source, watched))]


def _shares(source: Source, watched: Watched) -> list[Mapping[str, object]]:
    """A week is looked at through a series that adds up all workers: it costs the same however many there are."""
    rate, by = f"triage:{watched.what}:rate_10m", f"namespace, {watched.bins}"
    found = [
        record(rate, source.total("rate", watched.counter, "10m", by=by)),
        record(_share(watched, "6h"), _part(source, rate, "6h", "")),
        record(_share(watched, "1w"), _part(source, rate, "1w", "6h")),
    ]
    if watched.training:  # every worker says the same; of bins that have more labels the parts are added
        each = f"avg by (namespace, {watched.parts}) ({source.series(watched.training)})"
        found.append(record(_share(watched, "training"), f"sum by ({by}) ({each})"))
    return found


def _week(source: Source) -> Mapping[str, object]:
    """Added up from rates of ten minutes each, however often these are recorded and however many workers there are."""
    rates = f"{source.series('triage:stages:rate_10m')}[{source.span('1w')}:{source.span('10m')}]"
    posts = f"sum by (namespace) (sum_over_time({rates} offset {source.span('6h')}))"
    return record(WEEK, f"{posts} * {source.span.seconds('10m')}")


def _part(source: Source, rate: str, window: str, ago: str) -> str:
    offset = f" offset {source.span(ago)}" if ago else ""
    mean = f"avg_over_time({source.series(rate)}[{source.span(window)}]{offset})"
    return f"{mean} / on (namespace) group_left () sum by (namespace) ({mean})"


def _indices(source: Source, watched: Watched) -> list[Mapping[str, object]]:
    against = ("week", "1w"), *((("training", "training"),) if watched.training else ())
    new = _at_least(source, _share(watched, "6h"))
    found = []
    for name, share in against:
        old = _at_least(source, _share(watched, share))
        index = f"sum by (namespace) (({new} - {old}) * ln({new} / {old}))"
        if name == "week":  # the training set has thousands of posts
            index += f" and on (namespace) {source.series(WEEK)} > {LEAST_POSTS}"
        found.append(record(INDEX, index, what=watched.what, against=name))
    return found


def _share(watched: Watched, of: str) -> str:
    return f"triage:{watched.what}_share:ratio_{of}"


def _at_least(source: Source, share: str) -> str:
    return f"clamp_min({source.series(share)}, {LEAST_SHARE:g})"


def alert(source: Source) -> Alert:
    """For the engineer on call, in working hours."""
    return Alert(
        "TriageModelDrift",
        f"max by (namespace, what, against) ({source.series(INDEX)}) > {LIMIT} "
        f"and on (namespace) {source.total('increase', 'triage_stages_total', '6h')} > {LEAST_POSTS}",
        "30m",
        Severity.WARNING,
        Team.ON_CALL,
        "triage",
        "What is judged is other than it was: {{ $labels.what }}, against {{ $labels.against }}",
        'The population stability index of the last six hours is {{ printf "%.2f" $value }}; from 0.25 on, the posts '
        "or the model have changed.",
    )
