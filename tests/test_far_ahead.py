"""What says that it happened long after Kafka had it, happened when Kafka got it: nobody else's wait ends by it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import msgspec
import pytest

from agents.transport import Fetched
from pipeline import desk
from pipeline.bookkeeping import Bookkeeper, Move
from pipeline.catching_up import CatchingUp, Input
from pipeline.classify import Model
from pipeline.desk import Word
from pipeline.facts import Fact, Kind
from pipeline.heard import Message, Retraction
from pipeline.kept import Key, decode
from pipeline.policies import Policies
from pipeline.posts import Author, Post, Stage, Verdict
from pipeline.rewrite import read
from pipeline.route import Place, Router, utc
from pipeline.settings import Brand, Settings
from pipeline.topics import HEARD_TOPICS, KEYED, MESSAGES, RETRACTIONS
from pipeline.turns import Conversation, End
from pipeline.waits import Waits

AT = 1_772_359_200_000
DAY = 86_400_000
SETTINGS = Settings(brands=(Brand(name="heron", handles=("HeronAir",), ids=("900",)),))
POLICIES = Policies(SETTINGS)
ROUTER = Router(SETTINGS, Model("m", "1", "0" * 64))
WHOSE = Key("5", "heron", "1")


class Told(NamedTuple):
    """A record: its topic, value and Kafka timestamp."""

    topic: str
    value: bytes
    written: int


def post(at: int, identity: str, author: Author | None = None, parent: str | None = None, written: int = AT) -> bytes:
    """A routed record; an answer where the author is the brand's."""
    said = Post(identity, identity, "@HeronAir where is my bag?", author or Author("5"), at, "1", lang="en",
                parent_id=parent, parent_author_id=parent and "5")  # fmt: skip
    verdict = Verdict(Stage.REACTIVE, 0.9, (0.9, 0.05, 0.05))
    return ROUTER.route(said, verdict, Place("tweets", 0, 1, written), written)[0].value


def asked(at: int, identity: str, written: int) -> Told:
    """A customer's post."""
    return Told("queue.reactive", post(at, identity), written)


def answered(at: int, identity: str, written: int) -> Told:
    """The brand's answer to the first post."""
    return Told("posts.own", post(at, identity, Author("900", "HeronAir"), "1"), written)


def wrote(at: int, identity: str, written: int) -> Told:
    """A private message of the customer."""
    return Told(MESSAGES, msgspec.json.encode(Message(identity, "heron", "5", "5", utc(at), "hello")), written)


def retracted(at: int, identity: str, written: int) -> Told:
    """A post is gone."""
    return Told(RETRACTIONS, msgspec.json.encode(Retraction(identity, "5", utc(at))), written)


def heard(story: Sequence[Told], wall: int) -> Conversation:
    """The state after a story, in which every record is a batch of its own."""
    books, keeper = Waits(POLICIES), Bookkeeper(POLICIES, {name: name for name in HEARD_TOPICS}, 1, lambda _: 0)
    for topic, value, written in story:
        keeper.hear([Fetched(topic, 0, 0, written, None, value, [])], {0: books}, wall)
    return decode(books.states[WHOSE.encoded()])


def facts(conversation: Conversation) -> list[tuple[int, str]]:
    """When what happened."""
    return [(fact.at, fact.id) for fact in conversation.facts]


@pytest.mark.parametrize("ahead", [wrote, asked, retracted])
@pytest.mark.parametrize("by", [40 * DAY, 70_000 * DAY])
def test_who_waits_goes_on_waiting(ahead: object, by: int) -> None:
    """A message, a further post or a retraction dated far ahead: the wait of another post is neither late nor over."""
    story = [asked(AT, "1", AT + 500), ahead(AT + by, "2", AT + 2_000)]  # type: ignore[operator]

    found = heard(story, AT + 2_500)

    assert [(AT, End.WAITING, False)] == [(turn.opened, turn.end, turn.breached) for turn in found.turns]
    assert [] == found.settled


def test_an_answer_from_the_future_came_when_kafka_got_it() -> None:
    """Its wait is two seconds, not forty days."""
    found = heard([asked(AT, "1", AT + 500), answered(AT + 40 * DAY, "2", AT + 2_000)], AT + 2_500)

    assert [(End.ANSWERED, AT + 2_000, False)] == [(turn.end, turn.ended, turn.breached) for turn in found.turns]


