"""`triage adapt`: what routed records come to in a helpdesk, one JSON object a line; nothing is sent."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from agents.command import EPILOG, Exit, say
from pipeline.adapters import Helpdesk, encode
from pipeline.adapters import adapt as run
from pipeline.errors import BadMessage

STDIN = Path("-")


def add_to(app: typer.Typer) -> None:
    """Add it to the command."""
    app.command(epilog=EPILOG)(adapt)


def adapt(
    helpdesk: Annotated[Helpdesk, typer.Argument(help="Whose requests; zendesk-push is its Channel framework.")],
    source: Annotated[
        Path, typer.Option("--from", metavar="FILE", help="Records of a queue, one a line; -: standard input.")
    ] = STDIN,
) -> None:
    """Print what routed records come to in a helpdesk: the requests to make, one JSON object a record.

    Nothing is sent. What is no routed record is named on standard error, and the exit code is 1.

    Example: triage tail reactive --json | triage adapt zammad
    """
    if source == STDIN:
        bad = adapt_lines(helpdesk, sys.stdin.buffer, out=print, say=say)
    else:
        try:
            with source.open("rb") as lines:
                bad = adapt_lines(helpdesk, lines, out=print, say=say)
        except OSError as error:
            raise typer.BadParameter(f"{source}: {error.strerror}", param_hint="from") from error
    raise typer.Exit(Exit.FAILED if bad else Exit.FINE)


def adapt_lines(
    helpdesk: Helpdesk, lines: Iterable[bytes], *, out: Callable[[str], None], say: Callable[[str], None]
) -> int:
    """Write the payload of each line, and say how many lines are no routed records; empty ones are passed over."""
    bad = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            payload = run(helpdesk, line)
        except BadMessage as error:
            say(f"line {number} is no routed record ({error}): give the values of a queue, `triage tail QUEUE --json`")
            bad += 1
            continue
        if payload is None:
            say(f"line {number} is an event of a newer type: passed over")
        else:
            out(encode(payload).decode())
    return bad
