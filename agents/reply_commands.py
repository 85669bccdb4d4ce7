"""The commands about answers: post, reply."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from time import time
from typing import TYPE_CHECKING, Annotated

import typer

from agents.command import Exit, load, say
from pipeline.errors import BadMessage

if TYPE_CHECKING:
    from agents.write_reply import Written
    from pipeline.settings import Settings


def post(context: typer.Context) -> None:
    """Run the poster: takes answers from `replies`, posts each once, tells `responses`; until SIGTERM or Ctrl-C.

    Several may run: one posts, the others stand by.
    """
    from agents.poster_worker import run_poster

    run_poster(load(context), say=say)


def reply(
    context: typer.Context,
    post_id: Annotated[
        str, typer.Argument(metavar="POST", help='The id of the customer\'s post; "all": a post to all.')
    ],
    text: Annotated[str, typer.Argument(help="The answer, in quotes.")],
    private: Annotated[bool, typer.Option("--dm", help="As a private message to the customer.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Post it though the turn is answered already.")] = False,
    brand: Annotated[str | None, typer.Option(help="As whom, where a post is in conversations with several.")] = None,
    by: Annotated[str, typer.Option(help="Who writes it.")] = "triage reply",
    wait: Annotated[
        float | None, typer.Option(min=0.0, metavar="SECONDS", help="Wait so long for what comes of it, and say it.")
    ] = None,
) -> None:
    """Write an answer to `replies`, for the poster (`triage post`) to post; what comes of it stands in `responses`.

    With --wait it says what came of it, and the exit code does: 0 posted; 1 failed; 9 held; 10 unknown; 11 nothing yet.

    Example: triage reply 1856000000000000001 "It is on its way, sorry for the wait" --wait 60
    """
    from agents.write_reply import write_reply, write_to_all

    def write(settings: Settings) -> Written:
        now = int(time() * 1000)
        if post_id != "all":
            return write_reply(settings, post_id, text, brand=brand, private=private, force=force, by=by, now=now)
        if brand is None:
            raise typer.BadParameter("say as which brand a post to all is posted", param_hint="brand")
        return write_to_all(settings, text, brand=brand, by=by, now=now)

    _reply(load(context), write, wait)


def _reply(settings: Settings, write: Callable[[Settings], Written], wait: float | None) -> None:
    if wait is None:
        _write(settings, write)
        return
    from agents.reply_outcome import EXITS, Outcomes, line

    with closing(Outcomes(settings)) as outcomes:  # it hears what is told from now on
        identity = _write(settings, write)
        state = outcomes.of(identity, wait)
    if state is None:
        say(f"nothing came of it within {wait:g} s; it stays in replies: does `triage post` run?")
        raise typer.Exit(Exit.NOT_TOLD)
    print(line(state))
    raise typer.Exit(EXITS[state.state])


def _write(settings: Settings, write: Callable[[Settings], Written]) -> str:
    try:
        written = write(settings)
    except BadMessage as error:
        raise typer.BadParameter(error.detail, param_hint="text") from error
    for warning in written.warnings:
        say(f"warning: {warning}")
    to = f" to {written.reply.customer}" if written.reply.customer else ""
    print(f"{written.reply.id}: stands in replies, a {written.reply.kind}{to} as {written.reply.brand}", flush=True)
    return written.reply.id
