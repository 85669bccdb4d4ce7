"""Every Kafka client's address and security, from the one place in settings; and kafka-python's clients ready-made."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import faust
from aiokafka.abc import AbstractTokenProvider as AsyncTokenProvider
from faust.auth import OAuthCredentials
from faust.types.auth import AuthProtocol, CredentialsT
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError
from kafka.net.sasl.oauth import AbstractTokenProvider

from agents.retrying import Client
from pipeline.errors import BrokerError, SettingsError, TopicsError
from pipeline.kept import Kept, Placed
from pipeline.settings_kafka import Kafka, SaslMechanism, SecurityProtocol
from pipeline.settings_part import secret

ANSWER_WITHIN_MS = 10_000
"""So long a broker may take to answer for the first time."""
MAX_REQUEST_BYTES = 2 * 1024 * 1024
"""As large as the topics take."""
STANDSTILL_S = 30.0
"""So long a read may make no progress before we say that the broker is gone."""


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]
    """OAUTHBEARER: the token in a file, read anew each time, for whoever writes it renews it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def token(self) -> str:
        """The current token."""
        return secret(None, self._path)


class AsyncTokenFile(AsyncTokenProvider):  # type: ignore[misc]
    """The same for aiokafka."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """The current token."""
        return secret(None, self._path)


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
        if (token := _token_file(kafka)) is not None:
            arguments["sasl_oauth_token_provider"] = TokenFile(token)
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
        if (token := _token_file(kafka)) is not None:
            arguments["sasl_oauth_token_provider"] = AsyncTokenFile(token)
    return arguments


def faust_credentials(kafka: Kafka) -> CredentialsT | None:
    """The same for Faust; its protocol is set by hand, for Faust derives PLAINTEXT where a context is missing."""
    context = ssl_context(kafka) if _encrypted(kafka) else None
    credentials: Any
    if not _sasl(kafka):
        return None if context is None else faust.SSLCredentials(context)
    if (token := _token_file(kafka)) is not None:
        credentials = OAuthCredentials(oauth_cb=AsyncTokenFile(token), ssl_context=context)
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
    arguments = {"group_id": None, "enable_auto_commit": False, "auto_offset_reset": "earliest"} | more
    return _connected(KafkaConsumer, kafka, allow_auto_create_topics=False, **arguments)


def admin(kafka: Kafka) -> KafkaAdminClient:
    """For topics and groups."""
    return _connected(KafkaAdminClient, kafka)


def cluster_of(kafka: Kafka) -> str:
    """The id that the cluster gave itself.

    Raises:
        BrokerError: no broker answers.
    """
    one = admin(kafka)
    try:
        return str(one.describe_cluster()["cluster_id"])
    except KafkaError as error:
        raise BrokerError(f"the cluster does not tell its id ({error!r}): check the broker") from error
    finally:
        one.close()


def stored(consumer: KafkaConsumer, topic: str, newest: int | None = None) -> Iterator[ConsumerRecord]:
    """What a topic holds now, each partition in its order, or only the newest of each; the consumer stands after it.

    Raises:
        TopicsError: there is no such topic, or we may not see it.
        BrokerError: the broker answers no more, or refuses.
    """
    try:
        begins, ends = _assigned(consumer, topic)
        for tp, begin in begins.items():
            consumer.seek(tp, begin if newest is None else max(begin, ends[tp] - newest))
        yield from _until(consumer, ends)
    except KafkaError as error:
        raise BrokerError(f"{topic} cannot be read ({error!r}): check the broker, and the right to read it") from error


def stored_since(consumer: KafkaConsumer, topic: str, starts: Mapping[int, int]) -> Iterator[ConsumerRecord]:
    """What a topic holds now, of each partition from an offset on; from its beginning where none is given.

    Raises:
        TopicsError, BrokerError: as `stored`.
    """
    try:
        begins, ends = _assigned(consumer, topic)
        for tp, begin in begins.items():
            consumer.seek(tp, min(max(begin, starts.get(tp.partition, 0)), ends[tp]))
        yield from _until(consumer, ends)
    except KafkaError as error:
        raise BrokerError(f"{topic} cannot be read ({error!r}): check the broker, and the right to read it") from error


Offsets = dict[TopicPartition, int]


def _assigned(consumer: KafkaConsumer, topic: str) -> tuple[Offsets, Offsets]:
    """All partitions assigned; where they begin and end."""
    tps = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
    if not tps:
        raise TopicsError(f"{topic} does not exist, or this user may not see it: run `triage topics create`")
    consumer.assign(tps)
    return consumer.beginning_offsets(tps), consumer.end_offsets(tps)


def newest(consumer: KafkaConsumer, topic: str) -> dict[Placed, Kept]:
    """What a compacted topic says now: of each key the newest record, those with a tombstone left out.

    Raises:
        TopicsError, BrokerError: as `stored`.
    """
    found: dict[Placed, Kept] = {}
    for record in stored(consumer, topic):
        place = Placed(record.partition, record.key or b"")
        if record.value is None:
            found.pop(place, None)
        else:
            found[place] = Kept(record.value, record.timestamp)
    return found


def _until(consumer: KafkaConsumer, ends: dict[TopicPartition, int]) -> Iterator[ConsumerRecord]:
    deadline = monotonic() + STANDSTILL_S
    while any(consumer.position(tp) < end for tp, end in ends.items()):
        fetched = consumer.poll(timeout_ms=500)
        if fetched:
            deadline = monotonic() + STANDSTILL_S
        elif monotonic() > deadline:
            raise BrokerError(f"no record came in {STANDSTILL_S:g} s, though there are more: check the broker")
        for tp, records in fetched.items():
            yield from (record for record in records if record.offset < ends[tp])
    for tp, end in ends.items():
        consumer.seek(tp, end)


def _connected(make: Any, kafka: Kafka, **arguments: Any) -> Any:
    opened: list[Client] = []

    def client(**configs: Any) -> Client:
        opened.append(Client(**configs))
        return opened[-1]

    try:
        return make(**kafka_python(kafka), kafka_client=client, **arguments)
    except (KafkaError, SettingsError) as error:
        for one in opened:
            one.close()
        if isinstance(error, SettingsError) or not opened:
            raise
        raise _explained(kafka, opened[0]) from error


def _explained(kafka: Kafka, client: Client) -> BrokerError:
    where = ", ".join(kafka.bootstrap_servers)
    manager = client.manager
    if manager.refusal is not None:
        return BrokerError(
            f"the Kafka broker at {where} and this client do not come to terms: {manager.refusal}; "
            "check the security settings (kafka.security_protocol, kafka.sasl_…, kafka.ssl_…)"
        )
    return BrokerError(
        f"no Kafka broker answers at {where} ({manager.last_error or 'the connection breaks'}): start one with "
        "`triage broker up` or set kafka.bootstrap_servers; where one runs, check the security settings, "
        f"for kafka.security_protocol is {kafka.security_protocol}"
    )


def _encrypted(kafka: Kafka) -> bool:
    return kafka.security_protocol in (SecurityProtocol.SSL, SecurityProtocol.SASL_SSL)


def _sasl(kafka: Kafka) -> bool:
    return kafka.security_protocol in (SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL)


def _token_file(kafka: Kafka) -> Path | None:
    return kafka.sasl_token_file if kafka.sasl_mechanism is SaslMechanism.OAUTHBEARER else None


def _sasl_arguments(kafka: Kafka) -> dict[str, Any]:
    arguments: dict[str, Any] = {"sasl_mechanism": kafka.sasl_mechanism.value}
    if kafka.sasl_mechanism is not SaslMechanism.OAUTHBEARER:
        arguments |= {"sasl_plain_username": kafka.sasl_username, "sasl_plain_password": kafka.password()}
    return arguments
