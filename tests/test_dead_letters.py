"""`triage dead` on a real broker."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from agents.__main__ import app
from agents.command import EXIT_OF, Exit
from pipeline.errors import TopicsError
from pipeline.settings import Settings


@pytest.mark.parametrize("words", [["list"], ["show", "tweets:0:0"], ["replay"]])
def test_before_the_topics_are_made(settings: Settings, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """It says what to run, with the exit code of missing topics."""
    monkeypatch.setenv("TRIAGE_KAFKA__BOOTSTRAP_SERVERS", f'["{settings.kafka.bootstrap_servers[0]}"]')
    monkeypatch.setenv("TRIAGE_TOPICS__PREFIX", settings.topics.prefix)

    done = CliRunner().invoke(app, ["dead", *words])

    assert isinstance(done.exception, TopicsError)
    assert Exit.TOPICS == EXIT_OF[type(done.exception)]
    assert "run `triage topics create`" in str(done.exception)
