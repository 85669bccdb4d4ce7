"""`triage listen`: checks everything, waits for the lease, and listens while it has it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from threading import Event
from types import FrameType

from prometheus_client import CollectorRegistry, disable_created_metrics

from agents import clients, topics
from agents.checking import Checking
from agents.errands import Errand
from agents.follower import Follower
from agents.health import Answer, HealthServer
from agents.lease import Lease
from agents.reading import DirectMessages, OwnTimeline
from agents.session import Outside, Session, Tools
from agents.sources import Source
from agents.spans import Spans, spans
from agents.states import State, states
from agents.x_api import XApi
from agents.x_source import XSource, access_of, require_credentials, require_handles
from pipeline.backoff import Backoff
from pipeline.brands import Brands
from pipeline.clocks import Clock, SystemClock
from pipeline.listener_metrics import ListenerMetrics
from pipeline.rules import SEARCH_LENGTH, rules
from pipeline.settings import Brand, Settings
from pipeline.topics import CONVERSATIONS, LISTENER_LEASE, LISTENER_STATE, MESSAGES, RETRACTIONS, TWEETS

LISTENER_TOPICS = (TWEETS, MESSAGES, RETRACTIONS, CONVERSATIONS, LISTENER_STATE, LISTENER_LEASE)
"""What it reads and writes, and so checks before it connects."""
STUCK_AFTER_S = 60.0


class Listener:
    """One instance: active while it has the lease, else waiting for it.

    Args:
        settings: all of them.
        follow: a file to be followed instead of X.
        metrics: where it counts.
        clock: tells the time of posts, gaps and waits.
        say: takes lines for people.
        spans: takes those of what is read.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        follow: Path | None,
        metrics: ListenerMetrics,
        clock: Clock,
        say: Callable[[str], None],
        spans: Spans | None = None,
    ) -> None:
        self._settings = settings
        self._follow = follow
        self._metrics = metrics
        self._clock = clock
        self._say = say
        self._spans = spans
        self._lease = Lease(settings)
        self._session: Session | None = None

    def run(self, stopping: Event) -> None:
        """Until `stopping` is set.

        Raises:
            SettingsError: the source will not let us in as things are.
            BrokerError, TopicsError: Kafka does not take, or give, what it must.
        """
        self._lease.start()
        self._say("waiting for the lease: one listener at a time is active")
        backoff: Backoff | None = None
        try:
            while not stopping.is_set():
                if self._lease.held():
                    backoff = self._hold(stopping, backoff)
                else:
                    self._lease.held_event.wait(0.1)
        finally:
            self._lease.stop()

    def healthy(self) -> Answer:
        """For /healthz: its threads go on."""
        session = self._session
        if not self._lease.alive:
            return Answer(fine=False, why="the lease is not asked for")
        if session is not None and self._clock.monotonic() - session.outlet.beat > STUCK_AFTER_S:
            return Answer(fine=False, why="the sending thread stands still")
        return Answer(fine=True, why="fine")

    def ready(self) -> Answer:
        """For /readyz: it listens, or would at once."""
        session = self._session
        if session is None:
            return Answer(fine=True, why="waiting: another listener is active")
        given_up = "".join(f"; {name} is given up: {why}" for name, why in session.errands.given_up.items())
        if not session.listening.connected:
            return Answer(fine=False, why=f"not connected{given_up}")
        return Answer(fine=True, why=f"listening{given_up}")

    def _hold(self, stopping: Event, backoff: Backoff | None) -> Backoff:
        self._metrics.active(True)
        api = XApi(access_of(self._settings), base_url=self._settings.x.base_url)
        apis: list[XApi] = [api]
        source: Source
        errands: Callable[[Tools], list[Errand]]
        if self._follow is not None:
            source, errands = Follower(self._follow, self._clock), _none
        else:
            x = XSource(self._settings, api, self._metrics, held=self._lease.held)
            source, errands = x, lambda tools: self._x_errands(x, api, apis, tools)
        outside = Outside(self._settings, source, errands, self._metrics, self._clock, self._say, self._spans)
        session = Session(outside, backoff)
        self._session = session
        try:
            session.run(lambda: stopping.is_set() or not self._lease.held())
        finally:
            self._session = None
            backoff = session.close(held=self._lease.held())
            self._metrics.active(False)
            for one in apis:
                one.close()
        if session.error is not None:
            raise session.error
        if not stopping.is_set():
            self._say("the lease went to another listener: waiting")
        return backoff

    # What is done beside the stream, with X.

    def _x_errands(self, source: XSource, api: XApi, apis: list[XApi], tools: Tools) -> list[Errand]:
        made: list[Errand] = [self._checking(api, tools)]
        for brand in self._settings.brands:
            made += [self._timeline(source, api, brand, handle, tools) for handle in brand.handles]
            if all(brand.x.tokens()) and all(self._settings.x.consumer()):
                user = XApi(access_of(self._settings, brand), base_url=self._settings.x.base_url)
                apis.append(user)
                made.append(self._messages(source, user, brand, tools))
            elif brand.handles:
                self._say(
                    f"private messages of {brand.name} are not read: set x.consumer_key and x.consumer_secret, and the "
                    "brand's x.access_token and x.access_token_secret, from the app's page `Keys and tokens`"
                )
        return made

    def _messages(self, source: XSource, user: XApi, brand: Brand, tools: Tools) -> Errand:
        limits = self._settings.listener

        def own() -> set[str]:
            return {identity for identity, name in source.accounts() if name == brand.name} | set(brand.ids)

        return DirectMessages(
            brand.name,
            lambda token: user.dm_events(next_token=token),
            own,
            self._metrics,
            every_s=limits.dm_every_s,
            mark=_mark(tools, f"dm/{brand.name}"),
            first_look_back_s=limits.first_look_back_s,
            outlet=tools.outlet,
            clock=self._clock,
            write=tools.state.checkpoint,
        )

    def _timeline(self, source: XSource, api: XApi, brand: Brand, handle: str, tools: Tools) -> Errand:
        limits = self._settings.listener
        ids: list[str] = []

        def user_id() -> str:
            if not ids:
                ids.append(source.user_id(handle))
            return ids[0]

        return OwnTimeline(
            handle.lower(),
            brand.name,
            lambda since, token: api.timeline(user_id(), since_id=since, next_token=token),
            source.brands,
            self._metrics,
            every_s=limits.timeline_every_s,
            mark=_mark(tools, f"timeline/{handle.lower()}"),
            first_look_back_s=limits.first_look_back_s,
            outlet=tools.outlet,
            clock=self._clock,
            write=tools.state.checkpoint,
        )

    def _checking(self, api: XApi, tools: Tools) -> Errand:
        last = tools.marks.get(Checking.name)
        return Checking(
            states=self._states,
            call=api.posts,
            outlet=tools.outlet,
            brands=Brands(self._settings.brands),
            metrics=self._metrics,
            clock=self._clock,
            every_s=self._settings.listener.check_every_s,
            everything=self._settings.listener.check_all,
            since=None if last is None else last.whole_until,
            write=tools.state.checkpoint,
        )

    def _states(self) -> list[State]:
        consumer = clients.consumer(self._settings.kafka)
        try:
            return states(consumer, self._settings)
        finally:
            consumer.close()


