"""More partitions: each key goes where its hash says, once, and its posts are still found where they stand."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.hashed import hashed
from pipeline.errors import StateError
from pipeline.facts import Fact, Kind, apart, whereabouts
from pipeline.growth import CONVERSATIONS_LIE, NAMES_LIE, Counts, moves
from pipeline.kept import TOLD, Kept, Key, Placed, decode, encode
from pipeline.turns import Conversation, Progress

COUNTS = Counts(3, 5)


def conversation(place: int) -> bytes:
    """A state whose posts stand in a topic: one that counts, a version of it, and one that is summed up."""
    fact = Fact(1, Kind.ASKED, "p", 0, place=place, copies=((1, place + 1),))
    return encode(Conversation(7, 9, [fact], summed=Progress(old=[fact])))


def standing(customers: list[str], count: int) -> dict[Placed, Kept]:
    """Where their states lie with so many partitions."""
    keys = [Key(customer, "acme", "c").encoded() for customer in customers]
    return {
        Placed(hashed(customer.encode()) % count, key): Kept(conversation(4), 11)
        for customer, key in zip(customers, keys, strict=True)
    }


@given(st.lists(st.text("0123456789", min_size=1), unique=True, max_size=30), st.integers(0, 40))
def test_after_a_break_the_rest_is_moved(customers: list[str], done: int) -> None:
    """Whatever was written, and deleted, before a break: in the end each lies once, where its hash says."""
    found = standing(customers, COUNTS.before) | {Placed(0, TOLD): Kept(b"5", 1)}

    for most in (done, 1000):
        wanted = moves(found, CONVERSATIONS_LIE, COUNTS, hashed)
        writes = [
            (Placed(one.there, one.key), Kept(one.value, one.timestamp)) for one in wanted if one.value is not None
        ]
        found |= dict(writes[:most])
        for one in wanted[: most - len(writes)] if most > len(writes) else ():
            found.pop(Placed(one.here, one.key))

    keys = {Key(customer, "acme", "c").encoded(): hashed(customer.encode()) % COUNTS.after for customer in customers}
    assert {key: partition for partition, key in found if key != TOLD} == keys
    assert len(found) == len(customers) + 1
    assert all(kept.timestamp == 11 for place, kept in found.items() if place.key != TOLD)


def test_a_moved_state_names_the_old_partition() -> None:
    """Of each post, each version of it, and those that are summed up; the rest is as it was."""
    [customer] = [str(one) for one in range(100) if hashed(b"%d" % one) % 3 != hashed(b"%d" % one) % 5][:1]
    here = hashed(customer.encode()) % 3

    [moved] = moves(standing([customer], 3), CONVERSATIONS_LIE, COUNTS, hashed)

    state = decode(moved.value or b"")
    assert state.summed is not None
    assert [(here, 4)] * 2 == [whereabouts(fact.place, moved.there) for fact in (*state.facts, *state.summed.old)]
    assert (here, 5) == whereabouts(state.facts[0].copies[0][1], moved.there)
    assert (7, 9) == (state.version, state.clock)


@given(st.integers(0, 2**43), st.integers(0, 9_999), st.integers(0, 9_999))
def test_places(offset: int, stood: int, now: int) -> None:
    """A place is of the state's own partition until it is set apart; after that of the same one for ever."""
    assert (now, offset) == whereabouts(offset, now)
    assert (stood, offset) == whereabouts(apart(apart(offset, stood), now), now)
    assert -1 == apart(-1, stood)
    assert offset == msgspec.msgpack.decode(msgspec.msgpack.encode(apart(offset, stood))) % 2**44


def test_what_no_hash_put_there_is_refused() -> None:
    """Then `tweets` is written with another partitioner, and nobody knows where customers will be."""
    strange = (hashed(b"a") + 1) % 3

    with pytest.raises(StateError, match="another partitioner"):
        moves({Placed(strange, b"a"): Kept(b"x", 1)}, NAMES_LIE, COUNTS, hashed)


def test_two_values_stand_against_each_other() -> None:
    """Neither is written over."""
    [key] = [b"%d" % one for one in range(100) if hashed(b"%d" % one) % 3 != hashed(b"%d" % one) % 5][:1]
    here, there = hashed(key) % 3, hashed(key) % 5

    with pytest.raises(StateError, match="another value"):
        moves({Placed(here, key): Kept(b"x", 1), Placed(there, key): Kept(b"y", 2)}, NAMES_LIE, COUNTS, hashed)
