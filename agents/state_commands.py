"""The commands about what is kept: backup, restore, and more partitions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agents.command import EPILOG, load, say

File = Annotated[Path, typer.Argument(help="The backup: lines of JSON in gzip; docs/upgrade.md has the format.")]


def add_to(app: typer.Typer, topics_app: typer.Typer) -> None:
    """Add them to the command."""
    for command in (backup, restore):
        app.command(epilog=EPILOG)(command)
    topics_app.command("grow", epilog=EPILOG)(grow)


def backup(context: typer.Context, file: File) -> None:
    """Write the states of all conversations to a file, and where their inputs are read on; workers may run.

    Example: triage backup conversations.jsonl.gz
    """
    from agents.backup import backup as run

    run(load(context), file, say=say)


def restore(context: typer.Context, file: File) -> None:
    """Write a backup into the empty topic `conversations`; the responses workers are stopped.

    What their group had read since the backup is heard again, so that they go on where they were.
    """
    from agents.backup import restore as run

    run(load(context), file, say=say)


def grow(
    context: typer.Context,
    partitions: Annotated[int, typer.Option(min=2, max=10_000, help="How many each topic is to have.")],
    dry_run: Annotated[bool, typer.Option(help="Check, and say how much would move.")] = False,
) -> None:
    """Give the topics more partitions, and move states to where their customers are then; everything is stopped.

    Refused while something runs or is unread. After a break the same command does the rest.

    Example: triage topics grow --partitions 24
    """
    from agents.growing import grow as run

    run(load(context), partitions, dry_run=dry_run, say=say)
