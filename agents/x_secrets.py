"""Secrets stay out of logs: tweepy and oauthlib write headers into their debug logs, so every record is looked at."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterable
from json import dumps
from typing import Any
from urllib.parse import quote

STARS = "**********"
_SHORTEST = 6  # a shorter value would blank ordinary words
_FORMS = re.compile(
    r"(?P<before>\bBearer\s+|\boauth_(?:token|consumer_key|signature|nonce)(?:=|%3D)(?:\"|%22)?)[^\s\"',&}\\]+"
)


class Redactor:
    """Replaces secrets by stars: those that it was told of, and whatever has the form of a credential."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secrets: Iterable[str]) -> None:
        """Remember secrets, as they are and as a URL, a header or JSON spells them."""
        long = [secret for secret in secrets if len(secret) >= _SHORTEST]
        new = {form for one in long for form in (one, quote(one, safe="~"), dumps(one, ensure_ascii=False)[1:-1])}
        if not new <= self._known:
            self._known |= new
            longest_first = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, text: str) -> str:
        """The text without them."""
        if self._pattern is not None:
            text = self._pattern.sub(STARS, text)
        return _FORMS.sub(rf"\g<before>{STARS}", text)


redact = Redactor()
"""The process's one: a log record does not say whose it is."""


class Record(logging.LogRecord):
    """A log record that holds no secret in its message, nor in the traceback that goes with it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.exc_info and self.exc_info[0] is not None:
            self.exc_text = redact("".join(traceback.format_exception(*self.exc_info)).rstrip())

    def getMessage(self) -> str:  # noqa: N802 # logging's name
        """The message."""
        return redact(super().getMessage())


def keep_out_of_logs(secrets: Iterable[str]) -> None:
    """From now on no log record of this process holds them, whichever library writes it and whoever handles it.

    A filter would have to sit on every logger of four libraries and on every handler; a record is made in one place.
    """
    redact.add(secrets)
    logging.setLogRecordFactory(Record)
