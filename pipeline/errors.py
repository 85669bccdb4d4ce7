"""The errors of the project, as a tree.

TriageError
 ├── BadMessage       a record that can never be routed: to the dead-letter topic, with its reason
 ├── SettingsError    a setting is wrong or missing: stop at the start and say which
 ├── ModelError       the model's artifact cannot be used: stop at the start
 ├── EvaluationError  a file of labelled posts cannot be used
 ├── PageError        a page of plots cannot be made or written
 ├── TopicsError      topics are missing or differ from the declaration: stop at the start
 ├── BrokerError      the embedded broker cannot be fetched, started or reached
 └── TooManyDead      so much is broken that the fault is ours: stop, skip nothing
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a record went to the dead-letter topic: a closed list, also a metric label."""

    TOMBSTONE = "tombstone"
    TOO_BIG = "too_big"
    TOO_DEEP = "too_deep"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_A_NUMBER = "not_a_number"
    LONE_SURROGATE = "lone_surrogate"
    WRONG_TYPE = "wrong_type"
    MISSING_ID = "missing_id"
    MISSING_TEXT = "missing_text"
    MISSING_FIELD = "missing_field"
    FAILED = "failed"


class TriageError(Exception):
    """The base of all errors that the project raises itself."""


class BadMessage(TriageError):
    """Raised when a record can never be routed; the partition goes on without it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


class SettingsError(TriageError):
    """Raised when a setting is wrong, missing or unknown."""


class ModelError(TriageError):
    """Raised when the model's artifact is missing, damaged, untrusted or of another version."""


class EvaluationError(TriageError):
    """Raised when a file of labelled posts cannot be used."""


class PageError(TriageError):
    """Raised when a page of plots cannot be made or written."""


class TopicsError(TriageError):
    """Raised when the topics on the broker are not as declared."""


class BrokerError(TriageError):
    """Raised when the embedded broker cannot be fetched, started or reached."""


class TooManyDead(TriageError):
    """Raised when too many records in a row, or too large a share, are broken."""
