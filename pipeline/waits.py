"""All conversations of one partition: hear facts, let time pass, say who waits. No Kafka, no waiting.

States lie here as they lie in the topic `conversations`, encoded, and are read when something happens to them: a
million open ones fit into memory, and recovering them is reading the topic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

import msgspec

from pipeline.changes import Told, advance
from pipeline.facts import Fact
from pipeline.heard import ANY, Heard
from pipeline.turns import NEVER, Conversation, Policy, Turn, view

LINGER_MS = 600_000
"""A conversation that is over stays so long on the wall's clock: what comes late still finds it."""
TICK = 2_000
"""So many conversations are looked at in one tick at most; the others have their turn in the next."""
_SEPARATOR = "\x1f"
"""Between the parts of a key; no id of X and no brand has it."""

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Conversation).decode


class Key(NamedTuple):
    """Whose conversation: the key of `conversations` is its three parts."""

    customer: str
    brand: str
    conversation: str

    def encoded(self) -> bytes:
        """As it stands in Kafka."""
        return _SEPARATOR.join(self).encode()

    @classmethod
    def of(cls, key: bytes) -> Key:
        """From Kafka."""
        customer, brand, conversation = key.decode().split(_SEPARATOR)
        return cls(customer, brand, conversation)


class Changes:
    """What came of a batch or a tick: states to be kept (None: a tombstone), and what there is to tell."""

    def __init__(self) -> None:
        self.states: dict[bytes, bytes | None] = {}
        self.told: list[tuple[Key, Told]] = []


class Waiting(NamedTuple):
    """Somebody who waits."""

    key: Key
    turn: Turn
    assignee: str


