"""The rules of the stream: made from the brands' settings, and compared with those that the server has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pipeline.errors import SettingsError
from pipeline.settings import Brand

STREAM_LENGTH = 1024
SEARCH_LENGTH = 512
"""The longest rule of the stream, and the longest query of a search."""
MOST_RULES = 1000
_PLAIN = re.compile(r"[#$]?\w+")
_BETWEEN = ","
"""Between the parts of a tag; no brand's name has it."""
_OPERATORS = frozenset({"or", "and", "not"})


class Rule(NamedTuple):
    """What to listen for, and for whom: the tag is of parts like "brand:keywords", with commas between them."""

    value: str
    tag: str


class Difference(NamedTuple):
    """What turns the server's rules into ours; what is deleted first stands in the way of what is added."""

    delete_first: list[str]
    add: list[Rule]
    delete: list[str]


def rules(brands: Iterable[Brand], longest: int = STREAM_LENGTH) -> list[Rule]:
    """The rules of all brands, none longer than `longest` characters; with SEARCH_LENGTH, the queries of searches.

    Raises:
        SettingsError: there is nothing to listen for, too much, or something that fits into no rule.
    """
    made = _one_a_value(rule for brand in brands for rule in _of_brand(brand, longest))
    if not made:
        raise SettingsError("there is nothing to listen for: give a brand handles, aliases or listen.keywords")
    if longest > SEARCH_LENGTH and len(made) > MOST_RULES:
        raise SettingsError(
            f"that makes {len(made)} rules and X takes {MOST_RULES}: take out some of the brands' aliases or "
            "listen.keywords, or shorten listen.languages and listen.exclude, which each rule repeats"
        )
    return made


def brands_of(tag: str) -> list[str]:
    """The names of the brands that a rule is for, in the order of the settings."""
    return [part.partition(":")[0] for part in tag.split(_BETWEEN)]


def _one_a_value(made: Iterable[Rule]) -> list[Rule]:
    """X takes a value once: where several brands ask for the same, its tag names all of them."""
    tags: dict[str, list[str]] = {}
    for rule in made:
        tags.setdefault(rule.value, []).append(rule.tag)
    return [Rule(value, _BETWEEN.join(dict.fromkeys(some))) for value, some in tags.items()]


def difference(wanted: Sequence[Rule], found: dict[str, Rule]) -> Difference:
    """Compare with the server's rules, by id.

    A value stands there once, and its tag cannot be changed: such a rule is deleted before it is added again. All else
    is added first, so that no post is missed in between, unless there is no room for both.
    """
    ours, left = set(wanted), set(found.values())
    added = [rule for rule in wanted if rule not in left]
    surplus = _surplus(ours, found)
    new_values = {rule.value for rule in added}
    first = [one for one in surplus if found[one].value in new_values]
    later = [one for one in surplus if found[one].value not in new_values]
    if len(found) - len(first) + len(added) > MOST_RULES:
        return Difference([*first, *later], added, [])
    return Difference(first, added, later)


def _surplus(ours: set[Rule], found: dict[str, Rule]) -> list[str]:
    kept: set[Rule] = set()
    surplus = []
    for identity, rule in found.items():
        if rule not in ours or rule in kept:
            surplus.append(identity)
        kept.add(rule)
    return surplus


def _of_brand(brand: Brand, longest: int) -> Iterator[Rule]:
    listen = brand.listen
    no_retweets = "" if listen.retweets else " -is:retweet"
    only = no_retweets + _languages(listen.languages) + "".join(f" -{_term(word)}" for word in listen.exclude)
    to_us = [term for handle in brand.handles for term in (f"@{handle}", f"to:{handle}")]
    from_us = [f"from:{handle}" for handle in brand.handles] if listen.own_posts else []
    for name, terms, end in (
        ("mentions", to_us, no_retweets),
        ("own", from_us, ""),
        ("aliases", [_term(alias) for alias in brand.aliases], only),
        ("keywords", [_term(word) for word in listen.keywords], only),
    ):
        for value in _packed(terms, end, longest, brand.name):
            yield Rule(value, f"{brand.name}:{name}")


def _languages(languages: Sequence[str]) -> str:
    return f" {_any_of([f'lang:{language}' for language in languages])}" if languages else ""


def _packed(terms: Sequence[str], end: str, longest: int, brand: str) -> Iterator[str]:
    """As many terms a rule as fit, in their order."""
    some: list[str] = []
    for term in terms:
        if len(_any_of([term]) + end) > longest:
            what = "rule" if longest > SEARCH_LENGTH else "search"
            raise SettingsError(
                f"{term[:60]} of brand {brand} fits into no {what} of {longest} characters, with {len(end)} for what "
                "is excluded: shorten it, or listen.languages and listen.exclude"
            )
        if some and len(_any_of([*some, term]) + end) > longest:
            yield _any_of(some) + end
            some = []
        some.append(term)
    if some:
        yield _any_of(some) + end


def _any_of(terms: Sequence[str]) -> str:
    return terms[0] if len(terms) == 1 else f"({' OR '.join(terms)})"


def _term(word: str) -> str:
    """A word or hashtag as it is; anything else in quotes, so that nothing in it is an operator."""
    if _PLAIN.fullmatch(word) and word.lower() not in _OPERATORS:
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
