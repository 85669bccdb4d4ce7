"""The slow, obviously right model of whose a post is, where a conversation is known under several brands."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.facts import Fact, Kind
from pipeline.heard import Heard


def facts_of(brand: str, story: Sequence[Heard]) -> list[Fact]:
    """What counts for a brand: a post is of those that its newest version names, else of who answered first."""
    asked = [one for one in story if one.fact.kind is Kind.ASKED]
    answers = [one for one in story if one.fact.kind is Kind.ANSWERED]
    first = min(answers, key=lambda one: (one.fact.at, one.fact.id), default=None)
    facts = [one.fact for one in story if one.fact.kind is Kind.GONE or (one in answers and one.brand == brand)]
    for post in {one.fact.id for one in asked}:
        versions = [one for one in asked if one.fact.id == post]
        newest = max(one.fact.revision for one in versions)
        named = {one.brand for one in versions if one.fact.revision == newest}
        if named == {"other"} and first is not None:
            named = {first.brand}
        if brand in named:
            facts.append(Fact(min(one.fact.at for one in versions), Kind.ASKED, post, 0))
    return facts
