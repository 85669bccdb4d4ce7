"""The way of one answer to X: an intent that is written down before the call, a result after it, and never a double.

    (nothing) -> INTENT -> SENDING -> POSTED | FAILED | UNKNOWN       INTENT -> HELD
                   ^----------'  X did certainly not take it

Each arrow is a record of `replies.log` that is acknowledged before the next step. INTENT: nothing has gone out.
SENDING is written right before the call: from then on the answer may be on X, whatever becomes of this process, and it
goes back to INTENT only where X does not have it, or would not take it twice:
 - X refused for now (429), or no connection could be made;
 - X's own count of requests shows that it never came (pipeline.request_counts);
 - X shows no such post so long after the call that it would show it, and either said that it was not available (503),
   or is one that refuses a post which it has already (403, duplicate): then sending it again is what tells a call
   that came to nothing from a post that X hides;
 - settings say that what X does not show for so long was not posted (again_after_s; they do not, unless asked to).
What was in doubt goes out again only right after a look that does not show it, so that two things must go wrong at once
for a double. What X says that it has (`known`) is never sent again: we look for it, again and again, and what is not
seen for long enough is UNKNOWN, and stays so unless it is forced; then X is asked once more. So are private messages,
of which X refuses no double.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, StrEnum, auto
from typing import Literal, NamedTuple

import msgspec

from pipeline.errors import Reason
from pipeline.kept import Key
from pipeline.replies import Reply, named_in
from pipeline.settings_poster import Poster

FIRST_LOOK_MS = 2_000
LAST_LOOK_MS = 60_000
"""Looks at X are so far apart at first, and at most; of private messages, which X shows 15 times in 15 minutes ..."""
MESSAGES_LOOK_MS = 60_000
"""... so far always."""
UNAVAILABLE = 503


class State(StrEnum):
    """How far an answer is."""

    INTENT = "intent"
    SENDING = "sending"
    POSTED = "posted"
    FAILED = "failed"
    UNKNOWN = "unknown"
    HELD = "held"


FINAL = frozenset({State.POSTED, State.FAILED, State.UNKNOWN, State.HELD})


class Entry(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A record of `replies.log`, under the answer's id: the newest one says how far it is. It holds no text."""

    id: str
    state: State
    hash: str
    brand: str
    kind: str
    since: int
    """When the intent was made (ms)."""
    at: int
    """When this was so (ms); of SENDING, right before the call."""
    customer: str = ""
    conversation_id: str = ""
    post_id: str = ""
    attempt: int = 0
    forced: bool = False
    unavailable: bool = False
    """Of SENDING: X said 503, so that it was most likely not done."""
    known: bool = False
    """Of SENDING: X has it already, as it said when it was sent again."""
    doubted: bool = False
    """An earlier attempt gave no answer, and X did not show it in time: it goes out again only after another look."""
    answer_id: str = ""
    """Where it is on X."""
    reason: str = ""
    detail: str = ""
    remaining: int | None = None
    """X's count of requests, as it answered: so many are left ..."""
    reset_at: float | None = None
    """... until then."""
    not_before: int = 0
    """X takes no more of this account's before then (ms), as it said, or as we wait where it did not say; kept whatever
    becomes of the answer meanwhile, until that is over."""
    no_look_before: int = 0
    """X shows this account nothing before then (ms); kept likewise."""
    first: int = 0
    """Where it was opened again: when its first intent was made (ms); X may have it since then."""

    def blocked(self) -> int:
        """Until when X takes nothing more on the route of this answer; 0: it did not say so."""
        used_up = self.remaining == 0 and self.reset_at is not None
        return max(self.not_before, round(1000 * (self.reset_at or 0)) if used_up else 0)

    @property
    def final(self) -> bool:
        """Whether nothing more is to be done."""
        return self.state in FINAL


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Entry).decode


class Rules(NamedTuple):
    """How long to wait for what, in ms; see settings."""

    call_timeout: int
    shown_after: int
    unknown_after: int
    give_up_after: int
    again_after: int | None = None
    refuses_doubles: bool = True
    """Whether X is trusted to refuse a post that it has already."""

    @classmethod
    def of(cls, poster: Poster) -> Rules:
        """As settings say."""
        times = (poster.call_timeout_s, poster.shown_after_s, poster.unknown_after_s, poster.give_up_after_s)
        again = poster.again_after_s
        call, shown, unknown, give_up = (round(1000 * seconds) for seconds in times)
        again_ms = None if again is None else round(1000 * again)
        return cls(call, shown, unknown, give_up, again_ms, poster.trust_duplicate_check)


class Do(Enum):
    """What is to be done next."""

    LOG = auto()
    """Write `entry` to replies.log; then say `logged`."""
    CALL = auto()
    """Say `called`, call X, then say what came of it."""
    LOOK = auto()
    """Look for it on X, then say `seen` or `not_looked`."""
    WAIT = auto()
    """Nothing before `until`."""
    TELL = auto()
    """Tell what came of it; it is done."""


