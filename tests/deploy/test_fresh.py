"""What is committed and made from code is fresh; access lists and the table of topics are of one mind."""

from __future__ import annotations

from importlib import import_module

import pytest

from deploy import generate
from pipeline import topics
from pipeline.access import ACCESS, Access
from pipeline.topics import HEARD_TOPICS, RESPONSES_TOPICS, TOPICS, TRIAGE_TOPICS

BY_NAME = {one.name: one for one in ACCESS}


def _touched(one: Access) -> set[str]:
    return {*one.reads, *one.writes}


def test_what_is_made_from_code_is_fresh() -> None:
    """`make deploy-files` would change nothing."""
    assert generate.stale() == []


def test_access_is_to_topics_that_are_declared() -> None:
    """No right to a topic that the table does not have, and no topic that nobody may use."""
    used = {topic for one in ACCESS for topic in (*one.reads, *one.writes, *one.sees)}

    assert {topic.name for topic in TOPICS} == used


@pytest.mark.parametrize(("program", "declared"), [("triage", TRIAGE_TOPICS), ("responses", RESPONSES_TOPICS)])
def test_each_program_may_use_what_it_checks_at_its_start(program: str, declared: tuple[str, ...]) -> None:
    """Neither less nor more."""
    assert set(declared) == _touched(BY_NAME[program])


def test_responses_may_read_all_that_it_hears() -> None:
    """Every topic that tells what happened."""
    assert set(HEARD_TOPICS) <= set(BY_NAME["responses"].reads)


def test_listener_and_poster_may_use_what_they_check() -> None:
    """Where this version has them."""
    declared = {"poster": getattr(topics, "POSTER_TOPICS", None)}
    try:
        declared["listener"] = import_module("agents.listener").LISTENER_TOPICS
    except ModuleNotFoundError:
        declared["listener"] = None

    for program, found in declared.items():
        assert found is None or set(found) == _touched(BY_NAME[program])


def test_only_operators_create_and_only_scalers_look_alone() -> None:
    """The least rights."""
    assert ["operator"] == [one.name for one in ACCESS if one.creates]
    assert ["scaler"] == [one.name for one in ACCESS if not _touched(one)]
