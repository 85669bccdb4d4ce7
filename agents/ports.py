"""Ports on loopback: which are free, and on which a Kafka answers."""

from __future__ import annotations

import socket
import ssl

_NEIGHBOURS = 100
_API_VERSIONS = bytes.fromhex("0000000f 0012 0000 00000001 0005 70726f6265")
"""An ApiVersions request, version 0, number 1, from a client named probe: what every Kafka client asks first."""


def free_port(preferred: int | None = None) -> int:
    """The preferred port where it is free, else the next free one, else any.

    A neighbour comes before any port, because the system also gives the latter to clients as their own end: one that
    looks for a stopped broker there may find itself, and then the broker cannot come back.
    """
    wanted = range(preferred, min(preferred + _NEIGHBOURS, 2**16)) if preferred else ()
    for port in (*wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free on loopback")


def kafka_answers(port: int, tls: ssl.SSLContext | None = None) -> bool:
    """Whether a Kafka broker answers the first question of every client, which comes before any password."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=2.0) as plain,
            plain if tls is None else tls.wrap_socket(plain) as connection,
            connection.makefile("rb") as answer,
        ):
            connection.sendall(_API_VERSIONS)
            _length, number, error = (int.from_bytes(answer.read(size)) for size in (4, 4, 2))
            return (number, error) == (1, 0)
    except OSError:
        return False
