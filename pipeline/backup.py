"""The file of a backup: the states of `conversations`, and from where on their inputs are to be read again.

Lines of JSON, compressed with gzip: a head, a line for each record, an end with their number and the SHA-256 of all
lines before it. docs/upgrade.md has the fields.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from pipeline.errors import BackupError

FORMAT: Literal["tweet-triage/conversations/1"] = "tweet-triage/conversations/1"


class Head(msgspec.Struct, frozen=True):
    """The first line."""

    format: Literal["tweet-triage/conversations/1"]
    cluster: str
    """Offsets are those of this cluster's topics."""
    prefix: str
    partitions: int
    at: str
    """When it was begun."""
    offsets: list[tuple[str, int, int]]
    """(declared topic, partition, offset) from where the responses worker reads on; taken before the states."""


class Saved(msgspec.Struct, frozen=True):
    """A record: the newest of its key in its partition. Key and value stand in base64."""

    partition: int
    key: bytes
    value: bytes
    timestamp: int
    """Kafka's, in ms: from it and the state's clock a worker knows what time it is for the posts."""


class End(msgspec.Struct, frozen=True):
    """The last line."""

    records: int
    sha256: str


_encode = msgspec.json.Encoder().encode
_head = msgspec.json.Decoder(Head).decode
_saved = msgspec.json.Decoder(Saved).decode
_end = msgspec.json.Decoder(End, strict=True).decode


def lines(head: Head, records: Iterable[Saved]) -> Iterator[bytes]:
    """The lines of a file."""
    digest, count = hashlib.sha256(), -1
    for one in _all(head, records):
        line = _encode(one) + b"\n"
        digest.update(line)
        count += 1
        yield line
    yield _encode(End(count, digest.hexdigest())) + b"\n"


def _all(head: Head, records: Iterable[Saved]) -> Iterator[Head | Saved]:
    yield head
    yield from records


def read(found: Iterable[bytes]) -> tuple[Head, list[Saved]]:
    """What a file says, once all of it is there and whole.

    Raises:
        BackupError: it is no backup, or not a whole one, or of a later format.
    """
    every = list(found)
    if len(every) < 2:
        raise BackupError("the file is no backup, or not a whole one: its last line is missing")
    try:
        head, records, end = _head(every[0]), [_saved(line) for line in every[1:-1]], _end(every[-1])
    except msgspec.DecodeError as error:
        raise BackupError(f"the file is no backup of the format {FORMAT}, or not a whole one: {error}") from error
    if end != End(len(records), hashlib.sha256(b"".join(every[:-1])).hexdigest()):
        raise BackupError("the file was changed, or is not whole: the SHA-256 in its last line is another one")
    return head, records
