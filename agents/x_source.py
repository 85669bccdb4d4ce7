"""X as a source: rules changed by difference, the filtered stream, recent search and mentions for what was missed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Any, TypeVar

import msgspec

from agents.ask import ask
from agents.sources import Ending, Heard
from agents.x_api import Access, Answer, Ended, How, Stream, XApi
from pipeline.backoff import Cause
from pipeline.brands import Brands
from pipeline.errors import BadMessage, Reason, SettingsError, TriageError, XError, XFailing, XLimited, XRefused
from pipeline.gaps import Gap
from pipeline.intake import Taken, Together
from pipeline.listener_metrics import ListenerMetrics
from pipeline.pages import page
from pipeline.post_times import first_id
from pipeline.rules import SEARCH_LENGTH, Difference, Rule, difference, rules
from pipeline.settings import Brand, Settings
from pipeline.sweeps import Ask, Route, Sweep

log = logging.getLogger(__name__)
T = TypeVar("T")

RULES_AT_ONCE = 25
ENOUGH = 50_000
"""So many posts of a sweep are kept in memory, to put the tags of several queries together."""
HOW_TO = (
    "create a project and an app at https://developer.x.com (console: Projects & Apps), choose pay-per-use, and copy "
    "from its page `Keys and tokens`"
)
_TOO_MANY = "TooManyConnections"
"""X's word in a 429 that waiting does not cure: it still counts another stream of the app."""
_WHY = {
    401: "X does not know our credentials (401): the bearer token is wrong or was revoked; make a new one at "
    "https://developer.x.com, `Keys and tokens`, and set x.bearer_token_file",
    402: "X wants to be paid (402): the account's credits are used up; buy more at https://developer.x.com",
    403: "X does not allow it (403): the app has no right to the filtered stream; check its project and plan at "
    "https://developer.x.com",
    409: "X has no rules for the stream (409): another program has deleted them; one app is for one listener only",
}


class _Found(msgspec.Struct):
    id: str
    value: str = ""
    tag: str = ""


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""
    details: list[str] = []
    value: str = ""

    @property
    def why(self) -> str:
        """X's reason: of a rule it stands in `details`."""
        return self.detail or ", ".join(self.details) or self.title


class _Rules(msgspec.Struct):
    data: list[_Found] = []
    errors: list[_Problem] = []


class _User(msgspec.Struct):
    data: _Found | None = None


_rules = msgspec.json.Decoder(_Rules)
_user = msgspec.json.Decoder(_User)


def require_credentials(settings: Settings) -> None:
    """Raise SettingsError where the listener has no bearer token, with the way to get one, or what is no credential."""
    if not settings.x.bearer():
        raise SettingsError(
            f"x.bearer_token is missing, so X would not let the listener in: {HOW_TO} the bearer token; put it into a "
            "file and set x.bearer_token_file, or TRIAGE_X__BEARER_TOKEN. For private messages set x.consumer_key and "
            "x.consumer_secret, and per brand x.access_token and x.access_token_secret. To try it without an account: "
            "`triage fake-x`, or `triage listen --follow posts.jsonl`"
        )
    for brand in (None, *settings.brands):
        access_of(settings, brand).checked()


def require_handles(settings: Settings) -> None:
    """Look the brands' handles up; where X does not answer now, it is asked again while it listens.

    Raises:
        SettingsError: X knows no account of a name; all such names are said.
    """
    api = XApi(access_of(settings), base_url=settings.x.base_url)
    try:
        handles = [handle for brand in settings.brands for handle in brand.handles]
        unknown = [f"@{handle}" for handle in handles if _read(_user, api.user(handle)).data is None]
    except (XError, BadMessage) as error:
        log.warning("the brands' handles cannot be looked up now: %s", error)
        return
    finally:
        api.close()
    if unknown:
        raise SettingsError(f"brands: X knows no account {', '.join(unknown)}: correct the handle, or take it out")


def access_of(settings: Settings, brand: Brand | None = None) -> Access:
    """The app's access, with the tokens of a brand's account where one is given."""
    return Access(settings.x.bearer(), *settings.x.consumer(), *(brand.x.tokens() if brand else ("", "")))


