"""Brands: whom a post concerns, whether it was addressed to them, and what is the brand's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.brands import OTHER, Brands, require_brand
from pipeline.errors import UnknownBrand
from pipeline.posts import Author, Mention, Post
from pipeline.settings import Brand

SKIFF = Brand(name="skiff", handles=("Skiff", "SkiffHelp"), ids=("7001",), aliases=("skiff bikes",))
MULL = Brand(name="mull", handles=("MullTea",), ids=("7002",))
BRANDS = Brands((SKIFF, MULL))


def _post(
    text: str = "hello",
    *,
    author: Author = Author("1"),  # noqa: B008 - frozen
    mentions: tuple[str, ...] = (),
    parent: str | None = None,
    quoted: str | None = None,
    rules: tuple[str, ...] = (),
) -> Post:
    return Post(
        "1",
        "1",
        text,
        author,
        0,
        "1",
        parent_author_id=parent,
        quoted_author_id=quoted,
        mentions=tuple(Mention(name) for name in mentions),
        rules=rules,
    )


CONCERNED = {
    "a rule": (_post(rules=("mull:keyword",)), [MULL], False),
    "a rule of two brands": (_post(rules=("mull:keywords,skiff:keywords",)), [MULL, SKIFF], False),
    "a rule of a brand that is gone": (_post(rules=("gone:keyword",)), [OTHER], False),
    "a mention": (_post(mentions=("Skiff",)), [SKIFF], True),
    "a mention in other letters": (_post(mentions=("sKIFFhELP",)), [SKIFF], True),
    "two accounts of one brand": (_post(mentions=("Skiff", "SkiffHelp")), [SKIFF], True),
    "somebody else": (_post(mentions=("someone",)), [OTHER], False),
    "an answer to it": (_post(parent="7002"), [MULL], True),
    "a quote of it": (_post(quoted="7002"), [MULL], True),
    "two brands": (_post(mentions=("MullTea", "Skiff")), [MULL, SKIFF], True),
    "a rule and a mention": (_post(rules=("mull:x", "mull:y"), mentions=("Skiff",)), [MULL, SKIFF], True),
    "its name": (_post("my SKIFF squeaks"), [SKIFF], False),
    "an alias": (_post("new Skiff bikes, who rides one?"), [SKIFF], False),
    "a longer word": (_post("skiffs on the lake, mulled wine"), [OTHER], False),
    "both names": (_post("mull or skiff?"), [MULL, SKIFF], False),
    "a name where a rule tells": (_post("mull", rules=("skiff:keyword",)), [SKIFF], False),
    "none": (_post(), [OTHER], False),
}


@pytest.mark.parametrize("name", CONCERNED)
def test_whom_a_post_concerns(name: str) -> None:
    """Rules first, then accounts, then words where nothing else tells."""
    post, brands, addressed = CONCERNED[name]

    assert (brands, addressed) == BRANDS.concerned(post)


def test_one_brand_gets_all() -> None:
    """With a single brand configured every post is that brand's; with none, nobody's."""
    assert ([MULL], False) == Brands((MULL,)).concerned(_post("anything"))
    assert ([OTHER], False) == Brands(()).concerned(_post("anything"))


def test_each_brand_is_addressed_by_itself() -> None:
    """Of two brands that a post concerns, only the one mentioned may answer it."""
    post = _post(rules=("mull:x",), mentions=("Skiff",))

    assert (True, False) == (BRANDS.addressed(post, SKIFF), BRANDS.addressed(post, MULL))


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        (Author("7001"), SKIFF),
        (Author("1", "skiffhelp"), SKIFF),
        (Author("7002", "Skiff"), MULL),
        (Author("1", "someone"), None),
        (Author(""), None),
    ],
)
def test_what_is_the_brands_own(author: Author, expected: Brand | None) -> None:
    """The account's id tells, else its handle in any letters."""
    assert expected == BRANDS.own(_post(author=author))


@pytest.mark.parametrize("text", ["SKİFF", "skıff", "ſkiff", "my \u212askiff"])  # dotted, dotless, long s, Kelvin sign
def test_letters_that_fold_to_others(text: str) -> None:
    """A name in letters that only a search without case takes for its own stops nothing."""
    brands, addressed = BRANDS.concerned(_post(text))

    assert (brands in ([SKIFF], [OTHER]), False) == (True, addressed)


@given(st.text(alphabet="skifmulteaSKIFMULTEA @#_İıſK\u0307", max_size=30))
def test_no_text_raises(text: str) -> None:
    """Whatever is written, some brand is concerned."""
    assert BRANDS.concerned(_post(text))[0] != []


@pytest.mark.parametrize("name", [None, "skiff", "other", "gone"])
def test_a_brand_that_there_is(name: str | None) -> None:
    """Of the settings, of posts without one, or of the states, which keep what the settings had before."""
    require_brand(name, (SKIFF, MULL), ["gone", ""])


def test_a_brand_that_there_is_not() -> None:
    """The names there are stand beside it."""
    with pytest.raises(UnknownBrand, match="no brand 'skif', only gone, mull, other, skiff"):
        require_brand("skif", (SKIFF, MULL), ["gone", ""])
