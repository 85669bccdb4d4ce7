"""Whether words are a command of `triage`: parsed by its own parser, and not run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typer.main import get_command

from agents.__main__ import app


def parse(words: Sequence[str]) -> None:
    """Take the words apart as `triage WORDS` would; what it would refuse, it refuses."""
    _parse(get_command(app), "triage", list(words))


def _parse(command: Any, name: str, words: list[str]) -> None:
    with command.make_context(name, words) as context:
        if hasattr(command, "resolve_command"):
            found, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            _parse(inner, found, rest)