class Step(NamedTuple):
    """What is to be done next."""

    do: Do
    entry: Entry | None = None
    until: int = 0


class Posting:
    """One answer on its way. Times are ms since 1970.

    Args:
        reply: the answer.
        entry: what replies.log says of it; None: nothing.
        rules: how long to wait for what.
        whose: the conversation in which it is; None: the one that it names.
    """

    def __init__(self, reply: Reply, entry: Entry | None, rules: Rules, whose: Key | None = None) -> None:
        self.reply = reply
        self.whose = named_in(reply) if whose is None else whose
        self.entry = entry
        self._rules = rules
        self._next: Entry | None = None
        self._fresh = False
        """Whether SENDING was written by this process, and the call not made."""
        self._not_before = 0
        self._looked = 0
        """When X last showed all that it has, and not this; 0: not to this process."""
        self._interval = MESSAGES_LOOK_MS if reply.kind == "dm" else FIRST_LOOK_MS

    @property
    def doubtful(self) -> bool:
        """Whether it may be on X or not."""
        entry = self.entry
        if entry is None or entry.final or self._fresh or self._next is not None:
            return False
        return entry.state is State.SENDING or entry.doubted

    @property
    def goes_out_next(self) -> bool:
        """Whether nothing of it is on its way: what is next is a call, perhaps after a look."""
        return self.entry is not None and self.entry.state is State.INTENT

    def begins(self, entry: Entry | None) -> bool:
        """Whether an entry says that a call is about to be made."""
        was = self.entry
        return entry is not None and entry.state is State.SENDING and (was is None or was.attempt != entry.attempt)

    @property
    def to_log(self) -> Entry | None:
        """What came of the last call or look, to be written down at once."""
        return self._next

    @property
    def window(self) -> tuple[int, int]:
        """Between which times (ms) X would have made it."""
        entry, rules = self._entry(), self._rules
        return entry.first or entry.since, entry.at + rules.call_timeout + rules.shown_after

    def step(self, now: int, answered: Callable[[], str | None] = lambda: None) -> Step:
        """What is to be done next; `answered` says why its turn wants no answer any more, or None."""
        if self._next is not None:
            return Step(Do.LOG, self._next)
        entry = self.entry
        if entry is None or self._opens_again(entry):
            return Step(Do.LOG, self._intent(now, entry))
        if entry.final:
            return Step(Do.TELL)
        if now < self._not_before:
            return Step(Do.WAIT, until=self._not_before)
        return self._on(entry, now, answered)

    def _on(self, entry: Entry, now: int, answered: Callable[[], str | None]) -> Step:
        if entry.state is State.SENDING:
            return Step(Do.CALL if self._fresh else Do.LOOK)
        if entry.doubted and now - self._looked > LAST_LOOK_MS:
            return Step(Do.LOOK)  # it may have turned up while X took no more, or since another process looked
        why = None if entry.forced or self.reply.force else answered()
        if why is not None:
            return Step(Do.LOG, self._as(State.HELD, now, detail=why))
        return Step(Do.LOG, self._as(State.SENDING, now, attempt=entry.attempt + 1))

    def logged(self, entry: Entry) -> None:
        """The entry of the last step stands in replies.log."""
        self._fresh = self.begins(entry)
        self.entry, self._next = entry, None

    # What came of the call.

    def not_sent(self, now: int) -> Entry:
        """What is so where the call was not made after all."""
        return self._as(State.INTENT, now)

    def called(self) -> None:
        """The call is made: from now on it may be on X."""
        self._fresh = False

    def posted(self, answer_id: str, now: int, remaining: int | None = None, reset_at: float | None = None) -> None:
        """X took it."""
        self._next = self._as(State.POSTED, now, answer_id=answer_id, remaining=remaining, reset_at=reset_at)

    def refused(self, status: int, detail: str, now: int) -> None:
        """X did not take it, and will not."""
        entry = self._entry()
        if entry.doubted and status == 403 and "duplicate" in detail.lower():
            self._next = msgspec.structs.replace(entry, known=True)  # an earlier attempt went through, as it seems
            self._doubt(now)
        else:
            self._next = self._as(State.FAILED, now, reason=Reason.REFUSED.value, detail=f"{status}: {detail}"[:300])

    def limited(self, now: int, until: int = 0) -> None:
        """X takes nothing for now, or until then: it did not take it either."""
        self._next = self._as(State.INTENT, now, not_before=until)

    def unreachable(self, now: int, detail: str, *, sent: bool) -> None:
        """No answer came; where nothing was sent, X does not have it."""
        if sent:
            self._doubt(now)
        else:
            self._again(now, detail)

    def failing(self, status: int, now: int) -> None:
        """X failed."""
        if status == UNAVAILABLE:
            self._next = msgspec.structs.replace(self._entry(), unavailable=True)
        self._doubt(now)

    # What came of looking.

    def seen(self, answer_id: str | None, looked: int) -> None:
        """X showed it, or (None) all that it shows at `looked`, when the look began, and it was not there."""
        self._looked = looked
        if answer_id is not None:
            self._next = self._as(State.POSTED, looked, answer_id=answer_id)
        elif self._entry().state is State.SENDING:
            self._not_seen(looked)

    def not_whole(self, looked: int) -> None:
        """X shows more than can be looked through, and not this so far."""
        if looked < self._unknown_at():
            self._doubt(looked)
        else:
            self._next = self._as(State.UNKNOWN, looked, detail="X shows more posts of that time than were looked at")

    def _not_seen(self, looked: int) -> None:
        over, again = self._over()
        if looked < over:
            self._doubt(looked)
            self._not_before = min(self._not_before, over)
        elif again:
            detail = "X was not available (503)" if self._entry().unavailable else "X gave no answer"
            self._again(looked, detail, doubted=True)
        else:
            self._next = self._as(State.UNKNOWN, looked, detail=_UNKNOWN)

    def _over(self) -> tuple[int, bool]:
        """When it has been looked for long enough, and whether it is then sent again."""
        entry, rules = self._entry(), self._rules
        ended = entry.at + rules.call_timeout
        if not entry.known:
            if entry.unavailable or (rules.refuses_doubles and entry.kind != "dm"):
                return ended + rules.shown_after, True
            if rules.again_after is not None:
                return ended + rules.again_after, True
        return self._unknown_at(), False

    def _unknown_at(self) -> int:
        """When what X does not show is unknown, where it is not sent again."""
        entry, rules = self._entry(), self._rules
        return max(entry.at + rules.unknown_after, entry.at + rules.call_timeout + rules.shown_after)

    def not_looked(self, until: int, *, limited: bool = False) -> None:
        """X showed nothing, for reasons of its own, its limit perhaps: look again then."""
        self._not_before = until
        if limited:
            self._next = msgspec.structs.replace(self._entry(), no_look_before=until)

    def never_came(self, now: int) -> None:
        """X's count of requests shows that the call never came to it."""
        if self.doubtful and not self.goes_out_next:
            self._next = self._as(State.INTENT, now)
            self._not_before = 0

    def _doubt(self, now: int) -> None:
        self._not_before = now + self._interval
        self._interval = min(2 * self._interval, LAST_LOOK_MS)

    def _again(self, now: int, detail: str, *, doubted: bool = False) -> None:
        entry = self._entry()
        doubted = doubted or entry.doubted
        if now - entry.since < self._rules.give_up_after:
            self._next = self._as(State.INTENT, now, doubted=doubted)
        elif doubted:  # X never told whether it has it
            self._next = self._as(State.UNKNOWN, now, detail=_UNKNOWN)
        else:
            self._next = self._as(State.FAILED, now, reason=Reason.FAILED.value, detail=detail[:300])
        self._not_before = now + min(LAST_LOOK_MS, 1000 << min(entry.attempt, 6))

    def _opens_again(self, entry: Entry) -> bool:
        """A helpdesk may force, once, what is not posted."""
        return entry.final and entry.state is not State.POSTED and self.reply.force and not entry.forced

    def _intent(self, now: int, before: Entry | None) -> Entry:
        reply = self.reply
        return Entry(
            reply.id,
            State.INTENT,
            reply.hash(),
            reply.brand,
            reply.kind,
            now,
            now,
            self.whose.customer,
            self.whose.conversation,
            reply.parent or "",
            0 if before is None else before.attempt,
            reply.force,
            not_before=0 if before is None else _ahead(before.not_before, now),
            no_look_before=0 if before is None else _ahead(before.no_look_before, now),
            doubted=before is not None and (before.doubted or before.state is State.UNKNOWN),
            first=0 if before is None else before.first or before.since,
        )

    def _as(self, state: State, now: int, **changes: object) -> Entry:
        """The entry in another state: what was said of the one before does not hold any more."""
        plain: dict[str, object] = {"unavailable": False, "known": False, "answer_id": "", "reason": "", "detail": ""}
        plain |= {"remaining": None, "reset_at": None}
        entry = self._entry()  # what X said of its limits is of the account, and outlives that
        plain |= {"not_before": _ahead(entry.not_before, now), "no_look_before": _ahead(entry.no_look_before, now)}
        return msgspec.structs.replace(entry, state=state, at=now, **(plain | changes))

    def _entry(self) -> Entry:
        if self.entry is None:
            raise ValueError(f"{self.reply.id}: nothing is written down yet")
        return self.entry


def _ahead(until: int, now: int) -> int:
    """A time as long as it is to come; then 0, which says nothing."""
    return until if until > now else 0


Outcome = Literal["reply_posted", "reply_failed", "reply_unknown", "reply_held"]
_UNKNOWN = "it may have been posted, and X does not show it: look at X before you send it again"
