"""What a worker that died had told and not kept: found in `responses` when its partition is taken over.

Outputs go out before the states that they follow from. Whoever comes next reads the same records again, but not in the
same batches, nor in the same order between topics: what was told in between may not come about again. So the told turns
and outcomes enter the states, with the facts that they follow from, which stand in a header of what was told. A fact
that is read again is known then, and nothing is told of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from pipeline.errors import BadMessage
from pipeline.facts import Fact, known
from pipeline.heard import ms
from pipeline.kept import Key, facts
from pipeline.responses import Response, read_settled, read_turn
from pipeline.told import OVER, changes_something, read
from pipeline.turns import Conversation
from pipeline.waits import Waits


class Retold(NamedTuple):
    """A record of `responses`."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def take_over(books: Waits, told: Iterable[Retold]) -> None:
    """Enter what was told after the last states were kept, in its order; what tells of no conversation is passed over.

    To be called between the last `load` and `loaded`.
    """
    amended = set[Key]()
    for value, headers in told:
        if changes_something(value):
            said, news = read(value or b""), facts(headers)
            key = Key(said.customer, said.brand, said.conversation_id)
            with suppress(BadMessage):  # it was told before such names were refused: no state can be under it
                books.amend(key, lambda before, said=said, news=news: _amended(before, said, news))  # type: ignore[misc]
                amended.add(key)
    for key in amended:
        books.align(key)


def _amended(before: Conversation, said: Response, news: Sequence[Fact]) -> Conversation:
    turns, settled = before.turns, before.settled
    if said.turn is not None:
        was = next((turn for turn in turns if turn.post == said.turn.post_id), None)
        turns = [turn for turn in turns if turn is not was]
        if said.event_type not in OVER:
            turn = read_turn(said)
            turn.near = said.event_type == "near_breach" or turn.breached or (was is not None and was.near)
            turns = sorted([*turns, turn], key=lambda turn: turn.opened)
    else:
        found = read_settled(said)
        settled = [one for one in settled if one != found] + [found] * (said.event_type == "settled")
    version = max(before.version, said.revision)
    clock = max(before.clock, ms(said.at) + 1)  # it had been looked at after that: a breach that was told is one
    return msgspec.structs.replace(
        before, version=version, clock=clock, facts=known([*before.facts, *news]), turns=turns, settled=settled
    )