class XSource:
    """X's filtered stream for all brands of the settings."""

    name = "x"
    resumes = False

    def __init__(
        self,
        settings: Settings,
        api: XApi,
        metrics: ListenerMetrics,
        *,
        held: Callable[[], bool] = lambda: True,
    ) -> None:
        self._settings = settings
        self._held = held  # who has lost the lease must not end the stream of the next one
        self._freed = False  # since the last good answer: a second refusal in a row waits as X asks
        self._api = api
        self._metrics = metrics
        self._brands = Brands(settings.brands)
        self._wanted = rules(settings.brands)
        self._queries = rules(settings.brands, SEARCH_LENGTH)
        self._synced = False
        self._accounts: list[tuple[str, str]] | None = None
        self._lock = Lock()
        self._stream: Stream | None = None
        self._closed = False

    # The stream.

    def listen(self, heard: Heard, mark: str | None) -> Ending:
        """Bring the rules up to date, the first time, and read the stream until it ends."""
        del mark  # X has no place to go on from
        try:
            if not self._synced:
                self._sync()
        except (XError, BadMessage) as error:
            return _not_made(error)
        stream = Stream(
            access_of(self._settings),
            base_url=self._settings.x.base_url,
            stall_after_s=self._settings.listener.stall_after_s,
        )
        with self._lock:
            if self._closed:
                return Ending(None)
            self._stream = stream
        reading, line = self._metrics.reading, heard.line

        def on_line(raw: bytes) -> None:
            reading.came()
            line(raw, None)

        ended = stream.run(on_line, heard.alive, heard.opened)
        self._metrics.limit("stream", *ended.limit)
        if ended.status == 409:  # somebody has deleted our rules
            self._synced = False
        if ended.status == 200:
            self._freed = False
        return self._free(ended) or _ending(ended)

    def _free(self, ended: Ended) -> Ending | None:
        """End the stream that X still counts, such as that of a frozen listener; None: there is none, or it stays."""
        if ended.status != 429 or _TOO_MANY not in ended.detail or self._freed or not self._held():
            return None
        try:
            self.ask("connections", self._api.end_connections)
        except XError as error:
            log.warning("the stream that X still counts cannot be ended: %s", error)
            return None
        self._freed = True
        return Ending(Cause.CLOSED, f"{ended.detail}; the other stream of this app was ended")

    def close(self) -> None:
        """End the connection for good."""
        with self._lock:
            self._closed = True
        self.hang_up()

    def hang_up(self) -> None:
        """End the connection."""
        with self._lock:
            stream = self._stream
        if stream is not None:
            stream.close()

    # Its rules.

    def _sync(self) -> None:
        answer = self.ask("rules", self._api.rules)
        found = {rule.id: Rule(rule.value, rule.tag) for rule in _read(_rules, answer).data}
        change = difference(self._wanted, found)
        self._change(change, found)
        self._synced = True

    def _change(self, change: Difference, found: dict[str, Rule]) -> None:
        self._delete(change.delete_first, found)
        for some in _pieces(change.add):
            answer = self.ask("rules", lambda some=some: self._api.add_rules(some))  # type: ignore[misc]
            problems = [one for one in _read(_rules, answer).errors if one.title != "DuplicateRule"]
            if problems:
                said = "; ".join(f"{one.value}: {one.why}" for one in problems[:3])
                raise SettingsError(f"X does not take rules made from the settings: {said[:800]}")
            for rule in some:
                log.info("rule added, %s: %s", rule.tag, rule.value)
        self._delete(change.delete, found)

    def _delete(self, ids: Sequence[str], found: dict[str, Rule]) -> None:
        for some in _pieces(ids):
            self.ask("rules", lambda some=some: self._api.delete_rules(some))  # type: ignore[misc]
            for identity in some:
                log.info("rule deleted, %s: %s", found[identity].tag, found[identity].value)

    # What was missed.

    def search(self, gap: Gap, now: float) -> XSearch:
        """Recent search and mentions over a gap."""
        return XSearch(self, gap, now)

    def accounts(self) -> list[tuple[str, str]]:
        """The brands' accounts: user id and brand; X is asked once for the ids of handles.

        One that has vanished is left out: the other brands go on.

        Raises:
            XError: X does not answer.
        """
        if self._accounts is None:
            asked = [(self._look_up(handle), brand.name) for brand in self._settings.brands for handle in brand.handles]
            self._accounts = [(identity, name) for identity, name in asked if identity is not None]
        return self._accounts

    def user_id(self, handle: str) -> str:
        """The id of a handle.

        Raises:
            XRefused: there is no such account any more; it may come back.
            XError: X does not answer.
        """
        if (identity := self._look_up(handle)) is None:
            raise XRefused(404, f"X knows no account @{handle}: correct the handle, or take it out")
        return identity

    def _look_up(self, handle: str) -> str | None:
        found = _read(_user, self.ask("users", lambda: self._api.user(handle))).data
        if found is None:
            log.error("X knows no account @%s: correct the handle in `brands`, or take it out", handle)
        return None if found is None else found.id

    def ask(self, route: str, call: Callable[[], Answer]) -> Answer:
        """One request; what X says of its limit becomes a metric."""
        return ask(route, call, self._metrics)

    def page(self, ask: Ask, since: float, until: float | None) -> Answer:
        """One page of a sweep; what came after the gap was heard, and is not paid for again.

        Both ends are ids: X refuses ids together with times, and mentions take no beginning as a time.
        """
        since_id, token = str(first_id(since) - 1), ask.next_token
        until_id = None if until is None else str(first_id(until))
        look = self._api.mentions if ask.route is Route.MENTIONS else self._api.recent_search
        return self.ask(ask.route.value, lambda: look(ask.what, since_id=since_id, until_id=until_id, next_token=token))

    @property
    def queries(self) -> list[Rule]:
        """The rules, cut for search."""
        return self._queries

    @property
    def brands(self) -> Brands:
        """Those that it listens for."""
        return self._brands

    @property
    def metrics(self) -> ListenerMetrics:
        """Where what is read is counted."""
        return self._metrics