def _none(_tools: Tools) -> list[Errand]:
    return []


def _mark(tools: Tools, name: str) -> str | None:
    found = tools.marks.get(name)
    return None if found is None else found.mark


def check(settings: Settings, follow: Path | None) -> None:
    """All that can be checked before the first record.

    Raises:
        SettingsError: credentials are missing, there is nothing to listen for, X knows no such handle, or no file.
        TopicsError, BrokerError: the topics are not as declared, or no broker answers.
    """
    if follow is None:
        require_credentials(settings)
        rules(settings.brands)
        rules(settings.brands, SEARCH_LENGTH)  # else who takes over finds out
    topics.require(settings, LISTENER_TOPICS)
    if follow is None:
        require_handles(settings)


def run_listener(
    settings: Settings, *, follow: Path | None, say: Callable[[str], None], clock: Clock | None = None
) -> None:
    """Check, then listen until SIGTERM or SIGINT; `clock` is the machine's, unless another one is given.

    Raises:
        SettingsError, TopicsError, BrokerError: something is not as it must be.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter that nobody asks for
    check(settings, follow)
    clock = clock or SystemClock()
    metrics = ListenerMetrics(CollectorRegistry(), settings.listener.prices, clock.now)
    metrics.build.info({"version": version("tweet-triage")})
    made = spans(settings, "listener")
    listener = Listener(settings, follow=follow, metrics=metrics, clock=clock, say=say, spans=made)
    health = HealthServer(
        settings.metrics.host, settings.metrics.port, metrics.registry, healthy=listener.healthy, ready=listener.ready
    )
    health.start()
    say(f"{'the port is taken: ' if health.moved else ''}metrics on {health.address}/metrics")
    try:
        with _signals() as stopping:
            listener.run(stopping)
    finally:
        health.stop()
        if made is not None:
            made.close()


@contextmanager
def _signals() -> Iterator[Event]:
    """SIGTERM and SIGINT set the event: what was read goes to Kafka before the end."""
    stopping = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
