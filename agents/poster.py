"""The poster's loop: one step of one answer at a time; each is written down and acknowledged before the next.

A plain loop on kafka-python and no Faust app: tweepy waits for X, one process posts at a time (X takes 100 posts in 15
minutes, so that is plenty), and between the word in the log and the call there must be nothing that can come between.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CommitFailedError, KafkaError, RebalanceInProgressError
from kafka.structs import OffsetAndMetadata

from agents.one_for_all import from_committed, keep_joining
from agents.pulse import steady
from agents.reply_log import ReplyLog
from agents.reply_outputs import Outputs
from agents.spans import Spans
from agents.turns_seen import TurnsSeen
from agents.x_calls import HOW, Account, Posted, no_access
from pipeline.answered import answered
from pipeline.backoffs import Backoffs
from pipeline.clocks import Clock
from pipeline.errors import (
    BadMessage,
    BrokerError,
    Reason,
    XError,
    XFailing,
    XLimited,
    XRefused,
    XUnreachable,
)
from pipeline.outbox import Item, Outbox, Place, Route, call_route, limits, look_route
from pipeline.poster_metrics import PosterMetrics
from pipeline.posting import FIRST_LOOK_MS, LAST_LOOK_MS, Do, Entry, Posting, Rules, State, Step
from pipeline.replies import Limits, Reply, read_reply, warnings
from pipeline.settings import Settings
from pipeline.topics import REPLIES, REPLIES_LOG
from pipeline.traces import going_on, of

log = logging.getLogger(__name__)
MOST_UNDER_WAY = 2000
"""So many answers are read ahead at most ..."""
MOST_A_TURN = 50
"""... and so many in one turn: each may take half a second, where no conversation has its post."""
IDLE_MS = 200
JOIN_MS = 2000
COMMIT_WITHIN_MS = 30_000
_NO_ACCESS = (401, 402)
"""X does not know us, or wants money first: no answer is to blame."""


class Lost(Exception):
    """The partitions are not ours any more, or not just now."""


class Parts(NamedTuple):
    """What the poster works with."""

    consumer: KafkaConsumer
    """Of `replies`, in the poster's group."""
    reader: Callable[[], KafkaConsumer]
    """Makes one that reads replies.log."""
    outputs: Outputs
    reply_log: ReplyLog
    turns: TurnsSeen
    accounts: Mapping[str, Account]
    metrics: PosterMetrics
    spans: Spans | None = None


