"""Every client over SASL_SSL to a real broker that takes nothing else."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certificates
import pytest
from aiokafka import AIOKafkaProducer
from faust.types.auth import AuthProtocol
from prometheus_client import CollectorRegistry

from agents import clients, topics
from agents.app import create_app
from agents.broker import Broker
from agents.broker_properties import Secure
from models.classifier import StageClassifier
from pipeline.errors import BrokerError, SettingsError
from pipeline.metrics import Metrics
from pipeline.settings import Settings, Topics
from pipeline.settings_kafka import Kafka, SaslMechanism, SecurityProtocol
from pipeline.topics import TRIAGE_TOPICS

USERS = {"admin": "admin-secret", "triage": "triage-secret"}


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Path]]:
    """A broker with a SASL_SSL listener only, and the authority that signed its certificate."""
    folder = tmp_path_factory.mktemp("secure")
    keystore, truststore = certificates.make(folder)
    listener = Secure(keystore=keystore, truststore=truststore, users=USERS)
    with Broker(folder / "kafka", log=lambda _: None, port=19392, secure=listener) as broker:
        yield broker, truststore


def _kafka(secure: tuple[Broker, Path], **other: Any) -> Kafka:
    broker, truststore = secure
    given: dict[str, Any] = {
        "bootstrap_servers": (broker.bootstrap,),
        "security_protocol": SecurityProtocol.SASL_SSL,
        "sasl_username": "triage",
        "sasl_password": "triage-secret",
        "ssl_cafile": truststore,
    }
    return Kafka(**(given | other))


@pytest.mark.parametrize("mechanism", [SaslMechanism.PLAIN, SaslMechanism.SCRAM_SHA_512])
def test_kafka_python_comes_in(secure: tuple[Broker, Path], mechanism: SaslMechanism) -> None:
    """With the right password and authority, topics can be made and looked at."""
    settings = Settings(
        kafka=_kafka(secure, sasl_mechanism=mechanism), topics=Topics(prefix=f"{mechanism.lower()}.", partitions=2)
    )

    made = topics.create(settings)

    assert [] == topics.check(settings, TRIAGE_TOPICS)
    assert all(line.endswith("created") for line in made)


def test_the_workers_own_clients_come_in(secure: tuple[Broker, Path]) -> None:
    """Faust's consumer joins its group, and the sender connects."""
    settings = Settings(kafka=_kafka(secure), topics=Topics(prefix="worker.", partitions=2))
    topics.create(settings)

    async def main() -> set[int]:
        app = create_app(settings, StageClassifier.load(None), Metrics(CollectorRegistry()))
        await app.edges[0].start()
        await app.start()
        async with asyncio.timeout(30):
            while not app.consumer.assignment():  # noqa: ASYNC110 - Faust has no event for it
                await asyncio.sleep(0.05)
        assigned = {tp.partition for tp in app.consumer.assignment()}
        await app.stop()
        await app.edges[0].stop()
        return assigned

    assert {0, 1} == asyncio.run(main())


def test_a_password_may_come_from_a_file(secure: tuple[Broker, Path], tmp_path: Path) -> None:
    """A mounted secret works like the setting."""
    secret = tmp_path / "password"
    secret.write_text("triage-secret\n")

    kafka = _kafka(secure, sasl_password=None, sasl_password_file=secret)

    clients.admin(kafka).close()


@pytest.mark.parametrize("wrong", [{"sasl_password": "nonsense"}, {"ssl_cafile": None}], ids=["password", "authority"])
def test_wrong_ones_stay_out(secure: tuple[Broker, Path], wrong: dict[str, Any]) -> None:
    """A wrong password or an unknown authority ends with a clear error."""
    with pytest.raises(BrokerError, match="security settings"):
        clients.admin(_kafka(secure, **wrong))


def test_a_plaintext_client_gets_nothing(secure: tuple[Broker, Path]) -> None:
    """The broker does not speak with a client that does not encrypt."""
    broker, _ = secure

    with pytest.raises(BrokerError):
        clients.admin(Kafka(bootstrap_servers=(broker.bootstrap,)))


@pytest.mark.parametrize("protocol", list(SecurityProtocol))
def test_no_client_falls_back(secure: tuple[Broker, Path], protocol: SecurityProtocol) -> None:
    """Whatever the settings say, all three kinds of client get just that protocol, and a checked context for TLS."""
    kafka = _kafka(secure, security_protocol=protocol)

    python, asynchronous, faust = clients.kafka_python(kafka), clients.aiokafka(kafka), clients.faust_credentials(kafka)

    assert {protocol.value} == {python["security_protocol"], asynchronous["security_protocol"]}
    assert (AuthProtocol.PLAINTEXT if faust is None else faust.protocol) == AuthProtocol(protocol.value)
    for found in (python, asynchronous):
        context = found.get("ssl_context")
        assert (context is not None) == protocol.value.endswith("SSL")
        assert context is None or (context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED)


def test_plaintext_to_elsewhere_must_be_asked_for() -> None:
    """Without a word about it, an unencrypted connection off this machine is refused at the start."""
    with pytest.raises(ValueError, match="allow_plaintext"):
        Kafka(bootstrap_servers=("kafka.example:9092",))

    assert Kafka(bootstrap_servers=("kafka.example:9092",), allow_plaintext=True).allow_plaintext


def test_oauthbearer_reads_its_token_anew(tmp_path: Path) -> None:
    """The token's file is read each time that a client asks."""
    file = tmp_path / "token"
    file.write_text("one")
    kafka = Kafka(
        security_protocol=SecurityProtocol.SASL_SSL, sasl_mechanism=SaslMechanism.OAUTHBEARER, sasl_token_file=file
    )
    provider = clients.kafka_python(kafka)["sasl_oauth_token_provider"]

    first = provider.token()
    file.write_text("two")

    assert ("one", "two") == (first, provider.token())
    assert "two" == asyncio.run(clients.aiokafka(kafka)["sasl_oauth_token_provider"].token())
    file.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="no UTF-8 text"):
        provider.token()


def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    """A wrong path is said at the start."""
    with pytest.raises(SettingsError, match="ssl_"):
        clients.ssl_context(Kafka(ssl_cafile=tmp_path / "none.pem"))


def test_aiokafka_producer_over_tls(secure: tuple[Broker, Path]) -> None:
    """Aiokafka's producer, as the sender uses it, comes in with the same settings."""

    async def main() -> None:
        producer = AIOKafkaProducer(**clients.aiokafka(_kafka(secure)))
        await producer.start()
        await producer.stop()

    asyncio.run(main())
