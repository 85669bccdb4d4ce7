"""When a post was made: what its id says of an edit, as far as it can be true."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.classify import Model
from pipeline.heard import routed
from pipeline.policies import Policies
from pipeline.post_times import first_id, first_made
from pipeline.posts import Author, Post, Stage, Verdict
from pipeline.route import Place, Router, utc
from pipeline.routed import RoutedPost
from pipeline.settings import Brand, Settings

AT = 1_772_359_200_000
MINUTE = 60_000
FIRST = str(first_id(AT / 1000))
SETTINGS = Settings(brands=(Brand(name="heron", handles=("HeronAir",)),))


@pytest.mark.parametrize(
    ("said", "first", "revision", "expected"),
    [
        (AT + 20 * MINUTE, FIRST, 1, AT),
        (AT + 60 * MINUTE, FIRST, 2, AT),
        (AT + 61 * MINUTE, FIRST, 1, AT + 61 * MINUTE),
        (AT + 20 * MINUTE, FIRST, 0, AT + 20 * MINUTE),
        (AT - 1, FIRST, 1, AT - 1),
        (AT, "7", 1, AT),
        (AT, "note-\u0667", 1, AT),
    ],
)
def test_the_first_version_of_an_edit(said: int, first: str, revision: int, expected: int) -> None:
    """Its id says when, unless nobody could have edited it so late, it is no id of X, or this is the first version."""
    assert expected == first_made(said, first, revision)


@pytest.mark.parametrize(("revision", "since"), [(0, AT + 20 * MINUTE), (1, AT)])
def test_an_edit_keeps_the_clock(revision: int, since: int) -> None:
    """Deadline and wait count from the first version, which need not have been read."""
    said = AT + 20 * MINUTE
    post = Post("8", FIRST, "@HeronAir where is it?", Author("5"), said, "1", revision=revision)
    verdict = Verdict(Stage.REACTIVE, 0.9, (0.9, 0.05, 0.05))

    [made] = Router(SETTINGS, Model("m", "1", "0" * 64)).route(post, verdict, Place("tweets", 0, 1, said), said)

    heard = routed(made.value, 0, Policies(SETTINGS))
    assert heard is not None
    assert (since, utc(since + 30 * MINUTE)) == (
        heard.fact.at,
        msgspec.json.decode(made.value, type=RoutedPost).deadline_at,
    )
