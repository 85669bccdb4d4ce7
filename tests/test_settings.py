"""Settings: from file and variables, refused where wrong, redacted where shown."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SettingsError
from pipeline.posts import Queue
from pipeline.settings import Brand, Settings, Thresholds, Topics, Worker, load, redacted
from pipeline.settings_kafka import Kafka

NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True)
HANDLES = st.from_regex(r"[A-Za-z0-9_]{1,9}", fullmatch=True)
WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=8)
"""Nobody configures control characters; PyYAML does not read all that it writes back."""
TARGETS = st.dictionaries(st.sampled_from(Queue), st.none() | st.integers(1, 10**6))
BRAND = st.builds(
    Brand,
    name=NAMES,
    handles=st.lists(HANDLES, max_size=1).map(tuple),
    ids=st.lists(NAMES, max_size=2).map(tuple),
    aliases=st.lists(WORDS, max_size=2).map(tuple),
    targets=TARGETS,
)
SETTINGS = st.builds(
    Settings,
    brands=st.lists(
        BRAND, max_size=3, unique_by=(lambda b: b.name, lambda b: b.handles[:1] and b.handles[0].lower())
    ).map(tuple),
    topics=st.builds(Topics, prefix=NAMES, partitions=st.integers(1, 10_000)),
    worker=st.builds(Worker, linger_ms=st.integers(0, 1000), dead_share=st.floats(0, 1)),
    thresholds=st.builds(Thresholds, reactive=st.floats(0, 1)),
    targets=TARGETS,
    urgent_words=st.lists(WORDS, max_size=3).map(tuple),
    model=st.none() | st.just(Path("/models/a.skops")),
)


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
    """TRIAGE_SETTINGS names the file where no argument does; a target that it does not name keeps its default."""
    monkeypatch.setenv("TRIAGE_SETTINGS", str(_file(tmp_path, "targets: {reactive: 60}")))

    targets = load(None).targets
    assert (60, 1800, 7200) == (targets[Queue.REACTIVE], targets[Queue.REVIEW], targets[Queue.PROACTIVE])


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
        (
            "brands: [{name: a, handles: ['@Acme']}]",
            r"brands\.0\.handles\.0: letters, digits and _ only, without the @",
        ),
        ("brands: [{name: a}, {name: a}]", "name 'a' is given twice"),
        ("brands: [{name: a, aliases: [Foo]}, {name: b, aliases: [foo]}]", "alias 'foo' is given twice"),
        ("brands: [{name: a, ids: ['1']}, {name: b, ids: ['1']}]", "id '1' is given twice"),
        ("brands: [{name: a, aliases: ['']}]", r"brands\.0\.aliases\.0"),
        ("kafka: {min_insync_replicas: 2}", "replication_factor only 1"),
        ("topics: {prefix: 'a b/'}", r"topics\.prefix"),
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


@pytest.mark.parametrize("said", ["a:1, b:2", '["a:1", "b:2"]'])
def test_addresses_with_commas(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """A list of words in a variable is JSON, or as Kafka's clients take it."""
    monkeypatch.setenv("TRIAGE_KAFKA__BOOTSTRAP_SERVERS", said)
    monkeypatch.setenv("TRIAGE_KAFKA__ALLOW_PLAINTEXT", "true")

    assert ("a:1", "b:2") == load(None).kafka.bootstrap_servers


