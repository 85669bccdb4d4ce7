"""The errors of the project, as a tree.

TriageError
 ├── BadMessage       a record that can never be routed: to the dead-letter topic, with its reason
 ├── SettingsError    a setting is wrong or missing: stop at the start and say which
 ├── UnknownBrand     a command names a brand that neither the settings nor the states have
 ├── ModelError       the model's artifact cannot be used: stop at the start
 ├── EvaluationError  a file of labelled posts cannot be used
 ├── PageError        a page of plots cannot be made or written
 ├── TopicsError      topics are missing or differ from the declaration: stop at the start
 ├── BrokerError      the embedded broker cannot be fetched, started or reached
 ├── TooManyDead      so much is broken that the fault is ours: stop, skip nothing
 ├── StoodStill       this process was paused for longer than its session: stop, others have its work
 ├── Overwritten      another process writes the state of our partitions: stop, read it again
 ├── StateError       the topic of states holds what is no state: stop, write nothing over it
 ├── BackupError      a file of states cannot be written, or is not whole, or does not fit: nothing is restored
 ├── NotAtRest        what must stand still for this is running, or has records unread: nothing is changed
 └── XError           X did not do what it was asked, or may not have; the texts never hold a secret
      ├── XUnreachable  no answer came: whether it was done is not known
      ├── XLimited      too much was asked (429): it was not done; when it may be asked again, as far as X says
      ├── XFailing      X's own fault (5xx, 408): whether it was done is not known
      └── XRefused      anything else that is not an answer: it was not done
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
    NOT_FOUND = "not_found"
    TOO_LONG = "too_long"
    """A reply that X would not take; so are those that follow."""
    NOT_ALLOWED = "not_allowed"
    NO_ACCESS = "no_access"
    REFUSED = "refused"
    ID_TAKEN = "id_taken"


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


class UnknownBrand(TriageError):
    """Raised when a command names a brand that neither the settings nor the states have."""


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


class StoodStill(TriageError):
    """Raised when this process was paused for so long that its partitions belong to others by now."""


class Overwritten(TriageError):
    """Raised when another process writes the state of partitions that we have."""


class StateError(TriageError):
    """Raised when `conversations` holds a record that is no state of a conversation."""


class BackupError(TriageError):
    """Raised when a file of states cannot be written, is not whole, or does not fit the topics."""


class NotAtRest(TriageError):
    """Raised when something runs, or is unread, that must be still while states are moved or restored."""


class XError(TriageError):
    """Raised when X did not do what it was asked, or may not have."""


class XUnreachable(XError):
    """Raised when no answer came; where `sent`, whether it was done is not known, else it was not."""

    def __init__(self, detail: str, *, sent: bool = True) -> None:
        super().__init__(f"X cannot be reached: {detail}" if not sent else f"X gave no answer: {detail}")
        self.sent = sent


class XLimited(XError):
    """Raised when X says 429; `reset_at` is when it may be asked again, in seconds since 1970, where X says it."""

    def __init__(self, reset_at: float | None = None, detail: str = "") -> None:
        super().__init__(f"X says that too much was asked (429){': ' if detail else ''}{detail}")
        self.reset_at = reset_at
        self.detail = detail


class XFailing(XError):
    """Raised when X fails (5xx, 408): whether it was done is not known."""

    def __init__(self, status: int, detail: str = "") -> None:
        super().__init__(f"X fails ({status}){': ' if detail else ''}{detail}")
        self.status = status
        self.detail = detail


class XRefused(XError):
    """Raised when X refuses (any other status that is no success): it was not done."""

    def __init__(self, status: int, detail: str = "") -> None:
        super().__init__(f"X refuses ({status}){': ' if detail else ''}{detail}")
        self.status = status
        self.detail = detail
