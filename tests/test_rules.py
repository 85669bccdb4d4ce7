"""Rules: made from settings, within X's lengths, and changed on the server by difference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SettingsError
from pipeline.rules import MOST_RULES, SEARCH_LENGTH, STREAM_LENGTH, Rule, brands_of, difference, rules
from pipeline.settings import Brand
from pipeline.settings_listener import Listen

WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=20)
RULE = st.builds(Rule, st.sampled_from("abcdef"), st.sampled_from(["x:own", "y:own"]))


def test_the_rules_of_a_brand() -> None:
    """Handles in every language, own posts, and words within the languages and without what is excluded."""
    listen = Listen(keywords=("#avgeek", "lost bag"), languages=("en", "es"), exclude=("jobs",))
    brand = Brand(name="acme", handles=("Acme", "AcmeHelp"), aliases=("Acme Air",), listen=listen)

    found = rules([brand])

    end = " -is:retweet (lang:en OR lang:es) -jobs"
    assert found == [
        Rule("(@Acme OR to:Acme OR @AcmeHelp OR to:AcmeHelp) -is:retweet", "acme:mentions"),
        Rule("(from:Acme OR from:AcmeHelp)", "acme:own"),
        Rule('"Acme Air"' + end, "acme:aliases"),
        Rule('(#avgeek OR "lost bag")' + end, "acme:keywords"),
    ]


def test_brands_that_ask_for_the_same_share_a_rule() -> None:
    """X takes a value once: its tag names both, for the stream as for search."""
    listen = Listen(keywords=("#avgeek", "lost bag"))
    brands = [Brand(name=name, listen=listen) for name in ("acme", "beta")]

    for longest in (STREAM_LENGTH, SEARCH_LENGTH):
        [rule] = rules(brands, longest)

        assert Rule('(#avgeek OR "lost bag") -is:retweet', "acme:keywords,beta:keywords") == rule
        assert ["acme", "beta"] == brands_of(rule.tag)


def test_what_is_switched_on_and_off() -> None:
    """Retweets are heard where wanted, and own posts not where unwanted."""
    brand = Brand(name="acme", handles=("Acme",), listen=Listen(retweets=True, own_posts=False))

    assert rules([brand]) == [Rule("(@Acme OR to:Acme)", "acme:mentions")]


@pytest.mark.parametrize(
    ("word", "term"), [("or", '"or"'), ('a "b"', '"a \\"b\\""'), ("-x", '"-x"'), ("from:me", '"from:me"'), ("é1", "é1")]
)
def test_no_word_is_an_operator(word: str, term: str) -> None:
    """Whatever X would read as more than a word stands in quotes."""
    assert [term + " -is:retweet"] == [rule.value for rule in rules([Brand(name="a", aliases=(word,))])]


@given(st.lists(WORDS, min_size=1, max_size=80, unique=True), st.lists(WORDS, max_size=5))
def test_long_rules_are_split_and_lose_nothing(words: list[str], exclude: list[str]) -> None:
    """Each rule is short enough, repeats its end, and all words stand in one of them, in their order."""
    brand = Brand(name="a", aliases=tuple(words), listen=Listen(exclude=tuple(exclude), retweets=True))
    alone = [rules([Brand(name="a", aliases=(word,), listen=brand.listen)])[0].value for word in words]

    for longest in (STREAM_LENGTH, SEARCH_LENGTH):
        found = [rule.value for rule in rules([brand], longest)]

        end = len("".join(f" -{word}" for word in exclude)) and alone[0][alone[0].index(" -") :]
        terms = [one.removesuffix(end) if end else one for one in found]
        assert all(len(value) <= longest for value in found)
        assert [one.removesuffix(end) if end else one for one in alone] == [
            term for one in terms for term in _terms(one)
        ]


def _terms(value: str) -> list[str]:
    return value[1:-1].split(" OR ") if value.startswith("(") and value.endswith(")") and " OR " in value else [value]


@pytest.mark.parametrize(
    ("brands", "says"),
    [
        ([Brand(name="a")], "nothing to listen for"),
        ([Brand(name="a", aliases=("x" * 1100,))], "fits into no rule"),
        ([Brand(name=f"b{number}", aliases=(f"x{number}",)) for number in range(MOST_RULES + 1)], "1001 rules"),
    ],
)
def test_what_makes_no_rules(brands: list[Brand], says: str) -> None:
    """A clear error says what to do."""
    with pytest.raises(SettingsError, match=says):
        rules(brands)


@given(st.lists(RULE, max_size=6, unique_by=lambda rule: rule.value), st.dictionaries(st.uuids().map(str), RULE))
def test_the_difference_makes_the_server_like_ours(wanted: list[Rule], found: dict[str, Rule]) -> None:
    """Deletes and additions, in their order, end in our rules; no value stands there twice when it is added."""
    change = difference(wanted, found)

    left = {identity: rule for identity, rule in found.items() if identity not in change.delete_first}
    assert not {rule.value for rule in change.add} & {rule.value for rule in left.values()}
    after = [rule for identity, rule in left.items() if identity not in change.delete]
    assert sorted(wanted) == sorted([*after, *change.add])


def test_nothing_changes_where_nothing_differs() -> None:
    """The same rules on the server: no request is needed."""
    wanted = [Rule("a", "x:own"), Rule("b", "x:own")]

    assert difference(wanted, {"1": wanted[1], "2": wanted[0]}) == ([], [], [])


def test_without_room_for_both_the_old_go_first() -> None:
    """A full server takes no new rule before an old one is gone."""
    found = {str(number): Rule(f"old{number}", "x:own") for number in range(MOST_RULES)}

    change = difference([Rule("new", "x:own")], found)

    assert (MOST_RULES, 1, 0) == (len(change.delete_first), len(change.add), len(change.delete))


def test_of_searches_there_may_be_more_than_rules() -> None:
    """They are shorter, and X counts rules only."""
    brand = Brand(name="a", aliases=tuple(f"{number:0400}" for number in range(MOST_RULES + 1)))

    with pytest.raises(SettingsError, match="X takes 1000"):
        rules([brand], 600)
    assert MOST_RULES < len(rules([brand], SEARCH_LENGTH))
    assert MOST_RULES > len(rules([brand]))


def test_what_only_search_does_not_take_says_so() -> None:
    """Gaps are filled by search, which takes half as much: the stream alone would do."""
    brand = Brand(name="a", aliases=("air",), listen=Listen(exclude=tuple(f"word {number:02}" for number in range(60))))

    assert rules([brand])
    with pytest.raises(SettingsError, match="no search of 512 characters"):
        rules([brand], SEARCH_LENGTH)