def test_a_variable_that_is_no_list_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brands are more than words: the error shows how they are written."""
    monkeypatch.setenv("TRIAGE_BRANDS", "acme")

    with pytest.raises(SettingsError, match=r"JSON, as in TRIAGE_BRANDS='\["):
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


@given(SETTINGS)
def test_what_is_shown_reads_back(settings: Settings) -> None:
    """The effective settings, printed and taken for a file, are the same settings."""
    with TemporaryDirectory() as folder:
        assert settings == load(_file(Path(folder), redacted(settings)))


@pytest.mark.parametrize(
    ("kafka", "says"),
    [
        ({"bootstrap_servers": ("broker.example:9092",)}, "allow_plaintext"),
        ({"bootstrap_servers": ("127.0.0.1:9092", "broker.example:9092")}, "allow_plaintext"),
        ({"bootstrap_servers": ("127.0.0.1.example:9092",)}, "allow_plaintext"),
        ({"bootstrap_servers": ("b.example:9092",), "security_protocol": "SASL_PLAINTEXT"}, "allow_plaintext"),
        ({"security_protocol": "SASL_SSL", "sasl_username": "bob"}, "sasl_password"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}, "sasl_username"),
        ({"security_protocol": "TLS"}, "security_protocol"),
        ({"bootstrap_server": ("127.0.0.1:9092",)}, "bootstrap_server"),
    ],
)
def test_unsafe_access_to_the_broker_is_refused(kafka: dict[str, object], says: str) -> None:
    """What would go over the wire unencrypted, or without a name, ends at the start."""
    with pytest.raises(SettingsError, match=says):
        load(None, kafka=kafka)


@pytest.mark.parametrize(
    "kafka",
    [
        {"bootstrap_servers": ("localhost:9092", "[::1]:9092")},
        {"bootstrap_servers": ("broker.example:9092",), "allow_plaintext": True},
        {"bootstrap_servers": ("broker.example:9092",), "security_protocol": "SSL"},
        {
            "bootstrap_servers": ("broker.example:9092",),
            "security_protocol": "SASL_SSL",
            "sasl_username": "bob",
            "sasl_password": "x",
        },
    ],
)
def test_safe_access_to_the_broker_is_taken(kafka: dict[str, object]) -> None:
    """This machine, asked-for plaintext, and TLS."""
    assert isinstance(load(None, kafka=kafka).kafka, Kafka)


def test_a_nested_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error behind the double underscore does not pass either."""
    monkeypatch.setenv("TRIAGE_KAFKA__SASL_USER", "x")

    with pytest.raises(SettingsError, match="sasl_user"):
        load(None)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"hours": {"office": {"zone": "Europe/Nowhere", "week": {"mon": ["09:00-17:00"]}}}}, "Europe/Nowhere"),
        ({"hours": {"office": {"week": {"monday": ["09:00-17:00"]}}}}, "no weekday: use mon"),
        ({"hours": {"office": {"week": {}}}}, "never open: name at least one span"),
        ({"hours": {"office": {"week": {"mon": ["9-17"]}}}}, "write 09:00-17:30"),
        ({"hours": {"office": {"week": {"mon": ["09:00+02:00-17:00"]}}}}, "write 09:00-17:30"),
        ({"hours": {"office": {"week": {"mon": ["09:00-09:00"]}}}}, "write 00:00-24:00 for a whole day"),
        ({"hours": {"office": {"week": {"mon": ["09:00-17:00"]}, "holidays": ["25-12"]}}}, "'25-12' is no day"),
        (
            {"hours": {"office": {"week": {"mon": ["09:00-17:00"]}, "holidays": ["2026-02-30"]}}},
            "'2026-02-30' is no day",
        ),
        (
            {"hours": {"office": {"week": {"mon": ["09:00-17:00"]}, "holidays": ["12-25", "13-45"]}}},
            "'13-45' is no day",
        ),
        ({"general_hours": "office"}, "'office' is referred to and not given; known: none"),
        ({"brands": [{"name": "acme", "hours": {"reactive": "night"}}]}, "'night' is referred to and not given"),
        ({"brands": [{"name": "acme", "to_dm": ["("]}]}, "no regular expression"),
        ({"responses": {"forgotten_after_s": 60}}, "resolved_after_s < forgotten_after_s"),
    ],
)
def test_hours_and_phrases_that_cannot_be_are_refused(values: dict[str, object], says: str) -> None:
    """At the start, with what to write instead."""
    with pytest.raises(SettingsError, match=says):
        load(None, **values)


def test_hours_by_brand_and_queue() -> None:
    """A brand's queue has its own hours, else the brand's, else the general ones."""
    office, night = ({"week": {"mon": [span]}} for span in ("09:00-17:00", "22:00-06:00"))
    acme, otto = {"name": "acme", "hours": {"review": "night"}}, {"name": "otto"}
    settings = load(None, brands=[acme, otto], hours={"office": office, "night": night}, general_hours="office")

    found = [settings.hours_of(brand, queue) for brand in settings.brands for queue in (Queue.REVIEW, Queue.REACTIVE)]

    assert found == [settings.hours[name] for name in ("night", "office", "office", "office")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('x:\n  bearer_token "AAAAsecret"\n  consumer_key: x\n', "line 3, column 15"),
        ("x:\n  bearer_token: *AAAAsecret\n", "line 2, column 17: found undefined alias ..."),
        ("x:\n  bearer_token: !AAAAsecret\n", "line 2, column 17"),
        ("x:\n  bearer_token: {AAAAsecret: [b\n", "expected ','"),
        ("x:\n  bearer_token: AAAA\x01secret\n", "character"),
        ("x: {bearer_token: [AAAAsecret]}\n", "x.bearer_token"),
        ("x: {bearer_token:AAAAsecret}\n", "x.bearer_token...: there is no such setting"),
        ("x:\n  bearer_token: !!int AAAAsecret\n", "in quotes"),
        ("kafka: {bootstrap_servers: ['SASL://kim:AAAAsecret@host:9092']}\n", "no user and no password"),
        ("x: {base_url: 'https://kim:AAAAsecret@x.example'}\n", "no user, password or token"),
        ("x: {base_url: 'https://x.example?token=AAAAsecret'}\n", "no user, password or token"),
        ("traces: {otlp_endpoint: 'http://kim:AAAAsecret@collector:4318/v1/traces'}\n", "no user, password or token"),
    ],
)
def test_a_slip_beside_a_secret_does_not_show_it(tmp_path: Path, text: str, says: str) -> None:
    """The line and the column are enough to find it."""
    file = tmp_path / "settings.yaml"
    file.write_text(text)

    with pytest.raises(SettingsError) as told:
        load(file)

    assert says in str(told.value)
    assert "AAAA" not in str(told.value)


def test_an_editors_mark_before_a_secret(tmp_path: Path) -> None:
    """The byte order mark that some put before UTF-8 is not part of it, nor is the line's end."""
    file = tmp_path / "token"
    file.write_bytes(b"\xef\xbb\xbfAAAA\r\n")

    assert "AAAA" == Settings.model_validate({"x": {"bearer_token_file": file}}).x.bearer()


def test_a_secret_that_is_no_text_is_said(tmp_path: Path) -> None:
    """With the file's name."""
    file = tmp_path / "token"
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(SettingsError, match=f"{file} is no UTF-8 text"):
        Settings.model_validate({"x": {"bearer_token_file": file}}).x.bearer()
