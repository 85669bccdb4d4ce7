"""Under which brand a post counts, where a customer's conversation is known under several.

Where a post names no brand, it is that of the brand which answered the customer there first; where an edit names other
brands, it is theirs. What follows from the facts of all brands together does not depend on the order of telling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from pipeline.brands import OTHER
from pipeline.facts import Fact, Kind, Mark, known, naming, order

_WORDS = (Kind.RESOLVED, Kind.HANDED_OFF, Kind.ASSIGNED, Kind.NOTED)


class Side(NamedTuple):
    """A conversation as one brand has it: the facts that are kept, and those that are told just now."""

    kept: list[Fact]
    told: list[Fact]


def apart(sides: Mapping[str, Side]) -> dict[str, Side]:
    """The same, by brand, each with what counts there and what does not (Mark.ADOPTED)."""
    facts = {brand: known([*side.kept, *side.told]) for brand, side in sides.items()}
    judge = _Judge(facts)
    return {
        brand: Side(judge.marked(brand, side.kept), judge.marked(brand, side.told) + judge.taken(brand))
        for brand, side in sides.items()
    }


class _Judge:
    """Knows the facts of all brands, each once."""

    def __init__(self, facts: Mapping[str, list[Fact]]) -> None:
        self._of = {brand: {fact.id: fact for fact in some} for brand, some in facts.items()}
        self._unnamed = self._of.get(OTHER.name, {})
        self._newest: dict[str, int] = {}
        self._first: dict[str, int] = {}
        for fact in (fact for some in facts.values() for fact in some if fact.kind is Kind.ASKED):
            self._newest[fact.id] = max(naming(fact), self._newest.get(fact.id, -1))
            self._first[fact.id] = min(fact.at, self._first.get(fact.id, fact.at))
        answers = ((order(fact), brand) for brand, some in facts.items() for fact in some if _answers(brand, fact))
        self._taker = min(answers, default=(None, None))[1]

    def marked(self, brand: str, facts: Iterable[Fact]) -> list[Fact]:
        """The facts, with what does not count here marked, and each post at its earliest time."""
        return [self._marked(brand, fact) for fact in facts]

    def taken(self, brand: str) -> list[Fact]:
        """What the brand takes over, because it answered first, or because a person chose the queue of its post."""
        return [
            msgspec.structs.replace(fact, at=self._at(fact), marks=fact.marks & ~Mark.ADOPTED | Mark.TAKEN, named=-1)
            for fact in self._unnamed.values()
            if self._is_taken(brand, fact)
        ]

    def _is_taken(self, brand: str, fact: Fact) -> bool:
        if fact.kind in _WORDS:
            return brand == self._taker
        if fact.kind is not Kind.ASKED or brand == OTHER.name:
            return False
        newest, own = self._newest[fact.id], self._of[brand].get(fact.id)
        if brand == self._taker and naming(fact) == newest:
            return True
        # an edit names the brand since: who took the post over before has the person's choice, so all others do too
        return bool(fact.marks & Mark.PERSON) and own is not None and naming(own) == newest

    def _marked(self, brand: str, fact: Fact) -> Fact:
        counts = self._counts(brand, self._of[brand][fact.id])
        if counts is None:
            return fact
        marks = fact.marks & ~Mark.ADOPTED if counts else fact.marks | Mark.ADOPTED
        return msgspec.structs.replace(fact, at=self._at(fact), marks=marks)

    def _at(self, fact: Fact) -> int:
        return self._first[fact.id] if fact.kind is Kind.ASKED else fact.at

    def _counts(self, brand: str, fact: Fact) -> bool | None:
        """Whether a post, or a word, counts for a brand; None: nothing new is known of it."""
        if fact.kind is not Kind.ASKED and fact.kind not in _WORDS:
            return None
        unnamed, newest = self._unnamed.get(fact.id), self._newest.get(fact.id, -1)
        if brand == OTHER.name:
            return self._taker is None and naming(fact) == newest
        if fact.kind is Kind.ASKED and 0 <= naming(fact) == newest:
            return True
        if unnamed is not None:
            return brand == self._taker and naming(unnamed) == newest
        return None if naming(fact) < 0 else False


def _answers(brand: str, fact: Fact) -> bool:
    """Whether it takes posts over that named nobody; an answer that is deleted did so too."""
    return brand != OTHER.name and fact.kind is Kind.ANSWERED and not fact.marks & Mark.BOT
