"""The gate: what is worse by more than chance is refused, with both figures and what to do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gate import as_good_share, refuse_worse
from pipeline.errors import ModelError

TRUE = np.arange(300) % 3
ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40)


def wrong(share: float) -> np.ndarray:
    """The true stages, of which this share is another one."""
    return np.where(np.arange(300) < share * 300, (TRUE + 1) % 3, TRUE)


def test_a_better_one_passes_with_both_figures() -> None:
    """The sentence names the posts and both figures."""
    assert refuse_worse(TRUE, wrong(0.1), wrong(0.3)) == (
        "macro-F1 0.900 on 300 labelled posts, against 0.700 of the model in use"
    )


def test_a_worse_one_is_refused() -> None:
    """Clearly worse: an error that says so, and how to insist."""
    with pytest.raises(ModelError, match=r"0\.700 .* against 0\.900 .*worse, nothing was written; .*--force"):
        refuse_worse(TRUE, wrong(0.3), wrong(0.1))


def test_what_chance_explains_passes() -> None:
    """One post of 300 is no reason."""
    assert "0.90" in refuse_worse(TRUE, wrong(0.1), wrong(0.0967))


@given(ROWS)
def test_the_same_judgements_are_always_as_good(rows: list[tuple[int, int]]) -> None:
    """A model is never worse than itself."""
    true, judged = (np.array(part) for part in zip(*rows, strict=True))

    assert as_good_share(true, judged, judged) == 1.0
