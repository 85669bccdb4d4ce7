"""Answers on their way: each lane in its order, what X takes on a route, which offsets may be committed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.outbox import Item, Outbox, Place, Route, call_route, limits, look_route
from pipeline.posting import Do, Entry, Posting, Rules, State
from pipeline.replies import Reply

RULES = Rules(30_000, 60_000, 900_000, 86_400_000)


def item(identity: str, offset: int, customer: str = "5", partition: int = 0, kind: str = "reply") -> Item:
    """An answer of which nothing is written down."""
    reply = Reply(identity, kind, "acme", "x", "2026-01-01T00:00:00Z", "1", customer, "1")  # type: ignore[arg-type]
    return Item(Posting(reply, None, RULES), Place("replies", partition, offset), b"")


def never(_: Item) -> None:
    """Nothing is answered."""


def with_items(*items: Item) -> Outbox:
    """An outbox that has them."""
    outbox = Outbox()
    for one in items:
        outbox.read(one.places[0])
        outbox.add(one)
    return outbox


def advance(outbox: Outbox, now: int) -> str | None:
    """Write down what is due; the answer's id and what was written."""
    due = outbox.due(now, never)
    if due.item is None or due.step.entry is None:
        return None
    due.item.posting.logged(due.step.entry)
    return f"{due.item.reply.id} {due.step.entry.state.value}"


def test_a_lane_goes_in_order() -> None:
    """The second of a conversation is not touched while the first is under way; another conversation is."""
    outbox = with_items(item("a", 0), item("b", 1), item("c", 2, customer="6"))
    outbox.block(Route("acme", "post"), 1000)

    assert ["a intent", "c intent", None] == [advance(outbox, 0) for _ in range(3)]
    assert 1000 == outbox.due(0, never).until
    assert ["a sending"] == [advance(outbox, 1000)]


def test_what_x_does_not_take_is_not_begun() -> None:
    """SENDING is written when it can be called at once; private messages have a route of their own."""
    outbox = with_items(item("a", 0), item("m", 1, customer="6", kind="dm"))
    outbox.block(Route("acme", "post"), 1000)

    assert ["a intent", "m intent", "m sending"] == [advance(outbox, 0) for _ in range(3)]
    assert (Do.CALL, "m") == ((due := outbox.due(0, never)).step.do, due.item and due.item.reply.id)


def test_looks_have_a_route() -> None:
    """A look waits for its own route only."""
    one = item("a", 0)
    outbox = with_items(one)
    for _ in range(2):
        advance(outbox, 0)
    one.posting.called()
    outbox.block(look_route(one.reply), 500)

    assert 500 == outbox.due(0, never).until
    assert Do.LOOK is outbox.due(500, never).step.do
    assert (Route("acme", "post"), Route("acme", "timeline")) == (call_route(one.reply), look_route(one.reply))


def test_a_look_before_it_goes_out_again_waits_for_the_call() -> None:
    """While X takes no more it would be looked for in vain."""
    one = item("a", 0)
    outbox = with_items(one)
    for _ in range(2):
        advance(outbox, 0)
    one.posting.called()
    one.posting.unreachable(0, "no answer", sent=True)
    one.posting.seen(None, 90_000)
    assert "a intent" == advance(outbox, 90_000)
    outbox.block(call_route(one.reply), 600_000)

    assert (None, 600_000) == ((due := outbox.due(200_000, never)).item, due.until)
    assert Do.LOOK is outbox.due(600_000, never).step.do


def test_another_answer_to_the_same_post_is_found() -> None:
    """Whatever it says of whose it is: it waits in that one's lane."""
    first = item("a", 0)
    outbox = with_items(first)

    assert first.whose == outbox.answering(item("b", 1, customer="6").reply)
    assert outbox.answering(item("c", 2, kind="dm").reply) is None
    assert outbox.answering(replace(first.reply, post_id="2")) is None
    assert outbox.answering(replace(first.reply, brand="rival")) is None


def test_an_answered_turn_is_asked_about() -> None:
    """With the answer itself."""
    outbox = with_items(item("a", 0))
    advance(outbox, 0)

    due = outbox.due(0, lambda item: f"{item.reply.id} is answered")

    assert due.step.entry is not None
    assert (State.HELD, "a is answered") == (due.step.entry.state, due.step.entry.detail)


def test_offsets_wait_for_the_oldest() -> None:
    """A partition's offset is that of its oldest record that is not done; doubles are done with the first."""
    first, second = item("a", 3), item("b", 5, customer="6")
    outbox = with_items(first, second)
    for offset in (4, 6):
        outbox.read(Place("replies", 0, offset))
    outbox.close(Place("replies", 0, 4))
    second.places.append(Place("replies", 0, 6))

    assert {("replies", 0): 3} == outbox.offsets()
    outbox.done(first)
    assert {("replies", 0): 5} == outbox.offsets()
    outbox.done(second)
    assert {("replies", 0): 7} == outbox.offsets()
    assert 0 == len(outbox)


@given(st.permutations(range(8)))
def test_offsets_never_pass_what_is_open(order: list[int]) -> None:
    """In whatever order answers are done."""
    items = [item(f"r{offset}", offset, customer=str(offset)) for offset in range(8)]
    outbox = with_items(*items)
    left = set(range(8))

    for offset in order:
        outbox.done(items[offset])
        left.discard(offset)
        assert min(left, default=8) == outbox.offsets()["replies", 0]


def test_limits_are_those_that_x_told() -> None:
    """By route, the last of all: of what was refused, of a count that is used up, of looks; not of what is fine."""
    about = Entry("a", State.INTENT, "h", "acme", "reply", 0, 1, not_before=5000)
    entries = [
        about,
        replace(about, not_before=0, remaining=0, reset_at=9.0, state=State.POSTED),
        replace(about, not_before=0, remaining=1, reset_at=99.0, state=State.POSTED),
        replace(about, not_before=0, no_look_before=7000, kind="dm", state=State.SENDING),
    ]

    assert {Route("acme", "post"): 9000, Route("acme", "dm_events"): 7000} == limits(entries)
