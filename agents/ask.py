"""Ask X, and let the metrics know what it says of its limit, be it in an answer or in a 429."""

from __future__ import annotations

from collections.abc import Callable

from agents.x_api import Answer
from pipeline.errors import XLimited
from pipeline.listener_metrics import ListenerMetrics


def ask(route: str, call: Callable[[], Answer], metrics: ListenerMetrics) -> Answer:
    """One request; what X says of the route's limit becomes a metric.

    Raises:
        XError: as agents.x_api says; after XLimited nothing is left of the route's limit until X says so.
    """
    try:
        answer = call()
    except XLimited as error:
        metrics.used_up(route, error.reset_at)
        raise
    metrics.limit(route, *answer.limit)
    return answer
