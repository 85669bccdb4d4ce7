"""What the records of `responses` come to: of each turn and each conversation the last word counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from pipeline.report import Books, final
from pipeline.responses import Response, read_settled, read_turn
from pipeline.turns import Settled, Turn

read = msgspec.json.Decoder(Response).decode
OVER = frozenset({"retracted", "superseded"})
"""Events after which a turn does not count."""


def changes_something(value: bytes | None) -> bool:
    """Whether a record tells of a conversation's turn or outcome: what a state must say too."""
    try:
        said = read(value or b"")
    except msgspec.DecodeError:
        return False
    return bool(said.customer) and (said.turn is not None or said.outcome is not None)


class Whose(NamedTuple):
    """A conversation of a customer with a brand."""

    customer: str
    brand: str
    conversation: str


class LastWord(NamedTuple):
    """Where and when the last word on something was told."""

    partition: int
    written: int

    def stands_against(self, other: LastWord) -> bool:
        """Whether `other`, read later, was told earlier: only what stands in another partition may be."""
        return self.partition != other.partition and self.written > other.written


class Ledger:
    """Takes the records of `responses`, each partition's in their order; what is told twice changes nothing.

    Where topics have grown, what was told of a customer before stands in another partition than what came later: of
    these the timestamps tell which is the last word.
    """

    def __init__(self) -> None:
        self._turns: dict[Whose, dict[str, tuple[LastWord, Turn | None, int]]] = {}
        self._settled: dict[Whose, dict[Settled, tuple[LastWord, bool]]] = {}

    def take(self, value: bytes, partition: int = 0, written: int = 0) -> None:
        """Take a record; `written` is its Kafka timestamp.

        Raises:
            msgspec.ValidationError: it is no record of `responses`.
        """
        said, word = read(value), LastWord(partition, written)
        whose = Whose(said.customer, said.brand, said.conversation_id)
        if said.turn is not None:
            turns = self._turns.setdefault(whose, {})
            known = turns.get(said.turn.post_id)
            if known is None or not known[0].stands_against(word):
                turn = None if said.event_type in OVER else read_turn(said)
                turns[said.turn.post_id] = word, turn, round((said.turn.business_s or 0) * 1000)
        elif said.outcome is not None:
            settled, found = self._settled.setdefault(whose, {}), read_settled(said)
            before = settled.get(found)
            if before is None or not before[0].stands_against(word):
                settled.pop(found, None)  # what is told again is told last
                settled[found] = word, said.event_type == "settled"

    def turns(self) -> Iterator[tuple[Whose, Turn, int]]:
        """Whose, the turn, and how long it waited in business hours (ms)."""
        for whose, turns in self._turns.items():
            for _, turn, business in turns.values():
                if turn is not None:
                    yield whose, turn, business

    def fill(self, books: Books) -> None:
        """Enter all turns, and of each conversation the outcome that is the last in time."""
        for whose, turn, business in self.turns():
            books.add_turn(whose.brand, turn, business)
        for whose, settled in self._settled.items():
            last = [one for one, (_, stands) in settled.items() if stands]
            if last:
                turns = [turn for _, turn, _ in self._turns.get(whose, {}).values() if turn is not None]
                books.add_outcome(whose.brand, final(last), turns)
