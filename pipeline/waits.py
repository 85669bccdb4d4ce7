"""All conversations of one partition: hear facts, let time pass, say who waits. No Kafka, no waiting.

States lie here as they lie in the topic `conversations`, encoded, and are read when something happens to them: a
million open ones fit into memory, and recovering them is reading the topic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

import msgspec

from pipeline.changes import After, Told, advance, unsummed
from pipeline.facts import Fact, Kind, Mark, stands
from pipeline.gone import CUSTOMERS, EVERYTHING, gone, retracted
from pipeline.heard import ANY, Heard
from pipeline.kept import TOLD, Key, decode, encode, head, state
from pipeline.posts_clock import PostsClock
from pipeline.turns import NEVER, Conversation, Policy, Turn, view
from pipeline.whose import Side, apart

LINGER_MS = 600_000
"""A conversation that is over stays so long on the wall's clock: what comes late still finds it."""
SPARE = 1_000
"""So many stale entries a heap may have beside as many as it has good ones; then it is made anew."""
TICK = 2_000
"""So many conversations are looked at in one tick at most; the others have their turn in the next."""


class Tale(NamedTuple):
    """Something to tell of a conversation, and the version of its state with which it is told."""

    key: Key
    told: Told
    version: int
    news: tuple[Fact, ...] = ()
    """With the first of several: the facts that they follow from and that the state before did not have."""


class Changes:
    """What came of a batch or a tick: states to be kept (None: a tombstone), and what there is to tell."""

    def __init__(self) -> None:
        self.states: dict[bytes, bytes | None] = {}
        self.told: list[Tale] = []
        self.gone: list[tuple[Key, Fact]] = []
        """Posts that stand in a topic and are retracted, as came out now."""


class Waiting(NamedTuple):
    """Somebody who waits."""

    key: Key
    turn: Turn
    assignee: str


