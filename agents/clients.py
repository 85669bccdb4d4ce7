"""Every Kafka client's address and security, from the one place in settings; and kafka-python's clients ready-made."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import faust
from aiokafka.abc import AbstractTokenProvider as AsyncTokenProvider
from faust.auth import OAuthCredentials
from faust.types.auth import AuthProtocol, CredentialsT
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.net.sasl.oauth import AbstractTokenProvider

from pipeline.errors import BrokerError, SettingsError
from pipeline.settings import Kafka, SaslMechanism, SecurityProtocol

ANSWER_WITHIN_MS = 10_000
"""So long a broker may take to answer for the first time."""
MAX_REQUEST_BYTES = 2 * 1024 * 1024
"""As large as the topics take."""


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]
    """OAUTHBEARER: the token in a file, read anew each time, for whoever writes it renews it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def token(self) -> str:
        """The current token."""
        return _read_token(self._path)


class AsyncTokenFile(AsyncTokenProvider):  # type: ignore[misc]
    """The same for aiokafka."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """The current token."""
        return _read_token(self._path)


def kafka_python(kafka: Kafka) -> dict[str, Any]:
    """The arguments that kafka-python's clients have in common."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": list(kafka.bootstrap_servers),
        "security_protocol": kafka.security_protocol.value,
        "bootstrap_timeout_ms": ANSWER_WITHIN_MS,
    }
    if _encrypted(kafka):
        arguments["ssl_context"] = ssl_context(kafka)
    if _sasl(kafka):
        arguments |= _sasl_arguments(kafka)
        if kafka.sasl_token_file is not None:
            arguments["sasl_oauth_token_provider"] = TokenFile(kafka.sasl_token_file)
    return arguments


def aiokafka(kafka: Kafka) -> dict[str, Any]:
    """The arguments that aiokafka's clients have in common."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": list(kafka.bootstrap_servers),
        "security_protocol": kafka.security_protocol.value,
    }
    if _encrypted(kafka):
        arguments["ssl_context"] = ssl_context(kafka)
    if _sasl(kafka):
        arguments |= _sasl_arguments(kafka)
        if kafka.sasl_token_file is not None:
            arguments["sasl_oauth_token_provider"] = AsyncTokenFile(kafka.sasl_token_file)
    return arguments


def faust_credentials(kafka: Kafka) -> CredentialsT | None:
    """The same for Faust; its protocol is set by hand, for Faust derives PLAINTEXT where a context is missing."""
    context = ssl_context(kafka) if _encrypted(kafka) else None
    credentials: Any
    if not _sasl(kafka):
        return None if context is None else faust.SSLCredentials(context)
    if kafka.sasl_token_file is not None:
        credentials = OAuthCredentials(oauth_cb=AsyncTokenFile(kafka.sasl_token_file), ssl_context=context)
    else:
        credentials = faust.SASLCredentials(
            mechanism=kafka.sasl_mechanism.value,
            ssl_context=context,
            username=kafka.sasl_username,
            password=kafka.password(),
        )
    credentials.protocol = AuthProtocol(kafka.security_protocol.value)
    return credentials  # type: ignore[no-any-return]


def ssl_context(kafka: Kafka) -> ssl.SSLContext:
    """TLS 1.2 or newer, the broker's certificate and name checked; with a client certificate where one is set."""
    try:
        context = ssl.create_default_context(cafile=str(kafka.ssl_cafile) if kafka.ssl_cafile else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if kafka.ssl_certfile is not None:
            key = str(kafka.ssl_keyfile) if kafka.ssl_keyfile else None
            context.load_cert_chain(str(kafka.ssl_certfile), key, password=kafka.key_password())
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"cannot read the certificates of kafka.ssl_…: {error}") from error
    return context


def producer(kafka: Kafka, **more: Any) -> KafkaProducer:
    """Idempotent, acknowledged by all replicas, never making topics."""
    arguments = {"max_request_size": MAX_REQUEST_BYTES, "linger_ms": 5, "batch_size": 262_144} | more
    return _connected(
        KafkaProducer, kafka, acks="all", enable_idempotence=True, allow_auto_create_topics=False, **arguments
    )


def consumer(kafka: Kafka, **more: Any) -> KafkaConsumer:
    """Without a group: partitions are assigned by the caller, from the beginning where it does not seek."""
    return _connected(
        KafkaConsumer, kafka, enable_auto_commit=False, auto_offset_reset="earliest", **{"group_id": None} | more
    )


def admin(kafka: Kafka) -> KafkaAdminClient:
    """For topics and groups."""
    return _connected(KafkaAdminClient, kafka)


def _connected(make: Any, kafka: Kafka, **arguments: Any) -> Any:
    try:
        return make(**kafka_python(kafka), **arguments)
    except KafkaError as error:
        where = ", ".join(kafka.bootstrap_servers)
        raise BrokerError(
            f"no Kafka broker lets us in at {where} ({type(error).__name__}: {error}): start one with "
            "`triage broker up`, or check kafka.bootstrap_servers and the security settings"
        ) from error


def _encrypted(kafka: Kafka) -> bool:
    return kafka.security_protocol in (SecurityProtocol.SSL, SecurityProtocol.SASL_SSL)


def _sasl(kafka: Kafka) -> bool:
    return kafka.security_protocol in (SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL)


def _sasl_arguments(kafka: Kafka) -> dict[str, Any]:
    arguments: dict[str, Any] = {"sasl_mechanism": kafka.sasl_mechanism.value}
    if kafka.sasl_mechanism is not SaslMechanism.OAUTHBEARER:
        arguments |= {"sasl_plain_username": kafka.sasl_username, "sasl_plain_password": kafka.password()}
    return arguments


def _read_token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"cannot read the token in {path}: {error.strerror}") from error