class Poster:
    """Takes answers from `replies` and has them posted.

    Args:
        settings: names, limits.
        parts: what it works with.
        clock: what time it is; X's windows are of it.
        hook: is told of each point that is passed, with the answer's id: for tests that end the process there.
    """

    def __init__(
        self, settings: Settings, parts: Parts, *, clock: Clock, hook: Callable[[str, str], None] = lambda *_: None
    ) -> None:
        self._settings = settings
        self._poster = settings.poster
        (self._consumer, self._reader, self._outputs, self._log, self._turns, self._accounts, self._metrics,
         self._spans) = parts  # fmt: skip
        self._clock = clock
        self._hook = hook
        self._rules = Rules.of(settings.poster)
        self._limits = Limits(settings.poster.max_length, settings.poster.max_message_length)
        self._outbox = Outbox()
        self._asked_at: dict[str, int] = {}
        self._backoffs = Backoffs()
        self._committed: dict[tuple[str, int], int] = {}
        self._confirmed_at = 0.0
        self._owed: dict[str, tuple[Entry, Entry]] = {}
        """What could not be written down, since the group was being divided: what stood in the log, and what is so."""
        self._changed = False
        self._busy = False
        self.active = False
        """Whether this process is the one that posts."""
        self.turned_at = steady()
        """When the loop last went round."""

    def changed(self) -> None:
        """The partitions have moved."""
        self._changed = True

    def run(self, stop: Event) -> None:
        """Post until told to stop.

        Raises:
            SettingsError: X does not take our credentials.
            BrokerError: the broker does not take what must be written.
        """
        while not stop.is_set():
            self.turned_at = steady()
            self.turn()
        try:
            self._commit()
        except Lost:
            log.warning("another process posts")

    def turn(self) -> None:
        """Go round once: read, do one step, commit."""
        try:
            self._turn()
        except Lost:
            log.warning("another process posts, or the group is being divided anew")
            self._let_go()
            self._changed = True
        self._metrics.wait(item.reply.brand for item in self._outbox.items())
        self._metrics.doubtful.set(sum(item.posting.doubtful for item in self._outbox.items()))

    def _turn(self) -> None:
        records = self._poll(0 if self._busy else IDLE_MS)
        if self._changed:
            self._take_over()
            records = []  # they are read again
        self._turns.catch_up()
        for record in sorted(records, key=lambda one: (one.timestamp, one.partition, one.offset)):
            self._take(record)
        due = self._outbox.due(self._now(), self._answered)
        self._busy = due.item is not None
        if due.item is not None:
            with going_on(due.item.trace):
                self._do(due.item, due.step)
        if self._outbox.offsets() != self._committed:
            self._commit()

    def _poll(self, timeout_ms: int) -> list[ConsumerRecord]:
        if keep_joining(self._consumer):
            timeout_ms = JOIN_MS
        assigned = self._consumer.assignment()
        if len(self._outbox) >= MOST_UNDER_WAY:
            self._consumer.pause(*assigned)
        elif self._consumer.paused():
            self._consumer.resume(*assigned)
        try:
            return [
                one
                for some in self._consumer.poll(timeout_ms=timeout_ms, max_records=MOST_A_TURN).values()
                for one in some
            ]
        except KafkaError as error:
            raise BrokerError(f"replies cannot be read ({error!r}): check the broker, and the right to read") from error

    def _take_over(self) -> None:
        """The partitions have come, or gone: what was under way begins anew from the log."""
        self._changed = False
        self._let_go()
        self.active = bool(self._consumer.assignment())
        self._metrics.active.set(self.active)
        if self.active:
            self._metrics.rebalances.inc()
            from_committed(self._consumer)
            reader = self._reader()
            try:
                self._log.read(reader, self._settings.topics.name(REPLIES_LOG))
            finally:
                reader.close()
            for was, entry in self._owed.values():
                if self._log.entries.get(entry.id) == was:  # nobody else has had it since
                    self._log.write(entry)
            self._owed = {}
            self._backoffs.resume(self._log.entries.values())
            for route, until in limits(self._log.entries.values()).items():
                self._block(route, until)

    def _let_go(self) -> None:
        self._outbox = Outbox()
        self._asked_at, self._committed = {}, {}
        self.active = False
        self._metrics.stands_by()

    def _take(self, record: ConsumerRecord) -> None:
        place = Place(REPLIES, record.partition, record.offset)
        self._outbox.read(place)
        try:
            reply = self._checked(record.value)
        except BadMessage as error:
            self._bury(record, place, error)
            return
        under_way = self._outbox.find(reply.id)
        if under_way is not None:
            under_way.places.append(place)
            if reply.force and not under_way.reply.force:
                under_way.posting.reply = reply
            return
        whose = self._outbox.answering(reply) or self._turns.whose(reply)
        posting = Posting(reply, self._log.entries.get(reply.id), self._rules, whose)
        item = Item(posting, place, record.value or b"", of(record.headers))
        self._outbox.add(item)
        self._asked_at[reply.id] = record.timestamp

    def _checked(self, value: bytes | None) -> Reply:
        reply = read_reply(value, self._limits)
        if reply.brand not in self._accounts:
            raise BadMessage(Reason.NO_ACCESS, f"there are no tokens for the account of brand {reply.brand!r}; {HOW}")
        under_way, entry = self._outbox.find(reply.id), self._log.entries.get(reply.id)
        taken = under_way.reply.hash() if under_way is not None else entry.hash if entry is not None else reply.hash()
        if taken != reply.hash():
            raise BadMessage(Reason.ID_TAKEN, "another answer has this id already: give each its own")
        return reply

    def _bury(self, record: ConsumerRecord, place: Place, error: BadMessage) -> None:
        """What cannot be posted at all: to replies.dead, and told where it can be."""
        trace = of(record.headers)
        known = self._outputs.refusal(record.key, record.value, place, error, record.timestamp, trace)
        self._outbox.close(place)
        brand, kind = ("", "") if known is None else (known.brand, known.kind)
        self._metrics.buried(brand, kind, error.reason.value)

    def _answered(self, item: Item) -> str | None:
        reply, whose = item.reply, item.whose
        return answered(reply, self._turns.conversation(whose), self._log.of(reply, whose))

    def _do(self, item: Item, step: Step) -> None:
        """One step; the call comes right after its word in the log, and what came of it is written down at once."""
        if step.do is Do.LOG and step.entry is not None:
            self._write(item, step.entry)
        if item.posting.step(self._now()).do is Do.CALL:
            self._call(item)
        elif step.do is Do.LOOK:
            self._look(item)
        elif step.do is Do.TELL:
            self._end(item)
        self._write_down(item)

    def _write_down(self, item: Item) -> None:
        if item.posting.to_log is not None:
            self._write(item, item.posting.to_log)

    def _write(self, item: Item, entry: Entry) -> None:
        if not entry.final:  # a result is true whoever writes it; all else is for the one to say that posts now
            self._commit(item, entry)
        self._log.write(entry)
        item.posting.logged(entry)
        if entry.final:
            found = entry.state is State.POSTED and entry.remaining is None and entry.attempt == 1
            self._log.count(entry).settled(entry.id, found=found)
        self._hook("result" if entry.final else entry.state.value, entry.id)

    def _call(self, item: Item) -> None:
        """Nothing comes between the check and the call."""
        posting, reply, sent_at = item.posting, item.reply, self._now()
        self._check_ours(item)
        posting.called()
        self._hook("call", reply.id)
        try:
            posted = self._accounts[reply.brand].post(reply)
        except XError as error:
            self._hook("answer", reply.id)
            self._failed(item, error, sent_at)
        else:
            self._hook("answer", reply.id)
            self._posted(item, posted, sent_at)

    def _posted(self, item: Item, posted: Posted, sent_at: int) -> None:
        now, route = self._now(), call_route(item.reply)
        item.posting.posted(posted.answer_id, now, posted.remaining, posted.reset_at)
        self._outcome(route, "fine")
        self._backoffs.fine(route)
        self._metrics.limit(route, posted.remaining, posted.limit, posted.reset_at)
        if posted.remaining == 0 and posted.reset_at is not None:
            self._block(route, _ms(posted.reset_at))
        never = self._count(item).answered(posted.remaining, posted.reset_at, sent_at)
        for one in never if self._poster.trust_request_count else ():
            found = self._outbox.find(one)
            if found is not None:
                found.posting.never_came(now)

    def _failed(self, item: Item, error: XError, sent_at: int) -> None:
        posting, now = item.posting, self._now()
        route = call_route(item.reply)
        self._outcome(route, type(error).__name__)
        if isinstance(error, XLimited):
            until = self._backoffs.until(route, error.reset_at, now)
            posting.limited(now, until)
            self._block(route, until)
        elif isinstance(error, XRefused):
            self._refused(item, error, now)
        else:
            if not isinstance(error, XUnreachable) or error.sent:
                self._count(item).doubt(item.reply.id, sent_at)
            if isinstance(error, XFailing):
                posting.failing(error.status, now)
            elif isinstance(error, XUnreachable):
                posting.unreachable(now, str(error), sent=error.sent)

    def _refused(self, item: Item, error: XRefused, now: int) -> None:
        if error.status not in _NO_ACCESS:
            item.posting.refused(error.status, error.detail, now)
            return
        item.posting.limited(now)
        self._write_down(item)  # that it did not go out
        raise no_access(item.reply.brand, error)

    def _look(self, item: Item) -> None:
        """What was looked for is what X showed when the look began."""
        posting, reply, route = item.posting, item.reply, look_route(item.reply)
        looked = self._now()
        try:
            found = self._accounts[reply.brand].look(reply, posting.window, self._log.taken)
        except XError as error:
            self._outcome(route, type(error).__name__)
            self._not_looked(item, error)
            return
        self._outcome(route, "fine")
        self._backoffs.fine(route)
        if found.answer_id is None and not found.whole:
            posting.not_whole(looked)
        else:
            posting.seen(found.answer_id, looked)
        self._hook("looked", reply.id)

    def _not_looked(self, item: Item, error: XError) -> None:
        route = look_route(item.reply)
        if isinstance(error, XLimited):
            until = self._backoffs.until(route, error.reset_at, self._now())
            self._block(route, until)
            item.posting.not_looked(until, limited=True)
        elif isinstance(error, XRefused) and error.status in _NO_ACCESS:
            raise no_access(item.reply.brand, error)
        else:
            log.warning("cannot look for the answer %s: %s", item.reply.id, error)
            pause = LAST_LOOK_MS if isinstance(error, XRefused) else 2 * FIRST_LOOK_MS
            item.posting.not_looked(self._now() + pause)

    def _end(self, item: Item) -> None:
        """Tell what came of it, acknowledged; then its offsets may move."""
        reply, entry = item.reply, item.posting.entry
        assert entry is not None
        found, asked_at = warnings(reply, self._poster), self._asked_at.pop(reply.id)
        self._outputs.outcome(item, entry, found, asked_at)
        self._hook("told", reply.id)
        if self._spans is not None:
            self._spans.processed(item.trace, item.places[0], asked_at / 1000, self._clock.now())
        self._outbox.done(item)
        if not item.told_again:
            self._metrics.ended(reply, entry, found, asked_at)

    # Whose the partitions are.

    def _commit(self, item: Item | None = None, owed: Entry | None = None) -> None:
        """Commit what is done, which also shows that the partitions are ours: the broker refuses it else.

        If it does, `owed` is written down when the item's partitions come back and nobody has had it meanwhile.
        """
        asked_at, offsets = steady(), self._outbox.offsets()
        if not offsets:
            return
        name = self._settings.topics.name
        wanted = {
            TopicPartition(name(topic), partition): OffsetAndMetadata(offset, "", -1)
            for (topic, partition), offset in offsets.items()
        }
        try:
            self._consumer.commit(wanted, timeout_ms=COMMIT_WITHIN_MS)
        except (CommitFailedError, RebalanceInProgressError) as error:
            if item is not None and owed is not None and owed.state is State.INTENT and item.posting.entry is not None:
                self._owed[owed.id] = item.posting.entry, owed
            raise Lost from error
        except KafkaError as error:
            raise BrokerError(f"offsets cannot be committed ({error!r}): check the broker") from error
        self._committed, self._confirmed_at = offsets, asked_at

    def _check_ours(self, item: Item) -> None:
        """Another process can have the partitions only when a whole session is over since the broker said yes."""
        while steady() - self._confirmed_at > 0.5 * self._settings.worker.session_timeout_s:
            self._commit(item, item.posting.not_sent(self._now()))

    def _block(self, route: Route, until: int) -> None:
        self._outbox.block(route, until)
        self._metrics.blocked(route, until)

    def _outcome(self, route: Route, outcome: str) -> None:
        self._metrics.calls.labels(route.what, outcome).inc()

    def _count(self, item: Item) -> Any:
        assert item.posting.entry is not None
        return self._log.count(item.posting.entry)

    def _now(self) -> int:
        return _ms(self._clock.now())


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
