"""One sweep of a gap: what has to be asked, page by page; a page that failed is asked for again."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from pipeline.pages import Page
from pipeline.rules import Rule


class Route(StrEnum):
    """How posts are read: a metric label, and what prices go by."""

    STREAM = "stream"
    SEARCH = "search"
    MENTIONS = "mentions"
    TIMELINE = "timeline"
    POSTS = "posts"
    DM = "dm"


class Ask(NamedTuple):
    """One request: a search's query, or whose mentions; and the page."""

    route: Route
    what: str
    tag: str
    next_token: str | None = None


class Sweep:
    """What is left to ask; mentions first, for they are cheap and most urgent."""

    def __init__(self, queries: Sequence[Rule], accounts: Sequence[tuple[str, str]]) -> None:
        mentions = [Ask(Route.MENTIONS, account, f"{brand}:mentions") for account, brand in accounts]
        self._left = [*mentions, *(Ask(Route.SEARCH, query.value, query.tag) for query in queries)]
        self.read = 0

    def next(self) -> Ask | None:
        """What to ask now; None: all is asked."""
        return self._left[0] if self._left else None

    def answered(self, page: Page) -> None:
        """The answer to it came."""
        ask = self._left.pop(0)
        self.read += len(page.envelopes)
        if page.next_token is not None:
            self._left.insert(0, ask._replace(next_token=page.next_token))

    def skipped(self) -> None:
        """There is no answer to it, and will be none."""
        self._left.pop(0)
