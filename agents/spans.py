"""Spans by OpenTelemetry, for whoever wants them: the one place that knows its library and its names.

The pure core carries the header and decides its ids (pipeline/traces.py); here spans are made of them when a record is
done, for sampled traces alone. No text, no key and no id of a post or a person is in them: topic, partition and offset
say which record it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipeline import traces
from pipeline.errors import SettingsError
from pipeline.outbox import Place
from pipeline.settings import Settings
from pipeline.triage import Record

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
"""The names below are those of this version; the messaging ones are in development and have moved before."""
SYSTEM = "messaging.system"
OPERATION = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION = "messaging.destination.name"
PARTITION = "messaging.destination.partition.id"
OFFSET = "messaging.kafka.offset"
GROUP = "messaging.consumer.group.name"
SERVICE, SERVICE_VERSION = "service.name", "service.version"
SEND, PROCESS = "send", "process"
"""Operations; a span is called by one of them and the topic."""
SERVICES = "tweet-triage"
CLOSE_WITHIN_MS = 2000
"""What a collector that does not answer has not taken by then is lost; a stop does not wait for it."""


class Spans:
    """Makes the spans of one program.

    Args:
        component: triage, responses, listener or poster.
        processor: takes them; it must not wait.
        group: the consumer group, for who reads.
    """

    def __init__(self, component: str, processor: SpanProcessor, *, group: str | None = None) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        found = version("tweet-triage")
        self._ids = _given_ids()
        about = Resource.create({SERVICE: f"{SERVICES}-{component}", SERVICE_VERSION: found})
        self._provider = TracerProvider(resource=about, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(SERVICES, found, schema_url=SCHEMA)
        self._onward = traces.onward(component, exporting=True)
        self._more: dict[str, str] = {} if group is None else {GROUP: group}
        self._lock = Lock()

    def sent(self, header: bytes | None, place: Place, began: float, ended: float) -> None:
        """A record that begins a trace is acknowledged; times in seconds since 1970."""
        ids = traces.read(header)
        if ids is not None and ids.sampled:
            self._make(SEND, ids, None, place, began, ended)

    def done(self, records: Iterable[Record], began: float, ended: float) -> None:
        """All that comes of records is acknowledged."""
        for record in records:
            header = traces.of(record.headers)
            if header is not None and traces.is_sampled(header):
                self.processed(header, Place(record.topic, record.partition, record.offset), began, ended)

    def processed(self, header: bytes | None, place: Place, began: float, ended: float) -> None:
        """All that comes of one record is acknowledged."""
        parent = traces.read(header)
        if header is None or parent is None or not parent.sampled:
            return
        ids = traces.read(self._onward(header))
        assert ids is not None, "it can be read as what it was made of"
        self._make(PROCESS, ids, parent, place, began, ended)

    async def start(self) -> None:
        """Nothing: the collector may be away."""

    async def stop(self) -> None:
        """Hand over what is left."""
        self.close()

    def close(self) -> None:
        """The same for programs without an event loop."""
        self._provider.force_flush(CLOSE_WITHIN_MS)
        self._provider.shutdown()

    def _make(
        self, what: str, ids: traces.Ids, parent: traces.Ids | None, place: Place, began: float, ended: float
    ) -> None:
        from opentelemetry.trace import SpanKind

        attributes: Mapping[str, Any] = {
            SYSTEM: "kafka", OPERATION: what, OPERATION_TYPE: what, DESTINATION: place.topic,
            PARTITION: str(place.partition), OFFSET: place.offset, **self._more,
        }  # fmt: skip
        kind = SpanKind.PRODUCER if what == SEND else SpanKind.CONSUMER
        with self._lock:
            self._ids.trace, self._ids.span = int(ids.trace, 16), int(ids.span, 16)
            span = self._tracer.start_span(
                f"{what} {place.topic}", _context(parent), kind, attributes, start_time=_ns(began)
            )
        span.end(_ns(ended))


def spans(settings: Settings, component: str, *, group: str | None = None) -> Spans | None:
    """Those of a program, exported by OTLP over HTTP; None where settings want none.

    Raises:
        SettingsError: they are wanted and OpenTelemetry is not installed.
    """
    endpoint = settings.traces.otlp_endpoint
    if endpoint is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise SettingsError(f"traces.otlp_endpoint needs OpenTelemetry: pip install .[otel] ({error})") from error
    return Spans(component, BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)), group=group)


def _given_ids() -> Any:
    """An id generator that gives what it is told to."""
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    class Given(IdGenerator):
        trace = span = 0

        def generate_trace_id(self) -> int:
            return self.trace

        def generate_span_id(self) -> int:
            return self.span

    return Given()


def _context(parent: traces.Ids | None) -> Any:
    """The parent's; without one an empty context, in which the ids alone begin a trace."""
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    if parent is None:
        return Context()
    flags = TraceFlags(TraceFlags.SAMPLED)
    found = SpanContext(int(parent.trace, 16), int(parent.span, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(found), Context())


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
