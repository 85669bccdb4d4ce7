"""What kafka-python's clients try again while they connect: whatever may pass, never what a broker has refused."""

from __future__ import annotations

import ssl
from typing import Any

from kafka.errors import SaslAuthenticationFailedError, UnsupportedSaslMechanismError
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from pipeline.errors import TriageError

REFUSALS = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError, TriageError)


class Manager(KafkaConnectionManager):  # type: ignore[misc]
    """Raises a refusal at once, where kafka-python sends the wrong password until its time is up, and says nothing."""

    last_error: BaseException | None = None
    refusal: BaseException | None = None

    def get_connection(self, node_id: Any, *args: Any, **how: Any) -> Any:
        """The connection to a broker, watched until the first one is made."""
        if self.bootstrapped:
            return super().get_connection(node_id, *args, **how)
        if self.refusal is not None:
            raise self.refusal
        connection = super().get_connection(node_id, *args, **how)
        connection.init_future.add_errback(self._remember)
        return connection

    def _remember(self, error: BaseException) -> None:
        self.last_error = error
        if isinstance(error, REFUSALS) or isinstance(error.__context__, ssl.SSLCertVerificationError):
            self.refusal = error


class Client(KafkaNetClient):  # type: ignore[misc]
    """What kafka-python's admin, producer and consumer speak through."""

    def __init__(self, **configs: Any) -> None:
        net = NetworkSelector(**configs)
        self.manager = Manager(net, **configs)
        super().__init__(net, self.manager, **configs)
