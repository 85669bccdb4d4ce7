"""The headers of our records: CloudEvents 1.0, Kafka protocol binding, binary mode."""

from __future__ import annotations

from functools import lru_cache

ROUTED = "tweet-triage.post.routed.v1"
RETRACTED = "tweet-triage.post.retracted.v1"
RESPONSE = "tweet-triage.response.v1"
Headers = list[tuple[str, bytes]]


def headers(kind: str, brand: str, identity: str, subject: str, time: str) -> Headers:
    """A record's attributes: `kind` is its ce_type, `identity` its event id, `subject` what it is about."""
    return [
        *_constant(kind, brand),
        ("ce_id", identity.encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", time.encode()),
    ]


@lru_cache(maxsize=4096)
def _constant(kind: str, brand: str) -> tuple[tuple[str, bytes], ...]:
    """Those that are the same for all records of a kind and brand."""
    return (
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_type", kind.encode()),
        ("ce_source", f"/x/{brand}".encode()),
    )
