"""Logs: one form for all, JSON or lines; no secret, no text of posts, no user's id."""

from __future__ import annotations

import ast
import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents import logs
from agents.x_secrets import STARS, redact
from pipeline import traces
from pipeline.errors import SettingsError

ALWAYS = {"ts", "level", "logger", "event", "component", "version"}
PRIVATE = {"text", "author", "author_id", "customer", "external_id", "handle", "user_id", "username"}
"""What posts and people are called by."""
LOUD = {"info", "warning", "error", "critical", "exception"}
SECRET = 'our "hush" token'


class Terminal(io.StringIO):
    """What people look at."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is as it was when a test is over."""
    root, factory, hooks = logging.root, logging.getLogRecordFactory(), (sys.excepthook, threading.excepthook)
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in ("", "kafka", logs.SAYS)}
    yield
    root.handlers[:], logs._Said.as_json = handlers, False
    sys.excepthook, threading.excepthook = hooks
    logging.setLogRecordFactory(factory)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was logged."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("command", "stream", "environment", "expected"),
    [
        ("worker", io.StringIO(), {}, True),
        ("worker", Terminal(), {}, False),
        ("worker", io.StringIO(), {"TRIAGE_LOG_FORMAT": "console"}, False),
        ("worker", Terminal(), {"TRIAGE_LOG_FORMAT": "json"}, True),
        ("topics", io.StringIO(), {}, False),
    ],
    ids=["a program", "on a terminal", "console wanted", "json wanted", "a command"],
)
def test_the_form(command: str, stream: io.StringIO, environment: dict[str, str], expected: bool) -> None:
    """JSON where no terminal is, for what runs on; lines for people else; and whatever is asked for."""
    logs.set_up(command, stream=stream, environment=environment)

    logging.getLogger("some").warning("it is late")

    assert expected == stream.getvalue().startswith("{")
    assert "it is late" in stream.getvalue()


@pytest.mark.parametrize("variable", ["TRIAGE_LOG_FORMAT", "TRIAGE_LOG_LEVEL"])
def test_what_there_is_not_is_refused(variable: str) -> None:
    """With the name of the variable."""
    with pytest.raises(SettingsError, match=variable):
        logs.set_up("worker", stream=io.StringIO(), environment={variable: "loud"})


@pytest.mark.parametrize("name", ["agents.worker", "faust.transport", "mode", "aiokafka.consumer", "kafka", "tweepy"])
def test_every_line_has_the_same_fields(name: str) -> None:
    """Ours and the libraries'; what a line adds stands beside them, and level and component are words."""
    stream = io.StringIO()
    logs.set_up("listen", stream=stream, environment={"TRIAGE_LOG_LEVEL": "INFO"})

    logging.getLogger(name).info("%d records of %s", 3, "tweets", extra={"topic": "tweets", "partition": 4})

    [line] = lines(stream)
    assert ALWAYS | {"topic", "partition"} == set(line)
    assert ("info", name, "listener") == (line["level"], line["logger"], line["component"])
    assert ("3 records of tweets", "tweets", 4) == (line["event"], line["topic"], line["partition"])
    assert line["ts"].endswith("Z")


def test_what_a_program_says_is_a_line_too() -> None:
    """Whatever the level, so that all of standard error can be parsed; and so is why it broke down."""
    stream = io.StringIO()
    logs.set_up("post", stream=stream, environment={})

    logs.say("ready")
    logs.say("triage: no broker", logging.ERROR)
    try:
        os.environ["GONE"]
    except LookupError as error:
        sys.excepthook(KeyError, error, error.__traceback__)

    ready, failed, broken = lines(stream)
    assert ("info", "ready", "poster") == (ready["level"], ready["event"], ready["component"])
    assert ("error", "triage: no broker") == (failed["level"], failed["event"])
    assert "KeyError: 'GONE'" in broken["exception"]


def test_people_read_what_is_said_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal nothing stands before it."""
    logs.set_up("worker", stream=Terminal(), environment={})

    logs.say("ready")

    assert "ready\n" == capsys.readouterr().err


def test_a_line_inside_a_trace_names_it() -> None:
    """By the ids of the header; outside there are none."""
    stream, header = io.StringIO(), traces.begin(1.0)
    logs.set_up("post", stream=stream, environment={})

    with traces.going_on(header):
        logging.getLogger("any").warning("inside")
    logging.getLogger("any").warning("outside")

    inside, outside = lines(stream)
    assert header == f"00-{inside['trace_id']}-{inside['span_id']}-01".encode()
    assert ALWAYS == set(outside)


@pytest.mark.parametrize("form", list(logs.Form))
def test_secrets_are_blanked_last(form: logs.Form, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the message, in what is beside it, in a traceback: whatever was put in, the finished line has none."""
    monkeypatch.setattr(redact, "_known", redact._known)
    monkeypatch.setattr(redact, "_pattern", redact._pattern)
    redact.add([SECRET])
    stream = io.StringIO()
    logs.set_up("listen", stream=stream, environment={"TRIAGE_LOG_FORMAT": form.value})

    try:
        float(SECRET)
    except ValueError:
        logging.getLogger("any").exception("%s", SECRET, extra={"topic": SECRET, "headers": {"a": SECRET}})

    assert STARS in stream.getvalue()
    assert "hush" not in stream.getvalue()


@pytest.mark.parametrize("form", list(logs.Form))
def test_a_thread_that_breaks_down_tells_no_secret(
    form: logs.Form, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its traceback is a line of the log as any other, with the thread's name; nothing goes past it."""
    monkeypatch.setattr(redact, "_known", redact._known)
    monkeypatch.setattr(redact, "_pattern", redact._pattern)
    redact.add([SECRET])
    stream = io.StringIO()
    logs.set_up("listen", stream=stream, environment={"TRIAGE_LOG_FORMAT": form.value})

    for target in (lambda: float(SECRET), sys.exit):
        thread = threading.Thread(target=target, name="stream")
        thread.start()
        thread.join()
    sys.excepthook(ValueError, ValueError(SECRET), None)

    said = stream.getvalue()
    assert ["stream broke down", "it broke down"] == re.findall(r"\w+ broke down", said)
    assert 2 == said.count(f"ValueError: {STARS}") + said.count(f"to float: '{STARS}")
    assert "hush" not in said + capsys.readouterr().err


def test_no_line_names_text_or_people() -> None:
    """Looked up in the source: no call that is seen at INFO is given an attribute of that kind."""
    root, found = Path(__file__).parents[1], []
    for path in [file for folder in ("agents", "pipeline", "models") for file in (root / folder).glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOUD:
                given = {one.attr for part in node.args for one in ast.walk(part) if isinstance(one, ast.Attribute)}
                found += [f"{path.name}:{node.lineno} {name}" for name in given & PRIVATE]

    assert found == []


def test_a_library_does_not_flood_the_log() -> None:
    """One line in ten seconds of each kind, with how many there were; all of our own."""
    now = [0.0]
    sparing = logs.Sparing(lambda: now[0])

    def said(name: str) -> list[str]:
        records = [
            logging.LogRecord(name, logging.ERROR, "", 0, "cannot reach %s", (node,), None) for node in range(500)
        ]
        return [record.getMessage() for record in records if sparing.filter(record)]

    first, again = said("aiokafka.client"), said("aiokafka.client")
    now[0] = 10.0
    later = said("aiokafka.client")

    assert (["cannot reach 0"], []) == (first, again)
    assert ["cannot reach 0 (and 999 more like it since the last one)"] == later
    assert 500 == len(said("agents.sender"))
