"""Settings: from file and variables, refused where wrong, redacted where shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.posts import Queue
from pipeline.settings import load, redacted


def _file(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_variables_stand_above_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRIAGE_ variables replace single keys of the file, and arguments replace both."""
    file = _file(tmp_path, "worker: {group: a, linger_ms: 1}\ntopics: {prefix: p.}")
    monkeypatch.setenv("TRIAGE_WORKER__LINGER_MS", "2")
    monkeypatch.setenv("TRIAGE_WORKER__IN_FLIGHT", "5")

    settings = load(file, worker={"in_flight": 7})

    worker = settings.worker
    assert ("a", 2, 7, "p.") == (worker.group, worker.linger_ms, worker.in_flight, settings.topics.prefix)


def test_the_file_may_be_named_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRIAGE_SETTINGS names the file where no argument does."""
    monkeypatch.setenv("TRIAGE_SETTINGS", str(_file(tmp_path, "targets: {reactive: 60}")))

    assert {Queue.REACTIVE: 60} == dict(load(None).targets)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour: red", "colour"),
        ("worker: {speed: 3}", r"worker\.speed"),
        ("kafka: {security_protocol: SASL_SSL}", "sasl_username"),
        ("kafka: {security_protocol: SASL_SSL, sasl_mechanism: OAUTHBEARER}", "sasl_token_file"),
        ("kafka: {bootstrap_servers: ['kafka:9092']}", "allow_plaintext"),
        ("thresholds: {reactive: 2}", r"thresholds\.reactive"),
        ("brands: [{name: Not A Slug}]", r"brands\.0\.name"),
        ("brands: [{name: a, handles: [X]}, {name: b, handles: [x]}]", "handle 'x' is given twice"),
        ("brands: [{name: a}, {name: a}]", "name 'a' is given twice"),
        ("[]: [", "YAML"),
        ("- a list", "keys and values"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, says: str) -> None:
    """An unknown key or a wrong value ends with the place and what is wrong."""
    with pytest.raises(SettingsError, match=says):
        load(_file(tmp_path, text))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """A file that is not there is no empty file."""
    with pytest.raises(SettingsError, match="no settings file"):
        load(tmp_path / "none.yaml")


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error in a variable's name does not pass in silence."""
    monkeypatch.setenv("TRIAGE_KAFAK__SASL_USERNAME", "x")

    with pytest.raises(SettingsError, match="TRIAGE_KAFAK__SASL_USERNAME"):
        load(None)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """The effective settings are printed without the passwords."""
    settings = load(_file(tmp_path, "kafka: {sasl_username: bob, sasl_password: hunter2, ssl_key_password: hunter3}"))

    shown = redacted(settings)

    assert "bob" in shown
    assert "hunter" not in shown


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    """A password file wins over nothing, without its line end; a missing one is said."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    settings = load(_file(tmp_path, f"kafka: {{sasl_username: bob, sasl_password_file: {secret}}}"))

    password = settings.kafka.password()
    secret.unlink()

    assert "hunter2" == password
    with pytest.raises(SettingsError, match="secret"):
        settings.kafka.password()
