"""How long something took, in words."""

from __future__ import annotations

import pytest

from agents.span import span


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (725, "12m05s"), (3_600, "1h00m"), (172_799, "47h59m"),
     (172_800, "2d00h"), (7_776_000, "90d00h")],
)  # fmt: skip
def test_a_span_has_its_units(seconds: float | None, said: str) -> None:
    """The two largest that matter."""
    assert said == span(seconds)
