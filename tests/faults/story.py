"""What happens to some customers: told to the real worker through Kafka, and to the pure model beside it."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from aiokafka.partitioner import murmur2
from kafka import KafkaProducer

from agents import clients
from agents.states import states
from pipeline import heard
from pipeline.classify import Model
from pipeline.desk import Word, is_move, read_word, said
from pipeline.desk import encode as encode_word
from pipeline.facts import Fact, known
from pipeline.heard import ANY, Heard, Message, Retraction
from pipeline.kept import Key
from pipeline.policies import Policies
from pipeline.posts import Author, Post, Stage, Verdict
from pipeline.route import Place, Router, topic_of, utc
from pipeline.settings import Settings
from pipeline.told import Ledger, Whose
from pipeline.topics import DESK, KEYED, MESSAGES, OWN, QUEUE_TOPICS, RESPONSES, RETRACTIONS
from pipeline.turns import Turn, view

MINUTE = 60_000
encode = msgspec.json.Encoder().encode
SURE = Verdict(Stage.REACTIVE, 0.95, (0.95, 0.03, 0.02))
UNSURE = Verdict(Stage.PROACTIVE, 0.4, (0.3, 0.4, 0.3))


class Event(NamedTuple):
    """A record of one of the topics that the worker reads."""

    topic: str
    customer: str
    value: bytes


class Story:
    """Events of customers 0, 1, 2, …: questions, answers, edits, doubles, private messages, words, retractions."""

    def __init__(self, settings: Settings, seed: int, word_after: int) -> None:
        self._router = Router(settings, Model("m", "1", "0" * 64))
        self._chance = random.Random(seed)
        self._word_after = word_after
        self._next = 0
        self._late: list[Event] = []

    def some(self, customers: int) -> list[Event]:
        """What happens to so many more of them; now and then something of earlier ones comes late, or twice."""
        events: list[Event] = []
        for _ in range(customers):
            self._next += 1
            events += self._of_customer(self._next)
        self._chance.shuffle(events)
        late = [event for event in events if self._chance.random() < 0.1]
        now = [*events, *self._late]
        self._late = late
        return now

    def rest(self) -> list[Event]:
        """What is still to come late."""
        rest, self._late = self._late, []
        return rest

    def _of_customer(self, number: int) -> Iterator[Event]:
        chance, customer, asked = self._chance, str(5_000_000 + number), int(time.time() * 1000) - 3_600_000
        at = asked + chance.randrange(0, 50 * MINUTE)
        question, verdict = f"{number}01", SURE if chance.random() < 0.8 else UNSURE
        yield self._asked(customer, question, question, at, verdict)
        if chance.random() < 0.1:
            yield self._asked(customer, question, question, at, verdict, revision=1)
        for answer in range(chance.choice((0, 1, 1, 1, 2))):
            yield self._answered(customer, f"{number}1{answer}", question, at + chance.randrange(1, 8 * MINUTE))
        if chance.random() < 0.3:
            yield self._asked(customer, f"{number}02", question, at + 9 * MINUTE, SURE)
        if chance.random() < 0.1:
            message = Message(f"{number}03", "acme", "900", customer, utc(at + MINUTE), "hello")
            yield Event(MESSAGES, customer, encode(message))
        if chance.random() < 0.1:
            retraction = Retraction(f"{number}02", customer, utc(at + 10 * MINUTE))
            yield Event(RETRACTIONS, customer, encode(retraction))
        if chance.random() < 0.1:
            yield self._word(customer, question, at + self._word_after)

    def _asked(
        self, customer: str, post: str, conversation: str, at: int, verdict: Verdict, revision: int = 0
    ) -> Event:
        made = Post(post, post, "@Acme where is it", Author(customer), at, conversation, revision, lang="en")
        [out] = self._router.route(made, verdict, Place("tweets", 0, 0, at), at)
        return Event(topic_of(out.queue), customer, out.value)

    def _answered(self, customer: str, post: str, conversation: str, at: int) -> Event:
        made = Post(
            post, post, "on its way", Author("900", "Acme"), at, conversation, parent_id=conversation,
            parent_author_id=customer,
        )  # fmt: skip
        [out] = self._router.route(made, SURE, Place("tweets", 0, 0, at), at)
        return Event(OWN, customer, out.value)

    def _word(self, customer: str, question: str, at: int) -> Event:
        word = self._chance.choice(("resolve", "handoff", "assign", "move"))
        to = {"handoff": "email", "assign": "ann", "move": "proactive"}.get(word)
        made = Word(f"w{question}", word, customer, "acme", question, utc(at), "ann", to, question)  # type: ignore[arg-type]
        return Event(DESK, customer, encode_word(made))


class StoryFeed:
    """Tells a story at a steady rate in a thread; words of a helpdesk to any partition, as helpdesks do.

    `word_after`: so long (ms) after the question the helpdesk says something; answers come within 8 minutes.
    """

    def __init__(
        self, settings: Settings, *, per_s: float = 400.0, seed: int = 3, word_after: int = 5 * MINUTE
    ) -> None:
        self.settings = settings
        self._producer: KafkaProducer = clients.producer(settings.kafka)
        self._story = Story(settings, seed, word_after)
        self._per_s = per_s
        self._futures: list[Any] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> StoryFeed:
        """Begin to tell."""
        self._thread.start()
        return self

    def go_on_with(self, settings: Settings) -> None:
        """The topics have grown: what comes from now on goes to the new partitions."""
        self.settings = settings
        self._producer.close()
        self._producer = clients.producer(settings.kafka)

    def tell(self, customers: int) -> None:
        """What happens to so many customers, at once; one event in twenty comes twice."""
        for event in self._story.some(customers):
            self._send(event)
            if len(self._futures) % 20 == 0:
                self._send(event)

    def end(self) -> int:
        """Stop, and say how many records were acknowledged."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for event in self._story.rest():
            self._send(event)
        for future in self._futures:
            future.get(60)
        self._producer.close()
        return len(self._futures)

    def _send(self, event: Event) -> None:
        hashed = murmur2(event.customer.encode()) & 0x7FFFFFFF
        if event.topic == DESK:
            hashed = len(self._futures)
        partition = hashed % self.settings.topics.partitions
        name = self.settings.topics.name(event.topic)
        self._futures.append(self._producer.send(name, event.value, event.customer.encode(), partition=partition))

    def _run(self) -> None:
        started, told = time.monotonic(), 0
        while not self._stop.wait(0.05):
            due = int((time.monotonic() - started) * self._per_s / 2.2)  # so many events has a customer about
            self.tell(due - told)
            told = due


