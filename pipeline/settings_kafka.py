"""Settings of Kafka: where the brokers are, and how clients show who they are."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from pipeline.settings_part import Part, secret


class SecurityProtocol(StrEnum):
    """How a client speaks to the broker."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class SaslMechanism(StrEnum):
    """How a client shows who it is."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    OAUTHBEARER = "OAUTHBEARER"


class Kafka(Part):
    """The one place from which every Kafka client takes its address and its security."""

    bootstrap_servers: tuple[str, ...] = ("127.0.0.1:9092",)
    """Brokers to ask first, as host:port."""
    security_protocol: SecurityProtocol = SecurityProtocol.PLAINTEXT
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
    allow_plaintext: bool = False
    """Unencrypted traffic to a broker that is not on this machine must be asked for."""
    sasl_mechanism: SaslMechanism = SaslMechanism.SCRAM_SHA_512
    """PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER."""
    sasl_username: str | None = None
    """As whom we log in, unless by OAUTHBEARER."""
    sasl_password: SecretStr | None = None
    """Its password ..."""
    sasl_password_file: Path | None = None
    """... or the file that holds it."""
    sasl_token_file: Path | None = None
    """OAUTHBEARER: a file that holds the current token; read again whenever a client asks."""
    ssl_cafile: Path | None = None
    """Who signed the brokers' certificates (PEM); null: those whom this machine trusts."""
    ssl_certfile: Path | None = None
    """Our own certificate, where brokers ask for one (PEM)."""
    ssl_keyfile: Path | None = None
    """Its private key."""
    ssl_key_password: SecretStr | None = None
    """The key's password ..."""
    ssl_key_password_file: Path | None = None
    """... or the file that holds it."""
    replication_factor: Annotated[int, Field(ge=1)] = 1
    """Copies of each partition of the topics that `triage topics create` makes."""
    min_insync_replicas: Annotated[int, Field(ge=1)] = 1
    """So many copies must have a write before it is acknowledged."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if any("@" in server for server in self.bootstrap_servers):
            raise ValueError("kafka.bootstrap_servers: no user and no password may stand there: they are shown")
        if self.min_insync_replicas > self.replication_factor:
            raise ValueError(
                f"kafka.min_insync_replicas is {self.min_insync_replicas} and kafka.replication_factor only "
                f"{self.replication_factor}: no write would ever be acknowledged"
            )
        encrypted = self.security_protocol in (SecurityProtocol.SSL, SecurityProtocol.SASL_SSL)
        local = all(
            server.rsplit(":", 1)[0] in ("127.0.0.1", "localhost", "[::1]") for server in self.bootstrap_servers
        )
        if not encrypted and not local and not self.allow_plaintext:
            raise ValueError(
                f"kafka.security_protocol is {self.security_protocol} and the broker is not on this machine: "
                "set it to SSL or SASL_SSL, or say kafka.allow_plaintext: true"
            )
        if self.security_protocol.startswith("SASL"):
            self._sasl_complete()
        return self

    def _sasl_complete(self) -> None:
        if self.sasl_mechanism is SaslMechanism.OAUTHBEARER:
            if self.sasl_token_file is None:
                raise ValueError("OAUTHBEARER needs kafka.sasl_token_file")
        elif self.sasl_username is None or (self.sasl_password is None and self.sasl_password_file is None):
            raise ValueError(
                f"{self.sasl_mechanism} needs kafka.sasl_username and kafka.sasl_password or kafka.sasl_password_file"
            )

    def password(self) -> str:
        """The SASL password, from the setting or its file."""
        return secret(self.sasl_password, self.sasl_password_file)

    def key_password(self) -> str | None:
        """The password of the client's private key, from the setting or its file."""
        return secret(self.ssl_key_password, self.ssl_key_password_file) or None
