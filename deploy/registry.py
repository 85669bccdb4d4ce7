"""What /metrics of each program holds, from the real classes: deploy/metrics.json. Expressions are held against it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from pipeline.metrics import Metrics
from pipeline.response_metrics import ResponseMetrics
from pipeline.settings import Settings

FILE = Path(__file__).parent / "metrics.json"
SETTINGS = Settings()
Dump = dict[str, dict[str, Any]]


def _listener(registry: CollectorRegistry) -> None:
    import_module("pipeline.listener_metrics").ListenerMetrics(
        registry, import_module("pipeline.settings_listener").Prices(), float
    )


def _poster(registry: CollectorRegistry) -> None:
    import_module("pipeline.poster_metrics").PosterMetrics(registry, SETTINGS, float)


MAKERS: dict[str, Callable[[CollectorRegistry], Any]] = {
    "triage": Metrics,
    "responses": lambda registry: ResponseMetrics(registry, SETTINGS, [("other", "reactive")]),
    "listener": _listener,
    "poster": _poster,
}


def dump(program: str) -> Dump:
    """By metric its type, labels and meaning.

    Raises:
        ModuleNotFoundError: this version of the project has no such program.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    MAKERS[program](registry)
    labels = _labels(registry)
    return {
        family.name: {
            "type": family.type,
            "labels": list(labels.get(family.name) or _said(family)),
            "help": family.documentation,
        }
        for family in sorted(registry.collect(), key=lambda family: family.name)
    }


def dumps(before: dict[str, Dump]) -> dict[str, Dump]:
    """Of all programs; of one that is not in this version, what was known before."""
    found = {}
    for program in MAKERS:
        try:
            found[program] = dump(program)
        except ModuleNotFoundError:
            found[program] = before.get(program, {})
    return found


def text() -> str:
    """As JSON."""
    before = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return json.dumps(dumps(before), indent=1) + "\n"


def series(found: dict[str, Dump]) -> dict[str, set[str]]:
    """By name of a series, as expressions have it, its labels."""
    names: dict[str, set[str]] = {}
    for programs in found.values():
        for name, metric in programs.items():
            for series_name, more in _series(name, metric["type"]):
                names.setdefault(series_name, set()).update(metric["labels"], more)
    return names


def _series(name: str, kind: str) -> list[tuple[str, tuple[str, ...]]]:
    if kind == "histogram":
        return [(f"{name}_bucket", ("le",)), (f"{name}_sum", ()), (f"{name}_count", ())]
    if kind == "counter":
        return [(f"{name}_total", ())]
    return [(f"{name}_info", ("name", "version", "sha256"))] if kind == "info" else [(name, ())]


def _said(family: Metric) -> tuple[str, ...]:
    """Of metrics that are made when somebody asks."""
    return tuple(getattr(family, "_labelnames", ()))


def _labels(registry: CollectorRegistry) -> dict[str, tuple[str, ...]]:
    """Of metrics that are declared with labels: without a sample they are not seen from outside."""
    declared = [one for one in registry._collector_to_names if isinstance(one, MetricWrapperBase)]  # noqa: SLF001
    return {one._name: one._labelnames for one in declared}  # noqa: SLF001
