"""`triage topics` on a real broker: what exists already, and is not as the settings say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from agents import topics
from agents.__main__ import app
from agents.command import EXIT_OF, Exit
from pipeline.errors import TopicsError
from pipeline.settings import Settings

Triage = Callable[..., Result]


@pytest.fixture
def triage(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Triage:
    """Runs commands with settings of 5 partitions, where the topics were made with 3."""
    topics.create(settings)
    monkeypatch.setenv("TRIAGE_KAFKA__BOOTSTRAP_SERVERS", f'["{settings.kafka.bootstrap_servers[0]}"]')
    monkeypatch.setenv("TRIAGE_TOPICS__PREFIX", settings.topics.prefix)
    monkeypatch.setenv("TRIAGE_TOPICS__PARTITIONS", "5")
    return lambda *words: CliRunner().invoke(app, ["topics", *words])


def _refused(done: Result) -> str:
    assert isinstance(done.exception, TopicsError), done.output
    assert Exit.TOPICS == EXIT_OF[type(done.exception)]
    return str(done.exception)


def test_create_says_what_of_those_that_exist_is_not_as_declared(triage: Triage, settings: Settings) -> None:
    """Nothing would run with them, so it is no success."""
    done = triage("create")

    assert f"{settings.topics.prefix}tweets: exists" in done.output
    assert f"{settings.topics.prefix}tweets has 3 partitions, it should have 5" in _refused(done)


@pytest.mark.parametrize("after", ["2", "3"])
def test_grow_says_how_many_partitions_there_are(triage: Triage, after: str) -> None:
    """On the broker, whatever the settings say."""
    assert f"the topics have 3 partitions: there can only be more, not {after}" in _refused(
        triage("grow", "--partitions", after)
    )


def test_the_topics_grow_to_what_the_settings_say_already(triage: Triage) -> None:
    """As many as the broker has less, and once more does no harm; then create has nothing to say."""
    done = triage("grow", "--partitions", "5")

    assert 0 == done.exit_code, done.exception
    assert 0 == triage("create").exit_code
    assert "the topics have 5 partitions: there can only be more, not 5" in _refused(
        triage("grow", "--partitions", "5")
    )


def test_topics_that_are_not_there_cannot_grow(triage: Triage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to run."""
    monkeypatch.setenv("TRIAGE_TOPICS__PREFIX", "nowhere.")

    assert "nowhere.messages does not exist, or this user may not see it: run `triage topics create`" in _refused(
        triage("grow", "--partitions", "7")
    )
