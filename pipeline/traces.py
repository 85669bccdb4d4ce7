"""Traces: which way a post took. W3C's trace context goes from record to record, as bytes in the header `traceparent`.

What stands in a header is carried on as it came: nothing is parsed on the way, and no library is needed. Who exports
spans (agents/spans.py) is itself the parent of what follows, in those traces that are marked as sampled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from random import getrandbits, random
from typing import NamedTuple

TRACE_HEADER = "traceparent"
"""W3C Trace Context, https://www.w3.org/TR/trace-context/: version, trace id, parent id, flags, in hexadecimal."""
_LENGTH = 55
_FORM = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_going_on: ContextVar[bytes | None] = ContextVar(TRACE_HEADER, default=None)
Onward = Callable[[bytes], bytes]


class Ids(NamedTuple):
    """What a header says; ids in lower-case hexadecimal."""

    trace: str
    span: str
    sampled: bool


def begin(sampled: float) -> bytes:
    """The header of a new trace; this share of them is marked, so that whoever exports spans keeps all of each."""
    flags = b"01" if random() < sampled else b"00"  # noqa: S311 - no secret
    return b"00-%032x-%016x-%s" % (getrandbits(128) or 1, getrandbits(64) or 1, flags)


def of(headers: Sequence[tuple[str, bytes | None]]) -> bytes | None:
    """The header's value among those of a record, if it can be one."""
    for name, value in headers:
        if name == TRACE_HEADER:
            return plausible(value)
    return None


def plausible(value: bytes | None) -> bytes | None:
    """The value, if it has the length that it must have: outsiders write headers too."""
    return value if value is not None and len(value) == _LENGTH else None


def is_sampled(value: bytes) -> bool:
    """Whether spans of the trace are wanted."""
    return value.endswith(b"1")


def read(value: bytes | None) -> Ids | None:
    """What a header says; None if that is nothing."""
    found = None if value is None else _FORM.fullmatch(value)
    if found is None:
        return None
    trace, span, flags = found.groups()
    return Ids(trace.decode(), span.decode(), bool(int(flags, 16) & 1))


def onward(component: str, *, exporting: bool) -> Onward:
    """What a component makes of a header that came in, for what goes out.

    The component's own span takes the parent's place, if it is exported. Its id follows from the parent and the
    component: a record that is done twice has one span.
    """
    name = component.encode()

    def replaced(value: bytes) -> bytes:
        if not is_sampled(value):
            return value
        return value[:36] + blake2b(value[:52], digest_size=8, key=name).hexdigest().encode() + value[52:]

    return replaced if exporting else _same


@contextmanager
def going_on(value: bytes | None) -> Iterator[None]:
    """What is logged inside belongs to a trace."""
    before = _going_on.set(value)
    try:
        yield
    finally:
        _going_on.reset(before)


def fields() -> dict[str, str]:
    """trace_id and span_id of what is going on, for a line of the log; nothing outside of any trace."""
    ids = read(_going_on.get())
    return {} if ids is None else {"trace_id": ids.trace, "span_id": ids.span}


def _same(value: bytes) -> bytes:
    return value
