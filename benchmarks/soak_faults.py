"""What can go wrong in the soak: every fault that the fake X has for streams and for what the listener asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from agents.fake_x import FakeX
from agents.fake_x_faults import Faults
from agents.fake_x_limits import DM_EVENTS, GET_RULES, MENTIONS, RECENT, STREAM, TIMELINE

ASKED = (RECENT, MENTIONS, TIMELINE, DM_EVENTS)
"""What is asked beside the stream, again and again."""
STUCK_S = 150.0
"""X ends a connection that is stuck after so many seconds."""


class Fault(NamedTuple):
    """One thing that goes wrong."""

    name: str
    do: Callable[[Faults, Random], object]
    of_streams: bool
    """It befalls a stream that is open."""


def _at_once() -> list[Fault]:
    acts: dict[str, Callable[[Faults, Random], object]] = {
        "drop": lambda faults, _: faults.drop(),
        "drop in a line": lambda faults, _: faults.drop(mid_line=True),
        "close": lambda faults, _: faults.close_clean(),
        "stall": lambda faults, _: faults.stall(),
        "stall for a while": lambda faults, chance: faults.stall(chance.uniform(5, 40)),
        "keep-alives only": lambda faults, _: faults.stall(keep_alives=True),
        "half-open": lambda faults, _: faults.half_open(),
        "stuck": lambda faults, _: faults.half_open(stuck=True),
        "operational disconnect": lambda faults, _: faults.operational_disconnect(),
        "slow client cut": lambda faults, _: faults.slow_client_cut(),
        "malformed line": lambda faults, _: faults.malformed_line(),
        "duplicates": lambda faults, chance: faults.duplicate(chance.randint(1, 20)),
        "disorder": lambda faults, chance: faults.shuffle(chance.randint(2, 20)),
    }
    return [Fault(name, do, of_streams=True) for name, do in acts.items()]


def _at_the_next_connection() -> list[Fault]:
    """The stream is dropped, and coming back meets this."""
    acts: dict[str, Callable[[Faults, Random], object]] = {
        "429": lambda faults, chance: faults.limit(to=STREAM, with_reset=False, times=chance.randint(1, 2)),
        "429 with reset": lambda faults, _: faults.limit(to=STREAM),
        "503": lambda faults, chance: faults.unavailable(to=STREAM, times=chance.randint(1, 3)),
        "too many connections": lambda faults, _: faults.too_many_connections(),
        "operational at connect": lambda faults, _: faults.operational_at_connect(),
        "connection broken": lambda faults, chance: faults.lose_answer(STREAM, times=chance.randint(1, 3), done=False),
        "no answer": lambda faults, _: faults.no_answer(STREAM),
    }

    def after_a_drop(do: Callable[[Faults, Random], object]) -> Callable[[Faults, Random], object]:
        return lambda faults, chance: (do(faults, chance), faults.drop())

    return [Fault(f"drop, then {name}", after_a_drop(do), of_streams=True) for name, do in acts.items()]


def _at_requests() -> list[Fault]:
    def of(route: str) -> dict[str, Callable[[Faults, Random], object]]:
        return {
            "429": lambda faults, _: faults.limit(to=route, with_reset=False),
            "429 with reset": lambda faults, _: faults.limit(to=route),
            "503": lambda faults, chance: faults.unavailable(to=route, times=chance.randint(1, 3)),
            "answer lost": lambda faults, _: faults.lose_answer(route),
            "no answer": lambda faults, _: faults.no_answer(route),
        }

    found = [Fault(f"{route}: {name}", do, of_streams=False) for route in ASKED for name, do in of(route).items()]
    rules = of(GET_RULES)
    return found + [Fault(f"{GET_RULES}: {name}", rules[name], of_streams=False) for name in ("503", "429")]


FAULTS = (*_at_once(), *_at_the_next_connection(), *_at_requests())


class Deck:
    """Deals faults at random: each once before any comes again.

    Args:
        x: whom they befall.
        chance: draws.
    """

    def __init__(self, x: FakeX, chance: Random) -> None:
        self._x = x
        self._chance = chance
        self._cards: list[Fault] = []
        self._stuck_until: float | None = None
        self.dealt: list[tuple[float, Fault]] = []
        """With the time of the server's clock."""

    def deal(self) -> None:
        """Have the next one happen; those of streams wait for one that is open."""
        card = next(self._fitting(), None)
        if card is None:
            return
        self._cards.remove(card)
        self.dealt.append((self._x.clock.now(), card))
        card.do(self._x.faults, self._chance)
        if card.name == "stuck":
            self._stuck_until = self._x.clock.now() + STUCK_S

    def look(self) -> None:
        """What X does by itself: it ends what is stuck."""
        if self._stuck_until is not None and self._x.clock.now() > self._stuck_until:
            self.end()

    def end(self) -> None:
        """Nothing goes wrong any more; what is going wrong ends by itself or by the listener's doing."""
        if self._stuck_until is not None:
            self._stuck_until = None
            self._x.faults.end_all()

    def _fitting(self) -> Iterator[Fault]:
        if not self._cards:
            self._cards = list(FAULTS)
            self._chance.shuffle(self._cards)
        is_open = any(not stream.stuck for stream in self._x.faults.streams)
        return (card for card in self._cards if is_open or not card.of_streams)
