"""Free ports on loopback."""

from __future__ import annotations

import socket


def free_port(preferred: int | None = None) -> int:
    """The preferred port where it is free, else any free one."""
    for port in (preferred or 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free on loopback")
