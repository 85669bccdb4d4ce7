"""Records of what happened in; records of `responses` and states of `conversations` out. No Kafka, no waiting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from pipeline import cloud_events, dead, desk, rewrite, traces
from pipeline.desk import Word
from pipeline.errors import BadMessage, Reason
from pipeline.facts import QUEUES, Fact, Kind, Mark, whereabouts
from pipeline.heard import Heard, checked, dated, message, ms, question_marks, retraction, routed
from pipeline.kept import FACTS_HEADER, Key, encode_facts
from pipeline.policies import Policies
from pipeline.post_times import believed, first_made
from pipeline.posts import Queue, Stage
from pipeline.responses import Response, encode, response
from pipeline.route import topic_of
from pipeline.routed import RoutedPost
from pipeline.topics import CONVERSATIONS, DEAD, DESK, KEYED, MESSAGES, RESPONSES, RETRACTIONS
from pipeline.traces import onward
from pipeline.triage import Record, place_of
from pipeline.waits import Changes, Waits


class Out(NamedTuple):
    """A record to be produced; `topic` as declared."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: cloud_events.Headers = []  # noqa: RUF012 - a tuple's default, which nobody changes


class Move(NamedTuple):
    """A helpdesk's word that a post belongs into another queue, and the record that said it."""

    record: Record
    word: Word


class Edit(NamedTuple):
    """A new version, routed by the model, of a post that a person had moved."""

    record: Record
    heard: Heard


class Gone(NamedTuple):
    """A post that stands in a topic and is retracted."""

    partition: int
    fact: Fact

    @property
    def topic(self) -> str:
        """Where it stands, as declared."""
        return topic_of(Queue.OWN if self.fact.kind is Kind.ANSWERED else QUEUES[self.fact.queue])

    @property
    def whereabouts(self) -> tuple[int, int]:
        """(partition, offset) at which it stands."""
        return whereabouts(self.fact.place, self.partition)


class Entry:
    """What came of a batch or a tick."""

    def __init__(self) -> None:
        self.outputs: list[Out] = []
        """To be acknowledged before the states go out; those of `responses` last, for who finds them takes it that the
        others are there too."""
        self.states: list[Out] = []
        self.told: list[tuple[Response, bool]] = []
        """The responses among the outputs; with each, whether its post was praise."""
        self.gone: list[Gone] = []
        self.moves: list[Move] = []
        self.broken: list[bool] = []
        self.dead: Counter[str] = Counter()
        self.heard: Counter[str] = Counter()
        self.traces: dict[Key, cloud_events.Headers] = {}
        """By conversation, the header of the record that spoke of it last."""


