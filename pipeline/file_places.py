"""A place in a file: behind which line a reader was, told by the bytes around it, for inode numbers come back."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from pipeline.gaps import PROOF

EDGE = 512
"""Bytes that are compared at the beginning, and as many before the place; with another number no mark holds."""


class Place(NamedTuple):
    """Behind a line of a file."""

    inode: int
    offset: int
    """In bytes."""
    digest: str = ""
    """Of what stands at the beginning and before the place; empty in marks of versions that did not keep it."""
    changed_at: int = 0
    """When the file was last written to, as far as it was read; nanoseconds since 1970."""

    @property
    def mark(self) -> str:
        """As it is told; what is behind PROOF has a field of its own in a checkpoint."""
        return f"{self.inode}:{self.offset}{PROOF}{self.digest}:{self.changed_at}"


def read_mark(mark: str | None) -> Place | None:
    """The place of a mark, also of an earlier version's (inode and offset); None where it is no place in a file."""
    where, _, proof = (mark or "").partition(PROOF)
    inode, _, offset = where.partition(":")
    digest, _, changed_at = proof.partition(":")
    if not (inode.isdecimal() and offset.isdecimal()):
        return None
    return Place(int(inode), int(offset), digest, int(changed_at) if changed_at.isdecimal() else 0)


def digest(head: bytes, tail: bytes) -> str:
    """Of the first EDGE bytes up to a place, and of the last EDGE before it."""
    return blake2b(head + tail, digest_size=8).hexdigest()


class Trail:
    """What a reader has behind it in a file; `head` and `tail` are the bytes there that count, at most EDGE each."""

    def __init__(self, head: bytes = b"", tail: bytes = b"", offset: int = 0) -> None:
        self.head = head
        self._tail = tail
        self.offset = offset

    def add(self, read: bytes) -> None:
        """Go on behind what was read."""
        if len(self.head) < EDGE:
            self.head = (self.head + read)[:EDGE]
        self._tail = (self._tail + read)[-EDGE:]
        self.offset += len(read)

    def place(self, inode: int, changed_at: int) -> Place:
        """Where the reader is; `changed_at` in nanoseconds since 1970."""
        return Place(inode, self.offset, digest(self.head, self._tail), changed_at)