class Compared(NamedTuple):
    """What became of a story: how many conversations, and what is not as the model says."""

    conversations: int
    answered: int
    wrong: list[str]
    twice: int
    """Records of `responses` that are there more than once, by their ids."""
    counted_twice: int
    """Answers that `responses`, read by ids, tells more than once for a turn."""


def compare(settings: Settings, *, named: bool = True) -> Compared:
    """Hold `conversations` and `responses` against the pure model fed with what stands in the topics.

    `named`: Fact.named too, which versions before the fourth format of states drop.
    """
    expected, policies = _model(settings), Policies(settings)
    consumer = clients.consumer(settings.kafka)
    found = {state.key: state.conversation for state in states(consumer, settings) if state.key.conversation}
    ledger, ids, answers = Ledger(), defaultdict[str, int](int), defaultdict[tuple[str, ...], set[str]](set)
    for record in clients.stored(consumer, settings.topics.name(RESPONSES)):
        if b'"backlog_' not in record.value[:120]:
            ledger.take(record.value, record.partition, record.timestamp)
            one = msgspec.json.decode(record.value)
            ids[one["event_id"]] += 1
            if one["event_type"] == "answered":
                answers[one["customer"], one["turn"]["post_id"], one["turn"]["answer_id"]].add(one["event_id"])
    consumer.close()
    told: dict[Whose, dict[str, Turn]] = defaultdict(dict)
    for whose, turn, _ in ledger.turns():
        told[whose][turn.post] = turn
    wrong = [f"{key} is missing" for key in expected.keys() - found.keys()]
    wrong += [f"{key} is from nowhere" for key in found.keys() - expected.keys()]
    for key in expected.keys() & found.keys():
        state, seen = found[key], view(expected[key], found[key].clock, policies(key.brand))
        facts = [fact for fact in state.facts if not is_move(fact)]
        if _placeless(facts, named=named) != _placeless(expected[key], named=named):
            wrong.append(f"{key}: {state.facts} should be {expected[key]}")
        elif state.turns != seen.turns or state.settled != seen.settled:
            wrong.append(f"{key}: {state.turns} {state.settled} should be {seen.turns} {seen.settled}")
        elif _counted(told[Whose(*key)].values()) != _counted(seen.turns):
            wrong.append(f"{key}: told {told[Whose(*key)]} should be {seen.turns}")
    answered = sum(turn.end == 1 for turns in told.values() for turn in turns.values())
    twice = sum(number - 1 for number in ids.values())
    return Compared(len(found), answered, wrong, twice, sum(len(some) - 1 for some in answers.values()))


def _model(settings: Settings) -> dict[Key, list[Fact]]:
    """The facts of every conversation, by all that stands in the topics, in whatever order."""
    policies = Policies(settings)
    facts: dict[Key, list[Fact]] = defaultdict(list)
    everywhere: dict[str, list[Fact]] = defaultdict(list)
    for one in _heard(settings, policies):
        if one.conversation == ANY:
            everywhere[one.customer].append(one.fact)
        else:
            facts[Key(one.customer, one.brand, one.conversation)].append(one.fact)
    return {key: known([*some, *everywhere[key.customer]]) for key, some in facts.items()}


def _heard(settings: Settings, policies: Policies) -> Iterator[Heard]:
    consumer = clients.consumer(settings.kafka)
    for topic in (*QUEUE_TOPICS, MESSAGES, RETRACTIONS, KEYED):
        for record in clients.stored(consumer, settings.topics.name(topic)):
            if topic == KEYED:
                word = read_word(record.value)
                one = None if word.word == "move" else said(word)
            elif topic == MESSAGES:
                one = heard.message(record.value, policies)
            elif topic == RETRACTIONS:
                one = heard.retraction(record.value)
            else:
                one = heard.routed(record.value, record.offset, policies)
            if one is not None:
                yield heard.dated(one, record.timestamp)
    consumer.close()


def _placeless(facts: list[Fact], *, named: bool) -> list[Fact]:
    return [msgspec.structs.replace(fact, place=0, copies=(), named=fact.named if named else -1) for fact in facts]


def _counted(turns: Any) -> list[tuple[Any, ...]]:
    return sorted(
        (turn.post, turn.queue, turn.opened, turn.end, turn.ended, turn.answer, turn.first, turn.breached)
        for turn in turns
        if turn.counts
    )