class XSearch:
    """One sweep of a gap; a post that several queries find has the tags of all of them."""

    def __init__(self, source: XSource, gap: Gap, now: float) -> None:
        self._source = source
        self._since, self._until = gap.reach(now)
        self._sweep: Sweep | None = None
        self._together = Together(source.brands)
        self.found: list[Taken] = []

    @property
    def read(self) -> int:
        """Posts that were read."""
        return 0 if self._sweep is None else self._sweep.read

    def step(self) -> bool:
        """Make one request; whether there are more."""
        if self._sweep is None:
            self._sweep = Sweep(self._source.queries, self._source.accounts())
        ask = self._sweep.next()
        if ask is not None:
            self._ask(ask, self._sweep)
        more = self._sweep.next() is not None
        if not more or len(self._together) > ENOUGH:
            self.found += self._together.in_order()
            self._together = Together(self._source.brands)
        return more

    def _ask(self, ask: Ask, sweep: Sweep) -> None:
        """One page; an account that has vanished since it was looked up has no mentions: searches go on."""
        try:
            answer = self._source.page(ask, self._since, self._until)
        except XRefused as error:
            if ask.route is not Route.MENTIONS or error.status != 404:
                raise
            log.error("mentions are left out of a sweep, %s: %s", ask.tag, error)  # noqa: TRY400 - a reason, no traceback
            sweep.skipped()
            return
        found = page(answer.body, [ask.tag])
        sweep.answered(found)
        self._source.metrics.reading.read(ask.route, found.ids)
        self._together.add(found.envelopes)


def _ending(ended: Ended) -> Ending:
    """In the listener's words."""
    detail, reset_at, status = ended.detail, ended.limit.reset_at, ended.status
    if ended.how is How.ASKED:
        return Ending(None)
    if ended.how is How.STATUS and status is not None:
        return _of_status(status, detail, reset_at)
    cause = {How.CLOSED: Cause.CLOSED, How.TIMEOUT: Cause.STALL, How.OPERATIONAL: Cause.IN_STREAM}.get(
        ended.how, Cause.DISCONNECT
    )
    return Ending(cause, detail, reached=status is not None)


def _read(decoder: msgspec.json.Decoder[T], answer: Answer) -> T:
    """What X answered.

    Raises:
        BadMessage: it is something else, such as a proxy's page.
    """
    try:
        return decoder.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(Reason.NOT_JSON, f"X's answer cannot be read: {error}") from error


def _not_made(error: TriageError) -> Ending:
    """The rules could not be brought up to date; that is no attempt to connect."""
    if isinstance(error, XLimited):
        return Ending(Cause.LIMITED, str(error), reset_at=error.reset_at, reached=False)
    if isinstance(error, XRefused | XFailing):
        return _of_status(error.status, str(error), None)._replace(reached=False)
    if isinstance(error, BadMessage):
        return Ending(Cause.UNAVAILABLE, error.detail, reached=False)
    return Ending(Cause.DISCONNECT, str(error), reached=False)


def _of_status(status: int, detail: str, reset_at: float | None) -> Ending:
    if status in (420, 429):
        return Ending(Cause.LIMITED, detail, reset_at=reset_at)
    if status >= 500 or status == 408:
        return Ending(Cause.UNAVAILABLE, detail)
    why = _WHY.get(status, f"X refuses the stream ({status})")
    return Ending(Cause.UNAVAILABLE, f"{why}. X said: {detail}"[:1500], refused=True)


def _pieces(all_of_them: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return [all_of_them[at : at + RULES_AT_ONCE] for at in range(0, len(all_of_them), RULES_AT_ONCE)]
