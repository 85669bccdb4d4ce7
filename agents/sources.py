"""What a source of posts is, for the listener: one connection at a time, and where it can, a look back into a gap."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from pipeline.backoff import Cause
from pipeline.gaps import Gap
from pipeline.intake import Taken


def _untold(_told: str) -> None:
    """What a source has no use for it never tells."""


class Heard(NamedTuple):
    """What a source tells while it is connected; each call returns at once."""

    line: Callable[[bytes, str | None], None]
    """A post as it came, and the source's own place behind it, if it has one."""
    alive: Callable[[], None]
    """The connection lives, though no post came."""
    opened: Callable[[], None]
    """From now on posts come."""
    missed: Callable[[str], None] = _untold
    """Of a source that resumes: what lay behind the mark is gone, in words for people."""
    begins: Callable[[str], None] = _untold
    """Of a source that resumes: the place where it begins, told when there is no mark yet."""


class Ending(NamedTuple):
    """How one connection ended, or why none was made."""

    cause: Cause | None
    """None: it was closed by us."""
    detail: str = ""
    refused: bool = False
    """It will never work as things are: a person must change something."""
    reset_at: float | None = None
    """Not before then again, says the source; seconds since 1970."""
    reached: bool = True
    """Whether the other side has seen the attempt, and counts it."""


class Search(Protocol):
    """One sweep of a gap, a request at a time."""

    found: list[Taken]
    """What was found by the steps so far and not taken away yet, the oldest first once it is over."""

    @property
    def read(self) -> int:
        """Posts that were read for it."""

    def step(self) -> bool:
        """Make one request; whether there are more.

        Raises:
            XError: it was not answered; the same step comes again.
        """


class Source(Protocol):
    """A network, or a file, that posts come from."""

    name: str
    """Its checkpoint is written under it."""
    resumes: bool
    """It goes on from its own place, so that no connection's end makes a gap."""

    def listen(self, heard: Heard, mark: str | None) -> Ending:
        """Make one connection and hand over what comes until it ends; never raises for what the other side does.

        `mark` is the place up to which all is in Kafka, as the source had told it.
        """

    def close(self) -> None:
        """End the connection, from any thread; every later one ends at once."""

    def hang_up(self) -> None:
        """End the connection, from any thread; a later one is made as ever."""

    def search(self, gap: Gap, now: float) -> Search | None:
        """Look for what was missed in a gap; None: this source cannot look back."""
