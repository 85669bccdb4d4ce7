"""The faults: how each is made and ended, the alerts that must fire, and those that are right beside them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from kafka.admin import ConfigResource, ConfigResourceType

from agents import clients
from deploy.drill.place import Place

ROUTING = ("TriageRoutingBudgetFast", "TriageRoutingBudgetSlow")
SLOW = ("TriageRoutingBudgetSlow", "TriageAnswerBudgetSlow")
"""Look back over hours and days, and so go on for long after a fault has ended."""
SLOW_S = 2.0
STARTS = 3
SEEN_AFTER_S = 1.5
"""A process that lives so long has been scraped."""
LARGE = 2 * 1024 * 1024


class Fault(NamedTuple):
    """One fault."""

    name: str
    alerts: tuple[str, ...]
    """Each of these must fire, and end."""
    beside: tuple[str, ...]
    """These may: they are right too, while it lasts or when what waited comes late."""
    begin: Callable[[Place], None]
    end: Callable[[Place], None]
    program: str = ""
    """Of which `TriageGone` may speak."""


def _poison(place: Place) -> None:
    place.crowd.poison.set()


def _no_poison(place: Place) -> None:
    place.crowd.poison.clear()


def _kill(place: Place) -> None:
    place.programs["triage"].kill()


def _start(place: Place) -> None:
    place.programs["triage"].start()
    place.programs["triage"].wait("/metrics")


def _again_and_again(place: Place) -> None:
    for _ in range(STARTS):
        _kill(place)
        _start(place)
        time.sleep(SEEN_AFTER_S)


def _cut_off(place: Place) -> None:
    place.x.stop()


def _connect(place: Place) -> None:
    place.x.start()


def _refuse(place: Place) -> None:
    _take_at_most(place, 10)


def _take(place: Place) -> None:
    _take_at_most(place, LARGE)


def _take_at_most(place: Place, size: int) -> None:
    """With a limit under the size of any record the topic refuses every write."""
    name = place.settings.topics.name("queue.engagement")
    admin = clients.admin(place.settings.kafka)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": str(size)})])
    admin.close()


def _slow(place: Place) -> None:
    place.slow.write_text(str(SLOW_S), encoding="utf-8")


def _fast(place: Place) -> None:
    place.slow.unlink()


def _broker_back(place: Place) -> None:
    """Later than a producer keeps a batch: half a minute."""
    time.sleep(20.0)
    place.broker.start()


def _silence(place: Place) -> None:
    place.crowd.nobody_answers.set()


def _answers(place: Place) -> None:
    place.crowd.nobody_answers.clear()


def _nothing(_place: Place) -> None:
    """It ended by itself."""


FAULTS = (
    Fault("poison: one line in six cannot be read", ("TriageDeadLetters",), (), _poison, _no_poison),
    Fault("a worker is killed and not started", ("TriageGone",), ROUTING, _kill, _start, program="triage"),
    Fault(
        "a worker starts again and again",
        ("TriageRestarts",),
        (*ROUTING, "TriageGone", "TriageLag", "TriageNoProgress"),
        _again_and_again,
        _nothing,
        program="triage",
    ),
    Fault(
        "X is cut off",
        ("TriageIngestSilence", "TriageGapOpen"),
        ("TriageBacklog",),  # answers come by way of X too: who waits then, waits on
        _cut_off,
        _connect,
    ),
    Fault(
        "the broker is stopped",
        ("TriageBrokerAway", "TriageIngestSilence"),
        (*ROUTING, "TriageLag", "TriageNoProgress", "TriageListenerLease"),
        lambda place: place.broker.stop(),
        _broker_back,
    ),
    Fault("a queue takes no records", ("TriageNoProgress", "TriageLag"), ROUTING, _refuse, _take),
    Fault(
        "the classifier is slow",
        ("TriageRoutingBudgetFast", "TriageLag"),
        ("TriageRoutingBudgetSlow",),
        _slow,
        _fast,
    ),
    Fault(
        "nobody answers",
        ("TriageBacklog", "TriageOldestWaiting", "TriageAnswerBudgetFast"),
        ("TriageAnswerBudgetSlow",),
        _silence,
        _answers,
    ),
)
SHORT = FAULTS[:2]
