"""Which posts are retracted, and wherever their records stand."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pipeline.facts import Fact, Kind, Mark, stands

EVERYTHING = "*"
"""In place of a post's id: all that the customer wrote until then."""
CUSTOMERS = (Kind.ASKED, Kind.WROTE)


def gone(before: Iterable[Fact], after: Iterable[Fact]) -> list[Fact]:
    """Retracted posts wherever they stand in a topic, unless that was known of the same place."""
    found = [fact for fact in after if fact.marks & Mark.GONE and stands(fact)]
    if not found:
        return found
    known_places = {(fact.id, *place) for fact in before if fact.marks & Mark.GONE for place in stands(fact)}
    return [
        msgspec.structs.replace(fact, queue=queue, place=place, latest=max(fact.latest, fact.revision))
        for fact in found
        for queue, place in stands(fact)
        if (fact.id, queue, place) not in known_places
    ]


def retracted(old: Iterable[Fact], told: Iterable[Fact]) -> list[Fact]:
    """Posts that are no longer kept one by one, as far as they are retracted now."""
    ids = {fact.id: fact.at for fact in told if fact.kind is Kind.GONE}
    everything = ids.get(EVERYTHING, -1)
    return [
        msgspec.structs.replace(fact, marks=fact.marks | Mark.GONE)
        for fact in old
        if fact.id in ids or (fact.kind in CUSTOMERS and fact.at <= everything)
    ]
