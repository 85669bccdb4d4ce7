"""The language of rules and searches, as the fake X reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.fake_x_posts import FakePost, User, look
from agents.fake_x_rules import BadRule, compile_rule, fold

ANNA = User("7", "Anna", "Anna A.", 5, verified=False, created_at=0.0)
BRAND = User("8", "Brand", "Brand", 5, verified=True, created_at=0.0)


def _post(text: str, identity: str = "1", author: User = ANNA) -> FakePost:
    return FakePost(identity, text, author, 0.0, 0.0, [identity], identity)


PARENT = _post("we are here", "2", BRAND)
POST = FakePost(
    "1", "My #Order is late, @brand! Dónde está?", ANNA, 0.0, 0.0, ["1"], "2", parent=PARENT, lang="es", photo="u"
)


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ("order", True),
        ("ORDER", True),
        ("orders", False),
        ("late order", True),
        ("late lost", False),
        ("lost OR late", True),
        ("lost OR stolen", False),
        ('"order is late"', True),
        ('"late order"', False),
        ("@brand", True),
        ("@Brand", True),
        ("@bran", False),
        ("#order", True),
        ("#late", False),
        ("from:anna", True),
        ("from:@Anna", True),
        ("from:7", True),
        ("from:brand", False),
        ("to:brand", True),
        ("to:8", True),
        ("to:anna", False),
        ("lang:es", True),
        ("lang:en", False),
        ("is:reply", True),
        ("is:quote", False),
        ("-is:retweet order", True),
        ("-is:reply order", False),
        ("has:mentions has:hashtags has:media", True),
        ("has:links", False),
        ("conversation_id:2", True),
        ("conversation_id:1", False),
        ("in_reply_to_tweet_id:2", True),
        ("(lost OR late) (@brand OR @other) -from:brand", True),
        ("(lost OR late) -(@brand OR @other)", False),
        ('-"order is late"', False),
        ("late OR lost stolen", True),
        ("(late OR lost) stolen", False),
        ("donde", False),
        ("dónde", True),
    ],
)
def test_a_rule_matches(rule: str, *, matches: bool) -> None:
    """Words stand as wholes, in any order unless quoted; accents count; OR binds less than a space."""
    assert matches == compile_rule(rule)(look(POST))


def test_a_search_folds_accents() -> None:
    """Other than the stream."""
    assert compile_rule(fold("dónde"))(look(POST, folded=True))
    assert compile_rule("donde esta")(look(POST, folded=True))


def test_the_stream_sees_the_quoted_text() -> None:
    """Other than the search."""
    post = FakePost("1", "look", ANNA, 0.0, 0.0, ["1"], "1", quoted=_post("a late order"))

    assert compile_rule("late")(look(post))
    assert not compile_rule("late")(look(post, folded=True))


@pytest.mark.parametrize(
    "rule", ["", " ", "(", ")", "(a", "a)", "a OR", "OR a", "-", "()", "from:", "embedding:a", '"!"', "#", "a OR OR b"]
)
def test_a_rule_that_cannot_be_read(rule: str) -> None:
    """It is refused with a reason."""
    with pytest.raises(BadRule, match=r".+"):
        compile_rule(rule)


@given(st.text(alphabet='ab ()"-:@#OR', max_size=30))
def test_any_text_is_a_rule_or_is_refused(rule: str) -> None:
    """Nothing else comes out of it."""
    try:
        found = compile_rule(rule)(look(POST))
    except BadRule:
        return

    assert found in {True, False}
