"""Spans: made of headers, by OpenTelemetry's names; and a post's trace from X to its queue on the real broker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from x_listening import until

from agents import clients, spans, topics
from agents.spans import Spans
from pipeline import traces
from pipeline.errors import SettingsError
from pipeline.outbox import Place
from pipeline.settings import Settings
from pipeline.topics import DEAD, QUEUE_TOPICS, RESPONSES, TWEETS
from pipeline.traces import TRACE_HEADER

SAMPLED = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def record(offset: int, *headers: tuple[str, bytes]) -> Any:
    """A record of `tweets`."""
    return SimpleNamespace(topic="tweets", partition=3, offset=offset, headers=headers)


def test_spans_are_made_of_headers() -> None:
    """The sender's has the header's id, the reader's is its child; an unsampled trace has none."""
    export = pytest.importorskip("opentelemetry.sdk.trace.export", reason="the extra otel is not installed")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter").InMemorySpanExporter()
    made = Spans("triage", export.SimpleSpanProcessor(memory), group="g")

    made.sent(SAMPLED, Place("tweets", 3, 41), 1.0, 1.5)
    made.sent(SAMPLED[:-1] + b"0", Place("tweets", 3, 42), 1.0, 1.5)
    made.done([record(41, (TRACE_HEADER, SAMPLED)), record(42), record(43, (TRACE_HEADER, b"x" * 54 + b"1"))], 2.0, 2.5)
    made.close()

    sent, done = memory.get_finished_spans()
    assert ["send tweets", "process tweets"] == [sent.name, done.name]
    assert (0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7) == (sent.context.trace_id, sent.context.span_id)
    assert sent.parent is None
    assert (sent.context.trace_id, sent.context.span_id) == (done.context.trace_id, done.parent.span_id)
    assert traces.onward("triage", exporting=True)(SAMPLED)[36:52] == b"%016x" % done.context.span_id
    assert (2_000_000_000, 2_500_000_000) == (done.start_time, done.end_time)
    assert {
        "messaging.system": "kafka", "messaging.operation.name": "process", "messaging.operation.type": "process",
        "messaging.destination.name": "tweets", "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 41, "messaging.consumer.group.name": "g",
    } == dict(done.attributes)  # fmt: skip
    assert "tweet-triage-triage" == done.resource.attributes["service.name"]


def test_the_names_are_opentelemetrys() -> None:
    """Of the version that the schema's address states; when they move, they move in one file."""
    names = pytest.importorskip("opentelemetry.semconv._incubating.attributes.messaging_attributes")
    schemas = pytest.importorskip("opentelemetry.semconv.schemas")
    published = {value for name, value in vars(names).items() if name.startswith("MESSAGING_")}

    used = {spans.SYSTEM, spans.OPERATION, spans.OPERATION_TYPE, spans.DESTINATION, spans.PARTITION, spans.OFFSET}

    assert used | {spans.GROUP} <= published
    assert spans.SCHEMA in {one.value for one in schemas.Schemas}


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start; and without an endpoint nothing is needed."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    settings = Settings.model_validate({"traces": {"otlp_endpoint": "http://127.0.0.1:1/v1/traces"}})

    assert spans.spans(Settings(), "triage") is None
    with pytest.raises(SettingsError, match=r"pip install \.\[otel\]"):
        spans.spans(settings, "triage")


def test_who_wants_no_spans_imports_nothing() -> None:
    """The worker runs without the extra: the header is carried by the core."""
    code = "import sys, agents.app, agents.listener, agents.poster; print('opentelemetry' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False\n" == done.stdout


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """Where spans go: its address, and what has come."""
    found: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", found
    server.shutdown()
    server.server_close()


@contextmanager
def running(file: Path, *command: str) -> Iterator[None]:
    """A program, ended in good order."""
    process = subprocess.Popen([sys.executable, "-m", "agents", "-s", str(file), *command])
    try:
        yield
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(40)
    finally:
        process.kill()


def written(settings: Settings, *names: str) -> list[Any]:
    """All records of topics."""
    consumer = clients.consumer(settings.kafka)
    found = [record for name in names for record in clients.stored(consumer, settings.topics.name(name))]
    consumer.close()
    return found


def trace_of(one: Any) -> str:
    """A record's trace id."""
    ids = traces.read(traces.of(one.headers))
    assert ids is not None, one.topic
    return ids.trace


def test_a_posts_trace_stands_in_its_queue(settings: Settings, tmp_path: Path) -> None:
    """From the listener by triage to responses, and to the dead letters; each program's span is child of the last."""
    trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    posts = [{"id": str(n), "text": f"@Acme where is my order {n}", "author_id": f"7{n}"} for n in range(3)]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps(post) + "\n" for post in posts) + "{broken\n")
    with collector() as (address, exported), ExitStack() as stack:
        file = _file(settings, tmp_path, address)
        for command in (("listen", "--follow", str(tmp_path / "posts.jsonl")), ("worker",), ("responses",)):
            stack.enter_context(running(file, *command))
        until(lambda: len(written(settings, RESPONSES)) == 3, "three turns are open", 90)
        until(lambda: len(written(settings, DEAD)) == 1, "the broken one is told")
    begun = {record.value: trace_of(record) for record in written(settings, TWEETS)}
    routed = {json.loads(record.value)["text"][-1]: trace_of(record) for record in written(settings, *QUEUE_TOPICS)}

    assert {post["id"]: begun[json.dumps(post).encode()] for post in posts} == routed
    assert set(routed.values()) == {trace_of(record) for record in written(settings, RESPONSES)}
    assert [begun[b"{broken"]] == [trace_of(record) for record in written(settings, DEAD)]
    requests = [trace_service.ExportTraceServiceRequest.FromString(one) for one in exported]
    scopes = [scope for one in requests for some in one.resource_spans for scope in some.scope_spans]
    chain = {
        span.name.replace(settings.topics.prefix, ""): span
        for scope in scopes
        for span in scope.spans
        if span.trace_id.hex() == routed["0"]
    }
    assert ["process queue.reactive", "process tweets", "send tweets"] == sorted(chain)
    assert chain["process tweets"].parent_span_id == chain["send tweets"].span_id
    assert chain["process queue.reactive"].parent_span_id == chain["process tweets"].span_id


def _file(settings: Settings, folder: Path, address: str) -> Path:
    content = {
        "brands": [{"name": "acme", "handles": ["Acme"]}],
        "kafka": {"bootstrap_servers": list(settings.kafka.bootstrap_servers)},
        "topics": {"prefix": settings.topics.prefix, "partitions": settings.topics.partitions},
        "worker": {"group": f"g{settings.topics.prefix[1:-1]}"},
        "responses": {"group": f"r{settings.topics.prefix[1:-1]}"},
        "listener": {"spill": {"folder": str(folder / "spill")}},
        "metrics": {"port": 0},
        "traces": {"sampled": 1.0, "otlp_endpoint": address},
    }
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(content))
    topics.create(Settings.model_validate(content))
    return path
