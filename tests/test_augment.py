"""Posts with another surface: the words stay, the same seed gives the same, nothing is emptied."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.augment import altered

POST = "@acme @417 my parcel with the blue bicycle is still in leeds and nobody picks up #late https://t.co/aBcDeFgHiJ"


@given(st.lists(st.text(max_size=60)), st.integers(0, 2**32))
def test_nothing_is_emptied_and_a_seed_decides(texts: list[str], seed: int) -> None:
    """As many texts come out, none empty that was not, and the same ones for the same seed."""
    once, again = (altered(texts, np.random.default_rng(seed)) for _ in range(2))

    assert once == again
    assert all(copy for text, copy in zip(texts, once, strict=True) if text)


def test_the_words_stay_in_their_order() -> None:
    """Of a hundred copies each begins with the post's own words, at most a handle before them."""
    words = POST.split()[2:-2]

    for copy in altered([POST] * 100, np.random.default_rng(1)):
        own = [word for word in copy.split() if word[0] not in "@#" and not word.startswith("http")]
        assert own == words[: len(own)]
        assert len(own) >= 8


@pytest.mark.parametrize("mark", ["@acme", "#late", "aBcDeFgHiJ"])
def test_handle_hashtag_and_link_are_there_at_times(mark: str) -> None:
    """Each kind of surface stands in a fair part of the copies and is missing in a fair part."""
    share = np.mean([mark in copy for copy in altered([POST] * 400, np.random.default_rng(2))])

    assert 0.2 < share < 0.8


def test_a_post_without_a_handle_gets_one_at_times() -> None:
    """Half of the copies are addressed to somebody."""
    share = np.mean(
        [copy.startswith("@user ") for copy in altered(["the app is down"] * 400, np.random.default_rng(3))]
    )

    assert 0.4 < share < 0.6


def test_short_posts_are_not_cut() -> None:
    """Of a few words none is taken."""
    assert {"still nothing in leeds"} == {
        copy.removeprefix("@user ").split(" #")[0].split(" http")[0]
        for copy in altered(["still nothing in leeds"] * 50, np.random.default_rng(4))
    }
