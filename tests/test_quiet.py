"""A stream that lives and brings nothing is noticed, a quiet world is not taken for one."""

from __future__ import annotations

import itertools
import random

import pytest

from pipeline.quiet import Quiet


def _after(rates: list[tuple[float, float]]) -> list[float]:
    """When it was said to be quiet, over spans of (seconds, posts a second), looked at each 5 s."""
    quiet, chance, now, said = Quiet(share=0.1, posts=30), random.Random(7), 0.0, []
    quiet.opened(now)
    for seconds, rate in rates:
        end = now + seconds
        while now < end:
            quiet.count(sum(chance.random() < rate * 0.05 for _ in range(100)), now)
            now += 5
            if quiet.is_quiet(now) is not None:
                said.append(now)
    return said


@pytest.mark.parametrize(("rate", "within"), [(10.0, 120), (1.0, 120), (0.1, 500)])
def test_a_silence_is_noticed(rate: float, within: float) -> None:
    """In a minute or two where much comes, later where little does."""
    said = _after([(3000, rate), (within, 0.0)])

    assert 1 == len(said)
    assert 3000 < said[0] <= 3000 + within


def test_it_is_not_said_again_at_once() -> None:
    """After a quarter of an hour at the earliest."""
    said = _after([(3000, 5.0), (1800, 0.0)])

    assert all(later - first >= 900 for first, later in itertools.pairwise(said))


@pytest.mark.parametrize("rate", [0.0, 0.005, 0.3, 8.0])
def test_an_even_flow_is_never_quiet(rate: float) -> None:
    """Neither where much comes nor where next to nothing does."""
    assert _after([(20_000, rate)]) == []


def test_a_fall_by_half_is_no_silence() -> None:
    """Evenings are normal."""
    assert _after([(3600, 10.0), (3600, 5.0), (3600, 2.5)]) == []


def test_without_a_connection_nothing_is_expected() -> None:
    """And after a new one a full window must pass."""
    quiet = Quiet(share=0.1, posts=30)
    quiet.opened(0)
    for now in range(0, 3000, 5):
        quiet.count(20, now)
    quiet.closed()

    assert quiet.is_quiet(4000) is None
    quiet.opened(3990)
    assert [None, 110.0] == [quiet.is_quiet(4000), quiet.is_quiet(4100)]


def test_how_far_a_stream_is_trusted() -> None:
    """While posts come as usual, and until one would have come; then to the end of the last ones, or the opening."""
    quiet = Quiet(share=0.1, posts=30)
    unknown = quiet.trusted(3)
    quiet.opened(0)
    for now in range(0, 300, 5):
        quiet.count(1, now)

    assert 3 == unknown
    assert [302, 304, 300, 300] == [quiet.trusted(now) for now in (302, 304, 306, 4000)]
    quiet.opened(350)
    assert 350 == quiet.trusted(400)


def test_a_rare_brand_is_trusted_for_longer() -> None:
    """With a post in half an hour ten minutes without any say nothing."""
    quiet = Quiet(share=0.1, posts=30)
    quiet.opened(0)
    for now in (0, 1795):
        quiet.count(1, now)

    assert [2400, 1800] == [quiet.trusted(2400), quiet.trusted(3600)]


def test_the_last_post_is_remembered() -> None:
    """However long ago it came: it is what is certain."""
    quiet = Quiet(share=0.1, posts=30)
    quiet.opened(0)
    quiet.count(1, 0)

    assert quiet.is_quiet(50_000) is None
    assert 5 == quiet.trusted(50_000)
