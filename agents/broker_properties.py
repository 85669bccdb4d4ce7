"""What the embedded broker is told: the properties of one KRaft node on loopback, and of its secure listener."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from pipeline.errors import BrokerError

PROPERTIES: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "num.partitions": "12",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "message.max.bytes": "4194304",
    "log.message.timestamp.type": "CreateTime",
}

_PLAIN_WORD = re.compile(r"[\w.~-]+", re.ASCII)


class Secure(msgspec.Struct, frozen=True):
    """A listener that only takes TLS and a password: PEM files, users with passwords (SCRAM-SHA-512 and PLAIN)."""

    keystore: Path
    """Private key and certificate chain, one after the other."""
    truststore: Path
    users: Mapping[str, str]
    """The first one is the broker's own."""

    def __post_init__(self) -> None:
        """Refuse what would need quoting in three syntaxes of Kafka."""
        if not self.users or not all(map(_PLAIN_WORD.fullmatch, (*self.users, *self.users.values()))):
            raise BrokerError("users and passwords of the embedded broker: at least one, of letters, digits and ._~-")


def listeners(port: int, controller: int, secure: Secure | None) -> dict[str, str]:
    """The listeners of one node: clients on `port`, the controller on another, both on loopback."""
    protocol = "PLAINTEXT" if secure is None else "SASL_SSL"
    found = {
        "listeners": f"CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"CLIENTS://127.0.0.1:{port}",
        "listener.security.protocol.map": f"CLIENTS:{protocol},CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENTS",
    }
    return found if secure is None else found | _security(secure)


def _security(secure: Secure) -> dict[str, str]:
    first = next(iter(secure.users.items()))
    users = " ".join(f'user_{name}="{password}"' for name, password in secure.users.items())
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
    return {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.clients.plain.sasl.jaas.config": (
            f'{plain} required username="{first[0]}" password="{first[1]}" {users};'
        ),
        "listener.name.clients.scram-sha-512.sasl.jaas.config": f"{scram} required;",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(secure.keystore.resolve()),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(secure.truststore.resolve()),
    }
