"""Logs, set up once for every program: our lines and the libraries', as JSON for machines or as lines for people.

Everything goes through the standard library's loggers and the one handler made here, to standard error. What a program
says of itself (`say`) is a line of the log too where logs are JSON, so that every line there can be parsed. No text of
posts and no user's id is logged at INFO or above; secrets are blanked last of all, in the finished line.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from importlib.metadata import version
from time import monotonic
from types import TracebackType
from typing import Any, TextIO

from agents.x_secrets import Record, redact
from pipeline import traces
from pipeline.errors import SettingsError

PROGRAMS = {"worker": "triage", "responses": "responses", "listen": "listener", "post": "poster"}
"""By command that runs until it is told to stop: the component's name in logs, metrics and traces."""
LINES = "%(asctime)s %(levelname)s %(name)s %(message)s"
SAYS = "triage"
"""The logger of what a program says of itself, whatever the level of all others."""
log = logging.getLogger(SAYS)


class Form(StrEnum):
    """TRIAGE_LOG_FORMAT."""

    JSON = "json"
    CONSOLE = "console"


class _Said:
    """Whether what is said is logged."""

    as_json = False


def set_up(command: str, *, stream: TextIO | None = None, environment: Mapping[str, str] = os.environ) -> None:
    """Say where logs go and in which form: TRIAGE_LOG_LEVEL, TRIAGE_LOG_FORMAT.

    Raises:
        SettingsError: there is no such form or level.
    """
    stream = stream or sys.stderr
    level = environment.get("TRIAGE_LOG_LEVEL")
    form = _form(command, environment.get("TRIAGE_LOG_FORMAT"), terminal=stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.addFilter(Sparing())
    handler.setFormatter(json_lines(PROGRAMS.get(command, command)) if form is Form.JSON else Lines(LINES))
    logging.setLogRecordFactory(Record)
    logging.root.handlers[:] = [handler]
    try:
        logging.root.setLevel((level or "WARNING").upper())
    except ValueError as error:
        raise SettingsError(f"TRIAGE_LOG_LEVEL={level}: use DEBUG, INFO, WARNING or ERROR") from error
    # What kafka-python's clients cannot do comes back as an error, and is said in one line.
    logging.getLogger("kafka").setLevel(logging.CRITICAL if level is None else logging.NOTSET)
    _Said.as_json = form is Form.JSON
    if _Said.as_json:
        log.setLevel(logging.INFO)
    sys.excepthook, threading.excepthook = _broke_down, _thread_broke_down


def say(line: str, level: int = logging.INFO) -> None:
    """A line for whoever runs the program."""
    if _Said.as_json:
        log.log(level, "%s", line)
    else:
        print(line, file=sys.stderr, flush=True)


class Sparing(logging.Filter):
    """Of what a library says again and again, one line in ten seconds, which says how many there were.

    Kafka's clients have thousands a second to say while a broker is away. Our own lines all go through.
    """

    EVERY_S = 10.0
    KINDS = 1_000
    OURS = ("agents", "models", "pipeline", SAYS)

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is said."""
        if record.levelno < logging.WARNING or record.name.partition(".")[0] in self.OURS:
            return True
        what, now = (record.name, str(record.msg)[:200]), self._clock()
        said_at, held_back = self._said.get(what, (-self.EVERY_S, 0))
        if now - said_at < self.EVERY_S:
            self._said[what] = said_at, held_back + 1
            return False
        if len(self._said) > self.KINDS:
            self._said.clear()
        self._said[what] = now, 0
        if held_back:
            record.msg = f"{record.msg} (and {held_back} more like it since the last one)"
        return True


class Lines(logging.Formatter):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Without secrets."""
        return redact(super().format(record))


def json_lines(component: str) -> logging.Formatter:
    """A formatter that makes a JSON object of each record.

    Fields: ts (RFC 3339, UTC), level, logger, event, component, version; trace_id and span_id inside a trace; topic,
    partition and others where a line names them (`extra=`); exception where there is one.
    """
    from structlog import processors, stdlib  # costs a fifth of a second: not for `triage --help`

    always = {"component": component, "version": version("tweet-triage")}

    def about(_logger: Any, _name: str, event: Any) -> Any:
        return {**event, **always, **traces.fields()}

    return stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            stdlib.add_log_level,
            stdlib.add_logger_name,
            stdlib.ExtraAdder(),
            about,
            processors.format_exc_info,
        ],
        processors=[
            stdlib.ProcessorFormatter.remove_processors_meta,
            processors.EventRenamer("event"),
            processors.JSONRenderer(ensure_ascii=False),
            lambda _logger, _name, line: redact(str(line)),
        ],
    )


def _form(command: str, wanted: str | None, *, terminal: bool) -> Form:
    """JSON by default where a program's lines are not read on a terminal; other commands speak to people."""
    if wanted:
        try:
            return Form(wanted.lower())
        except ValueError as error:
            raise SettingsError(f"TRIAGE_LOG_FORMAT={wanted}: it is json or console") from error
    return Form.JSON if command in PROGRAMS and not terminal else Form.CONSOLE


def _broke_down(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends a program is said as all else is, without secrets."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        log.critical("it broke down", exc_info=(kind, error, trace))


def _thread_broke_down(found: threading.ExceptHookArgs) -> None:
    if found.exc_value is None or issubclass(found.exc_type, SystemExit):
        return
    name = "a thread" if found.thread is None else found.thread.name
    log.critical("%s broke down", name, exc_info=(found.exc_type, found.exc_value, found.exc_traceback))
