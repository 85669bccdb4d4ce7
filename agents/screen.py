"""What changes, shown a few times a second: as a live view on a terminal, as plain lines elsewhere."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from rich.console import Console, Group
from rich.live import Live

LINE_EVERY_S = 2.0


class Options(NamedTuple):
    """How a demo is run."""

    speed: float
    as_json: bool
    svg: Path | None
    plain: bool


class Screen:
    """One demo's screen.

    Args:
        view: the whole screen, after so many seconds.
        line: the same as one plain line.
        options: what was asked for.
        out: the terminal.
    """

    def __init__(
        self, view: Callable[[float], Group], line: Callable[[float], str], options: Options, out: Console
    ) -> None:
        self._view = view
        self._line = line
        self._out = out
        self._plain = options.plain or options.as_json or not out.is_terminal
        self._started = monotonic()
        self._shown = 0.0

    @property
    def seconds(self) -> float:
        """Since it was made; never 0, for rates."""
        return max(0.1, monotonic() - self._started)

    @contextmanager
    def shown(self) -> Iterator[Callable[[], None]]:
        """A function that brings the view up to date."""
        if self._plain:
            yield self._plain_line
            return
        with Live(self._view(self.seconds), console=self._out, auto_refresh=False, transient=False) as view:
            yield lambda: view.update(self._view(self.seconds), refresh=True)

    def export(self, path: Path, title: str) -> None:
        """The last view as a picture, for the README."""
        recorder = Console(record=True, width=110, file=io.StringIO(), force_terminal=True)
        recorder.print(self._view(self.seconds))
        recorder.save_svg(str(path), title=title)

    def _plain_line(self) -> None:
        if monotonic() - self._shown >= LINE_EVERY_S:
            self._shown = monotonic()
            print(self._line(self.seconds), file=sys.stderr, flush=True)
