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

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        """While connecting: a broker's last words before it hangs up are heard, which kafka-python drops."""
        transport = await super()._build_transport(node, timeout_at)
        if not self.bootstrapped:
            receive = transport._sock_recv  # noqa: SLF001 - kafka-python is pinned, and a test shows the effect

            def words_before_the_end() -> tuple[bytes, Exception | None]:
                data, error = receive()
                return data, None if data else error

            transport._sock_recv = words_before_the_end  # noqa: SLF001
        return transport

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
