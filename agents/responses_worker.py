"""`triage responses`: checks everything, then keeps the clocks until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from time import time
from typing import Any

from aiokafka import AIOKafkaConsumer
from faust.types import TP
from prometheus_client import CollectorRegistry, disable_created_metrics

from agents import clients, topics
from agents.app import App, new_app
from agents.backlogs import Backlogs
from agents.books import Books
from agents.fetch import Fetcher
from agents.hashed import hashed
from agents.health import Answer
from agents.pulse import Pulse
from agents.responses import Parts, Responses
from agents.sender import Sender
from agents.spans import spans
from agents.worker import run
from pipeline.bookkeeping import Bookkeeper
from pipeline.brands import OTHER
from pipeline.errors import TopicsError
from pipeline.facts import QUEUES
from pipeline.policies import Policies
from pipeline.posts_clock import PostsClock
from pipeline.response_metrics import ResponseMetrics
from pipeline.settings import Settings
from pipeline.topics import CONVERSATIONS, HEARD_TOPICS, RESPONSES, RESPONSES_TOPICS
from pipeline.waits import Waits


class ResponsesApp(App):
    """The app of one responses worker."""

    co_partitioned = True
    books: Books
    responses: Responses

    async def rest(self) -> None:
        """Let the clock stand still between two ticks, so that none is told of and not kept."""
        await self.responses.rest()

    def ready(self) -> Answer:
        """For /readyz: the state of our partitions is read."""
        answer = super().ready()
        if answer.fine and not self.books.all_read():
            return Answer(fine=False, why="the state of our partitions is being read")
        return answer


def run_responses(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Check, then keep the clocks until SIGTERM or SIGINT.

    Raises:
        TopicsError, BrokerError: something is not as it must be before the first record.
        TooManyDead: so much is broken that the worker stopped by itself.
        StoodStill, Overwritten: others have this worker's partitions; start it again.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter that nobody asks for
    topics.require(settings, RESPONSES_TOPICS)
    run(lambda: create_responses_app(settings, CollectorRegistry()), say)


def create_responses_app(
    settings: Settings, registry: CollectorRegistry, *, clock: Callable[[], float] = time
) -> ResponsesApp:
    """The app of one responses worker: one agent on all topics that tell what happened."""
    policies = Policies(settings)
    metrics = ResponseMetrics(registry, settings, _wanted(settings, policies))
    app = new_app(settings, settings.responses.group, metrics, kind=ResponsesApp)
    pulse = Pulse(settings.worker.session_timeout_s * 0.75, app.fail)  # one heartbeat may be that old already
    retried = metrics.retries.labels("produce").inc
    sender = Sender(clients.aiokafka(settings.kafka), on_retry=retried, may_send=pulse.check)
    thread = ThreadPoolExecutor(1, thread_name_prefix="books")
    fetcher = Fetcher(lambda: _consumer(settings))
    app.books = _books(settings, policies, metrics, fetcher, thread, app.fail)
    names = {settings.topics.name(topic): topic for topic in HEARD_TOPICS}
    topics_ = settings.topics
    keeper = Bookkeeper(
        policies, names, topics_.partitions, hashed, exporting=settings.traces.exported, grown=topics_.grown
    )
    backlogs = Backlogs(settings, sender, fetcher, metrics)
    made = spans(settings, "responses", group=settings.responses.group)
    app.responses = Responses(
        settings,
        Parts(keeper, app.books, sender, fetcher, backlogs, metrics, thread, made),
        place_of=lambda topic, partition: _place(app, TP(topic, partition)),
        clock=clock,
        on_stop=app.fail,
    )
    app.edges += [*([made] if made is not None else []), sender, pulse, fetcher, app.books, app.responses]
    _connect(app, app.responses, list(names))
    return app


def _books(
    settings: Settings,
    policies: Policies,
    metrics: ResponseMetrics,
    fetcher: Fetcher,
    thread: ThreadPoolExecutor,
    on_stop: Callable[[BaseException], None],
) -> Books:
    clock, responses = PostsClock(), settings.topics.name(RESPONSES)
    return Books(
        lambda: Waits(policies, clock),
        lambda: _consumer(settings),
        settings.topics.name(CONVERSATIONS),
        lambda partition, first: fetcher.between(responses, partition, first),
        thread,
        standby=range(settings.topics.partitions) if settings.responses.standby else (),
        on_stop=on_stop,
        recovering=metrics.recovering,
        seconds=metrics.recovery_seconds,
    )


def _connect(app: ResponsesApp, responses: Responses, names: list[str]) -> None:
    """One stream for all topics, so that their batches come in one order; and the books follow the partitions."""
    channel = app.topic(*names, value_serializer="raw", key_serializer="raw")

    @app.agent(channel, name="responses", concurrency=1)
    async def _(stream: Any) -> None:
        await responses.run(stream)

    @app.on_partitions_revoked.connect
    async def _(*_: Any, **__: Any) -> None:
        app.books.revoke(clean=responses.idle)

    @app.on_partitions_assigned.connect
    async def _(*arguments: Any, **_: Any) -> None:
        responses.assigned()
        try:
            app.books.assign(_partitions(arguments[1]))
        except TopicsError as error:
            app.fail(error)


def _partitions(assigned: Iterable[TP]) -> set[int]:
    """The numbers of our partitions, which are the same of every topic: a customer's records belong to one worker.

    Raises:
        TopicsError: they are not; another program, or another version, is in our group.
    """
    topics: dict[str, set[int]] = {}
    for tp in assigned:
        topics.setdefault(tp.topic, set()).add(tp.partition)
    found = set().union(*topics.values())
    if any(numbers != found for numbers in topics.values()):
        raise TopicsError(
            "this worker was given other partitions of one topic than of another: something else is in its group; "
            "give the responses workers a group of their own (responses.group)"
        )
    return found


def _place(app: ResponsesApp, tp: TP) -> tuple[int, int | None]:
    consumer: Any = app.consumer
    return consumer.done_until(tp), consumer.highwater(tp)


def _wanted(settings: Settings, policies: Policies) -> list[tuple[str, str]]:
    """Brands with the queues that want an answer."""
    names = [*(brand.name for brand in settings.brands), OTHER.name]
    return [(name, QUEUES[queue].value) for name in names for queue in sorted(policies(name).wanted)]


def _consumer(settings: Settings) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **clients.aiokafka(settings.kafka),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_wait_ms=100,
    )
