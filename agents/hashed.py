"""Kafka's hash of a key, as its clients in Java and Python compute it: which partition a customer's records are in."""

from __future__ import annotations

from aiokafka.partitioner import murmur2


def hashed(key: bytes) -> int:
    """Of which the remainder by the number of partitions is the partition."""
    return int(murmur2(key)) & 0x7FFFFFFF
