"""What all commands have in common: exit codes, settings, what is said on the side."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum

import typer

from agents.logs import say
from pipeline import settings as settings_module
from pipeline.errors import (
    BrokerError,
    ModelError,
    Overwritten,
    SettingsError,
    StoodStill,
    TooManyDead,
    TopicsError,
    TriageError,
    UnknownBrand,
)
from pipeline.settings import Settings


class Exit(IntEnum):
    """What the command's exit code says; the README has the table."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    SETTINGS = 3
    BROKER = 4
    TOPICS = 5
    MODEL = 6
    TOO_MANY_DEAD = 7
    START_AGAIN = 8
    HELD = 9
    UNKNOWN = 10
    NOT_TOLD = 11
    INTERRUPTED = 130


__all__ = ["EPILOG", "EXIT_OF", "Exit", "load", "ms", "say"]

EXIT_OF: dict[type[TriageError], Exit] = {
    UnknownBrand: Exit.USAGE,
    SettingsError: Exit.SETTINGS,
    BrokerError: Exit.BROKER,
    TopicsError: Exit.TOPICS,
    ModelError: Exit.MODEL,
    TooManyDead: Exit.TOO_MANY_DEAD,
    StoodStill: Exit.START_AGAIN,
    Overwritten: Exit.START_AGAIN,
}


EPILOG = (
    "Exit codes: 0 fine; 1 failed; 2 wrong usage; 3 settings; 4 broker; 5 topics; 6 model; "
    "7 too many broken records; 8 start it again; 9 held, 10 unknown, 11 nothing told in time (reply --wait); "
    "130 interrupted."
)


def load(context: typer.Context) -> Settings:
    """The settings that the command was called with."""
    return settings_module.load(context.obj)


def ms(time: datetime) -> int:
    """To ms since 1970; a time without an offset is UTC."""
    return int((time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp() * 1000)