class Bookkeeper:
    """Takes batches and ticks for the books of partitions.

    Args:
        policies: the brands' rules.
        declared: the declared names of topics by those on the broker.
        partitions: how many each topic has.
        hashed: Kafka's hash of a key, for words that do not say their partition.
        exporting: whether spans are made of what is done here.
        grown: the topics had fewer partitions once, so that a partition which a word says may be an old one.
    """

    def __init__(
        self,
        policies: Policies,
        declared: Mapping[str, str],
        partitions: int,
        hashed: Callable[[bytes], int],
        *,
        exporting: bool = False,
        grown: bool = False,
    ) -> None:
        self._policies = policies
        self._declared = declared
        self._partitions = partitions
        self._hashed = hashed
        self._onward = onward("responses", exporting=exporting)
        self._grown = grown

    def hear(self, records: Sequence[Record], books: Mapping[int, Waits], wall: int) -> Entry:
        """Take a batch; every record's partition is among the books."""
        entry = Entry()
        heard: dict[int, list[Heard]] = {partition: [] for partition in books}
        edits: list[Edit] = []
        for record in records:
            try:
                found = self._fact(record, books[record.partition].clock(wall) or wall, entry)
            except BadMessage as error:
                self._bury(record, error, entry)
                continue
            entry.broken.append(False)
            if found is not None:
                heard[record.partition].append(found)
                self._note_trace(record, found, entry)
                if _is_news_of_moved(found, books[record.partition]):
                    edits.append(Edit(record, found))
        for partition, some in heard.items():
            if some:
                self._enter(partition, books[partition], books[partition].hear(some, wall), wall, entry)
        for edit in edits:
            self._follow(edit, books[edit.record.partition], wall, entry)
        return entry

    def tick(self, books: Mapping[int, Waits], until: Mapping[int, int], wall: int, most: int) -> Entry:
        """Let time pass: `until` in ms by partition; `most` conversations are looked at in all."""
        entry = Entry()
        for partition in sorted(books, key=lambda one: (one + wall // 1000) % self._partitions):
            changes = books[partition].tick(wall, until=until[partition], most=most)
            self._enter(partition, books[partition], changes, wall, entry)
            most = max(0, most - len(changes.states))
        return entry

    def move(self, one: Move, found: tuple[Key, Fact] | None, value: bytes, books: Waits, wall: int) -> Entry:
        """Write a post to another queue as its next revision.

        Args:
            one: the word, in a record of desk.keyed.
            found: what the books know of the post.
            value: its routed record.
            books: those of the partition.
            wall: ms.
        """
        entry, record, word = Entry(), rewrite.read(value), one.word
        to, said = desk.target(word), desk.said(word).fact
        known = found[1] if found is not None else None
        if not desk.counts(said, books.facts(Key(record.author.external_id, record.brand, record.conversation_id))):
            return entry  # the same word once more, or one that another came after
        if known is not None and QUEUES[known.queue] is to and known.marks & Mark.PERSON:
            self._hear(one.record, record, [said], books, wall, entry)  # it is there
            return entry
        if books.is_gone(word.customer, record.external_id[2:], _since(record, known, one.record)):
            return self.bury(
                one.record, BadMessage(Reason.NOT_FOUND, "the post is retracted, or its customer forgotten")
            )
        self._rewrite(one.record, record, to, known, books, wall, entry, said)
        return entry

    def _follow(self, edit: Edit, books: Waits, wall: int, entry: Entry) -> None:
        """An edit goes where a person had moved its post to, above all revisions: the author's count may be lower."""
        found = books.find(edit.heard.customer, edit.heard.brand, edit.heard.fact.id)
        if found is None or found[1].marks & Mark.GONE:
            return
        record = rewrite.read(edit.record.value or b"")
        marks = question_marks(record.text, engagement=record.classification.stage is Stage.ENGAGEMENT)
        known = msgspec.structs.replace(found[1], marks=marks)
        self._rewrite(edit.record, record, QUEUES[known.queue], known, books, wall, entry)

    def _rewrite(
        self, source: Record, record: RoutedPost, to: Queue, known: Fact | None, books: Waits, wall: int, entry: Entry,
        *said: Fact,
    ) -> None:  # fmt: skip
        """Into a queue by a person's choice, as the next of all revisions; and the books hear of it."""
        revision = max([record.revision, *((known.revision, known.latest) if known is not None else ())]) + 1
        policy, customer = self._policies(record.brand), record.author.external_id
        since = _since(record, known, source)
        moved = rewrite.moved(record, to, revision, policy, since, wall)
        headers = [*moved.headers, *self._trace(source)]
        entry.outputs.append(Out(topic_of(to), source.partition, customer.encode(), moved.value, headers))
        fact = Fact(
            since, Kind.ASKED, record.external_id[2:], QUEUES.index(to),
            (known.marks & ~(Mark.ADOPTED | Mark.TAKEN) if known is not None else 0) | Mark.PERSON, revision,
        )  # fmt: skip
        self._hear(source, record, [fact, *said], books, wall, entry)

    def _hear(
        self, source: Record, record: RoutedPost, facts: Sequence[Fact], books: Waits, wall: int, entry: Entry
    ) -> None:
        """The books hear facts of the conversation of a record."""
        heard = [Heard(record.author.external_id, record.brand, record.conversation_id, fact) for fact in facts]
        self._note_trace(source, heard[0], entry)
        self._enter(source.partition, books, books.hear(heard, wall), wall, entry)

    def retract(self, gone: Gone, value: bytes, wall: int) -> Out:
        """The record that tells those who read a topic that a post is gone."""
        record = rewrite.read(value)
        again = rewrite.retracted(record, wall, gone.fact.latest)
        customer = record.parent_author_id if record.queue is Queue.OWN else record.author.external_id
        return Out(
            gone.topic, gone.partition, (customer or record.external_id[2:]).encode(), again.value, again.headers
        )

    def bury(self, record: Record, error: BadMessage) -> Entry:
        """A dead letter of its own."""
        entry = Entry()
        self._bury(record, error, entry)
        return entry

    def _fact(self, record: Record, now: int, entry: Entry) -> Heard | None:
        topic = self._declared[record.topic]
        entry.heard[topic] += 1
        if topic == MESSAGES:
            return dated(checked(message(record.value, self._policies)), record.timestamp)
        if topic == RETRACTIONS:
            return dated(checked(retraction(record.value)), record.timestamp)
        if topic not in (DESK, KEYED):
            found = routed(record.value, record.offset, self._policies)
            return None if found is None else dated(checked(found), record.timestamp)
        word = desk.read_word(record.value)
        if topic == DESK:
            partition = desk.partition_of(word, self._partitions, self._hashed, grown=self._grown)
            value = desk.not_after(word, record.value, now)
            entry.outputs.append(Out(KEYED, partition, word.customer.encode(), value, self._trace(record)))
            return None
        if word.word == "move":
            entry.moves.append(Move(record, word))
            return None
        return desk.said(word)

    def _note_trace(self, record: Record, heard: Heard, entry: Entry) -> None:
        """What is told of a conversation belongs to the trace of the record that it follows from."""
        trace = self._trace(record)
        if trace:
            entry.traces[Key(heard.customer, heard.brand, heard.conversation)] = trace

    def _trace(self, record: Record) -> cloud_events.Headers:
        """The header that goes on from a record, if it has one."""
        found = traces.of(record.headers)
        return [] if found is None else [(traces.TRACE_HEADER, self._onward(found))]

    def _bury(self, record: Record, error: BadMessage, entry: Entry) -> None:
        letter = dead.headers(error, place_of(record), "responses")
        entry.outputs.append(Out(DEAD, record.partition, record.key, record.value, letter))
        entry.broken.append(True)
        entry.dead[error.reason.value] += 1

    def _enter(self, partition: int, books: Waits, changes: Changes, wall: int, entry: Entry) -> None:
        clock = books.clock(wall)
        for key, told, version, news in changes.told:
            said = response(key, told, version, clock, self._policies(key.brand))
            subject = said.conversation_id if said.turn is None else said.turn.post_id
            headers = cloud_events.headers(cloud_events.RESPONSE, key.brand, said.event_id, subject, said.at)
            headers += entry.traces.get(key, [])
            if news:
                headers.append((FACTS_HEADER, encode_facts(news)))
            entry.outputs.append(Out(RESPONSES, partition, key.customer.encode(), encode(said), headers))
            entry.told.append((said, told.turn is not None and told.turn.praise))
        entry.states += [Out(CONVERSATIONS, partition, key, value) for key, value in changes.states.items()]
        entry.gone += [Gone(partition, fact) for _, fact in changes.gone]


def _since(record: RoutedPost, known: Fact | None, source: Record) -> int:
    """Since when a post waits, in ms: as it is known, else as what its record says can be true."""
    if known is not None:
        return known.at
    made = first_made(ms(record.created_at), record.external_id[2:], record.revision)
    return believed(made, source.timestamp)


def _is_news_of_moved(one: Heard, books: Waits) -> bool:
    """Whether it is a version, not read yet, that the model routed of a post that a person had moved."""
    fact = one.fact
    if fact.kind is not Kind.ASKED or not fact.revision or fact.marks & Mark.PERSON:
        return False
    found = books.find(one.customer, one.brand, fact.id)
    return found is not None and bool(found[1].marks & Mark.PERSON) and (fact.queue, fact.place) not in found[1].copies