class Waits:
    """One partition's conversations; `clock` is the posts'."""

    def __init__(self, policies: Callable[[str], Policy], clock: PostsClock | None = None) -> None:
        self._policies = policies
        self._clock = clock or PostsClock()
        self.states: dict[bytes, bytes] = {}
        self._of_customer: dict[str, bytes | tuple[bytes, ...]] = {}
        self._due: list[tuple[int, bytes]] = []
        self._wakes: dict[bytes, int] = {}
        """When each is to be looked at again; other entries of `_due` are stale."""
        self._oldest: dict[tuple[str, int], list[tuple[int, bytes]]] = {}
        self.waiting: dict[tuple[str, int], int] = {}
        """How many wait, by brand and queue."""
        self.late: dict[tuple[str, int], int] = {}
        """How many of them wait longer than their target."""
        self._over: deque[tuple[int, bytes]] = deque()
        self._lingering: dict[bytes, int] = {}
        self._mended: dict[bytes, bytes] = {}
        self.told_until: int | None = None
        """Up to which offset of `responses` all that is told is kept too; None: nothing was ever kept."""

    def clock(self, wall: int) -> int:
        """What time it is for the posts; 0 before the first."""
        return self._clock.at(wall)

    # Recovery.

    def load(self, key: bytes, value: bytes | None, written: int) -> None:
        """Take a record of `conversations`, as they come; `written` is its Kafka timestamp in ms.

        A record that is no later version than the one before it was written by somebody who did not know of that one
        (a worker that had stood still): what both know is united, and written again with what comes next.
        """
        if key == TOLD:
            self.told_until = int(value or 0)
            return
        if value is None:
            self.states.pop(key, None)
            self._mended.pop(key, None)
            return
        try:
            self._take(key, value, written)
        except msgspec.DecodeError:
            self.states[key] = value  # `loaded` says so, unless a tombstone or a state follows under the same key

    def _take(self, key: bytes, value: bytes, written: int) -> None:
        newest, before = head(value), self.states.get(key)
        if before is not None and before != value and newest.version <= head(before).version:
            value = self._mended[key] = self._united(key, decode(before), decode(value))
        else:
            self._mended.pop(key, None)
        self.states[key] = value
        self._clock.notice(newest.clock, written)

    def amend(self, key: Key, amended: Callable[[Conversation], Conversation]) -> None:
        """Change a state, or a new one, as recovery finds it must be; it is written with what comes next."""
        name = key.encoded()
        value = self.states.get(name)
        self.states[name] = self._mended[name] = encode(amended(Conversation() if value is None else decode(value)))

    def align(self, key: Key) -> None:
        """Of what was amended, take from the facts what is never told: when turns are near that are as they say.

        Channel and assignee are told without the state's version, and follow from the facts alone.
        """
        policy = self._policies(key.brand)

        def aligned(before: Conversation) -> Conversation:
            seen = view(before.facts, before.clock, policy, before.summed)
            ours = {turn.post: turn for turn in seen.turns}
            turns = [_aligned(turn, ours.get(turn.post)) for turn in before.turns]
            progress = seen.progress
            return msgspec.structs.replace(before, turns=turns, channel=progress.channel, assignee=progress.assignee)

        self.amend(key, aligned)

    def loaded(self) -> None:
        """All records were read: find who waits, and what is due when.

        Raises:
            StateError: what lies under a key is no state.
        """
        self._due.clear()
        self._wakes.clear()
        self._oldest.clear()
        self.waiting.clear()
        self.late.clear()
        self._of_customer.clear()
        for key, value in self.states.items():
            name, conversation = state(key, value)
            self._remember(name.customer, key)
            self._count(name.brand, None, open_turn(conversation), key)
            if conversation.facts or conversation.summed:  # else its facts are unread: of what was told none were kept
                seen = view(conversation.facts, conversation.clock, self._policies(name.brand), conversation.summed)
                self._due.append((seen.wake, key))
                self._wakes[key] = seen.wake
        heapify(self._due)

    # What happens.

    def hear(self, batch: Sequence[Heard], wall: int) -> Changes:
        """Take facts in whatever order; each conversation is looked at as of its own last fact."""
        changes = self._begin()
        together: dict[Key, list[Fact]] = {}
        for heard in batch:
            if heard.fact.kind in _POSTS:
                self._clock.notice(heard.fact.at, wall)
            for key in self._concerned(heard):
                together.setdefault(key, []).append(heard.fact)
        now, kept = self.clock(wall), self._told_apart(together)
        keepers_first = sorted(together.items(), key=lambda item: item[0].conversation != ANY)
        for key, facts in keepers_first:
            at = max((fact.at if fact.kind in _POSTS else min(fact.at, now) for fact in facts), default=0)
            self._advance(key, facts, at, wall, changes, kept.get(key))
            if key.conversation and any(fact.id == EVERYTHING for fact in facts):
                self._forget_customer(key.encoded(), changes)
        changes.gone = list(
            {(key.customer, fact.id, *stands(fact)): (key, fact) for key, fact in changes.gone}.values()
        )
        return changes

    def tick(self, wall: int, *, until: int = NEVER, most: int = TICK) -> Changes:
        """Let time pass, not beyond `until` where posts are unread: tell what is due, forget what is over.

        `most` conversations are looked at; the others have their turn in the next tick.
        """
        changes = self._begin()
        clock = min(self.clock(wall), until)
        while most > 0 and self._due and self._due[0][0] <= clock:
            wake, key = heappop(self._due)
            if self._wakes.get(key) == wake:
                del self._wakes[key]
                self._advance(Key.of(key), [], clock, wall, changes)
                most -= 1
        while self._over and self._over[0][0] <= wall:
            since, key = self._over.popleft()
            if self._lingering.get(key) == since:
                self._forget(key, changes)
        return changes

    def find(self, customer: str, brand: str, post: str) -> tuple[Key, Fact] | None:
        """The conversation of a customer with a brand in which a post is, and what is known of it."""
        for key in map(Key.of, self._names(customer)):
            if key.brand == brand and key.conversation:
                fact = decode(self.states[key.encoded()]).fact(post)
                if fact is not None and fact.kind is Kind.ASKED:
                    return key, fact
        return None

    def is_gone(self, customer: str, post: str, at: int) -> bool:
        """Whether a post of that time (ms) is retracted, or its customer forgotten since; known or not read yet."""
        facts = (fact for name in self._names(customer) for fact in decode(self.states[name]).facts)
        return any(
            fact.marks & Mark.GONE and (fact.id == post or (fact.id == EVERYTHING and at <= fact.at)) for fact in facts
        )

    def waiters(self) -> Iterator[Waiting]:
        """Everybody who waits."""
        for key, value in self.states.items():
            conversation = decode(value)
            turn = open_turn(conversation)
            if turn is not None:
                yield Waiting(Key.of(key), turn, conversation.assignee)

    def oldest(self, brand: str, queue: int) -> int | None:
        """Since when the one waits who waits longest in a queue; None: nobody does."""
        heap = self._oldest.get((brand, queue), [])
        while heap:
            if self._waits_since(*heap[0], queue):
                return heap[0][0]
            heappop(heap)
        return None

    def _waits_since(self, opened: int, key: bytes, queue: int) -> bool:
        value = self.states.get(key)
        turn = None if value is None else open_turn(decode(value))
        return turn is not None and (turn.opened, turn.queue) == (opened, queue)

    def _begin(self) -> Changes:
        """Changes that begin with what recovery found must be written."""
        changes = Changes()
        if self._mended:
            changes.states.update(self._mended)
            self._mended.clear()
        return changes

    def _advance(
        self, key: Key, facts: Sequence[Fact], clock: int, wall: int, changes: Changes, kept: list[Fact] | None = None
    ) -> None:
        """`kept` stands for the facts that are kept, where other brands' facts change what counts of them."""
        name = key.encoded()
        value = self.states.get(name)
        before = Conversation() if value is None else decode(value)
        if key.conversation and not before.facts and before.summed is None:
            facts = [*facts, *self._kept_for(key)]
        seen = before if kept is None else msgspec.structs.replace(before, facts=kept)
        seen, facts = self._without_forgotten(key, seen, facts)
        after = advance(seen, facts, clock, self._policies(key.brand))
        if not after.told and after.conversation.facts == before.facts:  # that it was looked at is no news
            after.conversation.clock = before.clock
        if after.told or after.conversation != before:
            if value is None:
                self._remember(key.customer, name)
            changes.gone += [(key, fact) for fact in gone(before.facts, after.facts)]
            if seen.summed is not None:
                changes.gone += [(key, fact) for fact in gone([], retracted(seen.summed.old, facts))]
            after.conversation.version = before.version + 1
            changes.states[name] = self.states[name] = encode(after.conversation)
            self._count(key.brand, open_turn(before), open_turn(after.conversation), name)
            if key.conversation and after.told:
                tales = [Tale(key, told, before.version + 1) for told in after.told]
                tales[0] = tales[0]._replace(news=_news(before.facts, after.facts))
                changes.told += tales
        self._look_again(name, after, wall)

    def _look_again(self, name: bytes, after: After, wall: int) -> None:
        self._lingering.pop(name, None)
        if after.over:
            self._wakes.pop(name, None)
            self._lingering[name] = wall + LINGER_MS
            self._over.append((wall + LINGER_MS, name))
        elif self._wakes.get(name) != after.wake:
            self._wakes[name] = after.wake
            heappush(self._due, (after.wake, name))
            if len(self._due) > 2 * len(self._wakes) + SPARE:
                self._due = [(wake, key) for key, wake in self._wakes.items()]
                heapify(self._due)

    def _united(self, key: bytes, one: Conversation, other: Conversation) -> bytes:
        """Two versions that did not know of each other as one; what each told stays told."""
        new, old = (one, other) if one.clock >= other.clock else (other, one)
        after = advance(new, old.facts, old.clock, self._policies(Key.of(key).brand)).conversation
        after.version = max(one.version, other.version) + 1
        return encode(after)

    def _without_forgotten(
        self, key: Key, before: Conversation, facts: Sequence[Fact]
    ) -> tuple[Conversation, Sequence[Fact]]:
        """The same, with all gone that a customer wrote before being forgotten."""
        until = max((fact.at for fact in (*before.facts, *facts) if fact.id == EVERYTHING), default=-1)
        if until < 0 or not key.conversation:
            return before, facts
        if before.summed is not None and until > max(before.summed.until, before.summed.thinned):
            before = unsummed(before)
        return before, [
            msgspec.structs.replace(fact, marks=fact.marks | Mark.GONE)
            if fact.kind in CUSTOMERS and fact.at <= until
            else fact
            for fact in (*before.facts, *facts)
        ]

    def _forget_customer(self, name: bytes, changes: Changes) -> None:
        """At once, unless the customer wrote again since: the keeper knows what to do with what comes late."""
        facts = decode(self.states[name]).facts
        if all(fact.marks & Mark.GONE for fact in facts if fact.kind in CUSTOMERS):
            self._forget(name, changes)

    def _forget(self, name: bytes, changes: Changes) -> None:
        self._lingering.pop(name, None)
        self._wakes.pop(name, None)
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

    def _told_apart(self, together: dict[Key, list[Fact]]) -> dict[Key, list[Fact]]:
        """What counts where, of conversations that are known under several brands: see pipeline.whose.

        Facts are added to `together`; what is given back stands for the facts that are kept.
        """
        groups: dict[tuple[str, str], set[str]] = {}
        for key in together:
            if key.conversation:
                groups.setdefault((key.customer, key.conversation), set()).add(key.brand)
        kept: dict[Key, list[Fact]] = {}
        for (customer, conversation), brands in groups.items():
            brands |= set(self._brands(customer, conversation))
            if len(brands) > 1:
                keys = [Key(customer, brand, conversation) for brand in sorted(brands)]
                sides = apart({key.brand: Side(self.facts(key), together.get(key, [])) for key in keys})
                for key in keys:
                    kept[key], together[key] = sides[key.brand]
        return kept

    def _brands(self, customer: str, conversation: str) -> Iterator[str]:
        """Those under which a customer's conversation is known."""
        for key in map(Key.of, self._names(customer)):
            if key.conversation == conversation:
                yield key.brand

    def facts(self, key: Key) -> list[Fact]:
        """What is known of a conversation, and not summed up."""
        value = self.states.get(key.encoded())
        return [] if value is None else decode(value).facts

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

    def _count(self, brand: str, before: Turn | None, after: Turn | None, name: bytes) -> None:
        was = None if before is None else (brand, before.queue)
        now = None if after is None else (brand, after.queue)
        if before is not None and was is not None:
            self.waiting[was] -= 1
            self.late[was] -= before.breached
        if after is not None and now is not None:
            self.waiting[now] = self.waiting.get(now, 0) + 1
            self.late[now] = self.late.get(now, 0) + after.breached
            if before is None or (before.opened, before.queue) != (after.opened, after.queue):
                heap = self._oldest.setdefault(now, [])
                heappush(heap, (after.opened, name))
                if len(heap) > 2 * self.waiting[now] + SPARE:
                    heap[:] = filter(lambda entry: self._waits_since(entry[0], entry[1], now[1]), heap)
                    heapify(heap)


_POSTS = (*CUSTOMERS, Kind.ANSWERED, Kind.MESSAGED)
"""Of these the clock takes its time; what a helpdesk says of an old year's posts is said today."""


def open_turn(conversation: Conversation) -> Turn | None:
    """The turn of a conversation that waits, if one does."""
    turns = conversation.turns
    return turns[-1] if turns and turns[-1].waiting else None


def _news(before: Sequence[Fact], after: Sequence[Fact]) -> tuple[Fact, ...]:
    was = {fact.id: fact for fact in before}
    return tuple(fact for fact in after if was.get(fact.id) != fact)


def _aligned(told: Turn, seen: Turn | None) -> Turn:
    if seen is None or msgspec.structs.replace(told, near=seen.near, near_at=seen.near_at) != seen:
        return told
    return seen
