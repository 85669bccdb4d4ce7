"""Traces: a header is begun, carried and read; what is no header goes no further."""

from __future__ import annotations

import re

import pytest

from pipeline import traces
from pipeline.traces import TRACE_HEADER

FORM = rb"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]"
SAMPLED = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = SAMPLED[:-1] + b"0"


def test_a_trace_begins_with_its_own_ids() -> None:
    """In W3C's form; the share that is asked for is marked."""
    begun = [traces.begin(share) for share in (0.0, 1.0, 1.0)]

    assert all(re.fullmatch(FORM, header) for header in begun)
    assert [False, True, True] == [traces.is_sampled(header) for header in begun]
    assert 3 == len({header[3:35] for header in begun})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([("triage_api", b"stream")], None),
        ([("triage_api", b"stream"), (TRACE_HEADER, SAMPLED)], SAMPLED),
        ([(TRACE_HEADER, None)], None),
        ([(TRACE_HEADER, b"x" * 10_000)], None),
    ],
    ids=["none", "another", "one", "empty", "too long"],
)
def test_it_is_found_among_headers(headers: list[tuple[str, bytes | None]], expected: bytes | None) -> None:
    """Anybody may write to some topics: what cannot be one is left out."""
    assert expected == traces.of(headers)


@pytest.mark.parametrize("value", [None, b"", SAMPLED.upper(), b"ff" + SAMPLED[2:], b"x" * 55, SAMPLED + b"-more"])
def test_what_is_no_header_says_nothing(value: bytes | None) -> None:
    """It is never an error."""
    assert traces.read(value) is None


def test_without_spans_it_goes_on_as_it_came() -> None:
    """Not a byte is changed."""
    onward = traces.onward("triage", exporting=False)

    assert [SAMPLED, UNSAMPLED] == [onward(SAMPLED), onward(UNSAMPLED)]


def test_a_span_of_ours_is_the_parent_of_what_follows() -> None:
    """In a sampled trace, and the same whenever the record is done again; other components have others."""
    triage, responses = (traces.onward(name, exporting=True) for name in ("triage", "responses"))

    once, again, other = traces.read(triage(SAMPLED)), traces.read(triage(SAMPLED)), traces.read(responses(SAMPLED))

    assert UNSAMPLED == triage(UNSAMPLED)
    assert once is not None
    assert other is not None
    assert once == again
    assert ("4bf92f3577b34da6a3ce929d0e0e4736", True) == (once.trace, once.sampled)
    assert 3 == len({once.span, other.span, "00f067aa0ba902b7"})