class Waits:
    """One partition's conversations.

    Time in it is that of the posts: it is the wall's clock less the smallest lag that was ever seen, so that a replay
    of an old year happens in that year, and a quiet partition's clock goes on all the same.
    """

    def __init__(self, policies: Callable[[str], Policy]) -> None:
        self._policies = policies
        self.states: dict[bytes, bytes] = {}
        self._of_customer: dict[str, bytes | tuple[bytes, ...]] = {}
        self._due: list[tuple[int, bytes]] = []
        self._oldest: dict[tuple[str, int], list[tuple[int, bytes]]] = {}
        self.waiting: dict[tuple[str, int], int] = {}
        """How many wait, by brand and queue."""
        self._over: deque[tuple[int, bytes]] = deque()
        self._lingering: dict[bytes, int] = {}
        self._behind: int | None = None

    def clock(self, wall: int) -> int:
        """What time it is for the posts; 0 before the first."""
        return 0 if self._behind is None else wall - self._behind

    # Recovery.

    def load(self, key: bytes, value: bytes | None, written: int) -> None:
        """Take a record of `conversations`, as they come; `written` is its Kafka timestamp in ms."""
        if value is None:
            self.states.pop(key, None)
            return
        self.states[key] = value
        self._notice(decode(value).clock, written)

    def loaded(self) -> None:
        """All records were read: find who waits, and what is due when."""
        self._due.clear()
        self._oldest.clear()
        self.waiting.clear()
        self._of_customer.clear()
        for key, value in self.states.items():
            name = Key.of(key)
            conversation = decode(value)
            self._remember(name.customer, key)
            self._count(name.brand, None, _open(conversation), key)
            seen = view(conversation.facts, conversation.clock, self._policies(name.brand), conversation.summed)
            self._due.append((seen.wake, key))
        heapify(self._due)

    # What happens.

    def hear(self, batch: Sequence[Heard], wall: int) -> Changes:
        """Take facts in whatever order; each conversation is looked at as of its own last fact."""
        changes = Changes()
        together: dict[Key, list[Fact]] = {}
        for heard in batch:
            self._notice(min(heard.fact.at, wall), wall)
            for key in self._concerned(heard):
                together.setdefault(key, []).append(heard.fact)
        for key, facts in together.items():
            self._advance(key, facts, max(fact.at for fact in facts), wall, changes)
        return changes

    def tick(self, wall: int, *, until: int = NEVER) -> Changes:
        """Let time pass, not beyond `until` where posts are unread: tell what is due, forget what is over."""
        changes = Changes()
        clock = min(self.clock(wall), until)
        for _ in range(TICK):
            if not self._due or self._due[0][0] > clock:
                break
            _, key = heappop(self._due)
            if key in self.states:
                self._advance(Key.of(key), [], clock, wall, changes)
        while self._over and self._over[0][0] <= wall:
            until, key = self._over.popleft()
            if self._lingering.get(key) == until:
                self._forget(key, changes)
        return changes

    def waiters(self) -> Iterator[Waiting]:
        """Everybody who waits."""
        for key, value in self.states.items():
            conversation = decode(value)
            turn = _open(conversation)
            if turn is not None:
                yield Waiting(Key.of(key), turn, conversation.assignee)

    def oldest(self, brand: str, queue: int) -> int | None:
        """Since when the one waits who waits longest in a queue; None: nobody does."""
        heap = self._oldest.get((brand, queue), [])
        while heap:
            opened, key = heap[0]
            value = self.states.get(key)
            turn = None if value is None else _open(decode(value))
            if turn is not None and (turn.opened, turn.queue) == (opened, queue):
                return opened
            heappop(heap)
        return None

    def _advance(self, key: Key, facts: Iterable[Fact], clock: int, wall: int, changes: Changes) -> None:
        name = key.encoded()
        value = self.states.get(name)
        before = Conversation() if value is None else decode(value)
        if value is None and key.conversation:
            facts = [*facts, *self._kept_for(key)]
        after = advance(before, facts, clock, self._policies(key.brand))
        if not after.told and after.conversation.facts == before.facts:  # that it was looked at is no news
            after.conversation.clock = before.clock
        if after.conversation != before:
            if value is None:
                self._remember(key.customer, name)
            changes.states[name] = self.states[name] = encode(after.conversation)
            self._count(key.brand, _open(before), _open(after.conversation), name)
            if key.conversation:
                changes.told += [(key, told) for told in after.told]
        self._lingering.pop(name, None)
        if after.over:
            self._lingering[name] = wall + LINGER_MS
            self._over.append((wall + LINGER_MS, name))
        else:
            heappush(self._due, (after.wake, name))

    def _forget(self, name: bytes, changes: Changes) -> None:
        del self._lingering[name]
        if self.states.pop(name, None) is not None:
            self._disremember(Key.of(name).customer, name)
            changes.states[name] = None

    # Whose facts they are.

    def _concerned(self, heard: Heard) -> list[Key]:
        """The conversations that a fact belongs to.

        What names no conversation (a private message, a retraction) belongs to all of the customer's, and to a
        keeper of its own, from which those take it that begin later.
        """
        if heard.conversation != ANY:
            return [Key(heard.customer, heard.brand, heard.conversation)]
        found = [
            key
            for key in map(Key.of, self._names(heard.customer))
            if key.conversation and heard.brand in (ANY, key.brand)
        ]
        return [*found, Key(heard.customer, heard.brand, ANY)]

    def _kept_for(self, key: Key) -> Iterator[Fact]:
        """What was told of the customer before the conversation began to be known."""
        if key.customer in self._of_customer:
            for brand in (key.brand, ANY):
                kept = self.states.get(Key(key.customer, brand, ANY).encoded())
                if kept is not None:
                    yield from decode(kept).facts

    def _names(self, customer: str) -> tuple[bytes, ...]:
        found = self._of_customer.get(customer, ())
        return found if isinstance(found, tuple) else (found,)

    def _remember(self, customer: str, name: bytes) -> None:
        known_names = self._of_customer.get(customer)
        if known_names is None:
            self._of_customer[customer] = name
        else:
            self._of_customer[customer] = (*self._names(customer), name)

    def _disremember(self, customer: str, name: bytes) -> None:
        left = tuple(one for one in self._names(customer) if one != name)
        if not left:
            self._of_customer.pop(customer, None)
        else:
            self._of_customer[customer] = left[0] if len(left) == 1 else left

    # The books.

    def _notice(self, at: int, wall: int) -> None:
        lag = max(0, wall - at)
        if self._behind is None or lag < self._behind:
            self._behind = lag

    def _count(self, brand: str, before: Turn | None, after: Turn | None, name: bytes) -> None:
        was = None if before is None else (brand, before.queue)
        now = None if after is None else (brand, after.queue)
        if was is not None:
            self.waiting[was] -= 1
        if after is not None and now is not None:
            self.waiting[now] = self.waiting.get(now, 0) + 1
            if before is None or (before.opened, before.queue) != (after.opened, after.queue):
                heappush(self._oldest.setdefault(now, []), (after.opened, name))


def _open(conversation: Conversation) -> Turn | None:
    """The turn that waits."""
    turns = conversation.turns
    return turns[-1] if turns and turns[-1].waiting else None