@pytest.mark.parametrize(("by", "expected"), [(60_000, AT + 60_000), (60_001, AT)])
@pytest.mark.parametrize("kind", [asked, wrote])
def test_a_clock_that_is_a_minute_fast_is_believed(kind: object, by: int, expected: int) -> None:
    """Up to a minute ahead of Kafka is exact; what is beyond that counts from Kafka's time."""
    story = [asked(AT - 5, "1", AT), kind(AT + by, "2", AT)]  # type: ignore[operator]

    assert expected == max(facts(heard(story, AT + 500)))[0]


def test_without_kafkas_time_the_posts_own_counts() -> None:
    """A record of a topic that has no timestamps says -1."""
    assert [(AT + 40 * DAY, "1")] == facts(heard([asked(AT + 40 * DAY, "1", -1)], AT))


def test_read_again_in_any_order_it_is_the_same() -> None:
    """Whenever, and with whatever read before it: the time of Kafka's record does not change."""
    story = [asked(AT, "1", AT + 500), wrote(AT + DAY, "2", AT + 900), asked(AT + 40 * DAY, "3", AT + 2_000)]
    walls = (AT + 2_000, AT + 3 * DAY)

    found = {tuple(facts(heard(order, wall))) for order in permutations([*story, *story], 6) for wall in walls}

    assert {((AT, "1"), (AT + 900, "dm:2"), (AT + 2_000, "3"))} == found


def test_a_restored_state_is_the_same() -> None:
    """What came since the backup is heard as the worker hears it."""
    story = [asked(AT, "1", AT + 500), wrote(AT + 40 * DAY, "2", AT + 900), retracted(AT + 40 * DAY, "9", AT + 950)]
    since = CatchingUp(POLICIES, AT + 2_000)

    since.hear([Input(topic, 0, place, written, value) for place, (topic, value, written) in enumerate(story)])

    assert facts(heard(story, AT + 2_000)) == facts(decode(since.books[0].states[WHOSE.encoded()]))


def test_moved_it_has_the_deadline_of_its_clock() -> None:
    """The record that a person's move writes, read before the post itself: target and wait from Kafka's time."""
    books, keeper = Waits(POLICIES), Bookkeeper(POLICIES, {KEYED: KEYED}, 1, lambda _: 0)
    word = Word("w", "move", "5", "heron", "1", utc(AT + 9), "ann", "proactive", "1")
    record = Fetched(KEYED, 0, 1, AT + 9, None, desk.encode(word), [])

    entry = keeper.move(Move(record, word), None, post(AT + 40 * DAY, "1"), books, AT + 9)

    assert utc(AT + 9 + 7_200_000) == read(entry.outputs[0].value or b"").deadline_at
    assert [AT + 9] == [turn.opened for turn in decode(books.states[WHOSE.encoded()]).turns]


def test_routed_it_is_due_from_kafkas_time() -> None:
    """The deadline in the queue is not forty days off; who waits a minute ahead has theirs from their own clock."""
    due = [read(post(AT + by, "1", written=AT)).deadline_at for by in (40 * DAY, 60_000)]

    assert [utc(AT + 1_800_000), utc(AT + 60_000 + 1_800_000)] == due


def test_a_forgotten_post_from_the_future_is_not_moved() -> None:
    """All that the customer wrote is gone, whatever its clock said."""
    books, keeper = Waits(POLICIES), Bookkeeper(POLICIES, {name: name for name in HEARD_TOPICS}, 1, lambda _: 0)
    gone = retracted(AT + 10, "*", AT + 10)
    keeper.hear([Fetched(RETRACTIONS, 0, 0, gone.written, None, gone.value, [])], {0: books}, AT + 10)
    word = Word("w", "move", "5", "heron", "1", utc(AT + 9), "ann", "proactive", "1")
    record = Fetched(KEYED, 0, 1, AT + 9, None, desk.encode(word), [])

    entry = keeper.move(Move(record, word), None, post(AT + 40 * DAY, "1"), books, AT + 20)

    assert {"not_found": 1} == entry.dead
    assert Kind.ASKED not in [fact.kind for value in books.states.values() for fact in _facts(value)]


def _facts(value: bytes) -> list[Fact]:
    return decode(value).facts
