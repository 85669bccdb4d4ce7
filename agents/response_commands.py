"""The commands about waits: responses, report, waiting, desk, forget."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from time import time
from typing import Annotated

import typer

from agents.command import EPILOG, load, ms, say
from pipeline.desk import Movable, Place, Verb
from pipeline.posts import Queue
from pipeline.report import Report

desk_app = typer.Typer(help="Say what a helpdesk says: move, resolve, handoff, assign, note.", no_args_is_help=True)
PostId = Annotated[str, typer.Argument(metavar="POST", help="The id of a post in the conversation.")]
OfBrand = Annotated[str | None, typer.Option(help="Whose, where a post is in conversations with several brands.")]
By = Annotated[str, typer.Option(help="Who says it.")]


def add_to(app: typer.Typer) -> None:
    """Add them to the command."""
    for command in (responses, report, waiting, forget):
        app.command(epilog=EPILOG)(command)
    app.add_typer(desk_app, name="desk")


def responses(context: typer.Context) -> None:
    """Run the responses worker: keeps the clocks of who waits and tells `responses`; until SIGTERM or Ctrl-C."""
    from agents.responses_worker import run_responses

    run_responses(load(context), say=say)


def report(
    context: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE...]", help='Posts: CSV, JSON Lines; "-": standard input. Without: the topic `responses`.'
        ),
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Only who asked from then on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only who asked before (UTC).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    table: Annotated[Path | None, typer.Option("--csv", help="Write a CSV file too.")] = None,
    page: Annotated[Path | None, typer.Option("--html", help="Write a page of plots too.")] = None,
    queues: Annotated[
        str | None,
        typer.Option(
            help="Of files: which want an answer: all, or names with commas; else all for CSV, those with targets for "
            "JSON."
        ),
    ] = None,
) -> None:
    """Say how long customers waited: first and next responses, who waits, breaches, outcomes; by brand, queue, time.

    Example: triage report threads.csv --csv report.csv
    """
    settings = load(context)
    period = {name: ms(time) for name, time in (("since", since), ("until", until)) if time is not None}
    if files:
        from agents.classifiers import load_first
        from agents.report import report_files
        from pipeline.policies import wanted_queues

        wanted = None if queues is None else wanted_queues(queues)
        model, stdin = load_first(settings.model), sys.stdin.buffer
        found = report_files(settings, files, model, queues=wanted, stdin=stdin, **period)
    else:
        from agents.report_topic import report_topic

        if queues is not None:
            raise typer.BadParameter(
                "the worker has decided that: `responses.queues` in its settings", param_hint="queues"
            )
        found = report_topic(settings, **period)
    _give(found, as_json=as_json, table=table, page=page)


def _give(found: Report, *, as_json: bool, table: Path | None, page: Path | None) -> None:
    from rich.console import Console

    from agents import report as shown
    from agents.report_page import write_page

    if table is not None:
        shown.save_csv(found, table)
    if page is not None:
        write_page(found, page, "How long customers waited")
    if as_json:
        print(shown.as_json(found))
    else:
        shown.show(found, Console())


def waiting(
    context: typer.Context,
    brand: Annotated[str | None, typer.Option(help="Only those of one brand.")] = None,
    queue: Annotated[Queue | None, typer.Option(help="Only those in one queue.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="So many who wait longest.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """List who waits now, oldest first, with the conversation; and the queues in which too many do, or one too long.

    Example: triage waiting --queue reactive
    """
    from rich.console import Console

    from agents import waiting as shown

    settings = load(context)
    found = shown.find(settings, brand=brand, queue=queue, limit=limit, now=int(time() * 1000))
    if as_json:
        print(shown.as_json(found, settings.responses.backlog))
        return
    out = Console()
    shown.show(found, limit, out)
    for line in shown.backlogs(found.counts, settings.responses.backlog):
        out.print(line, style="bold red", markup=False, highlight=False, soft_wrap=True)


def forget(
    context: typer.Context,
    identity: Annotated[str, typer.Argument(metavar="USER|POST", help="The id of a customer or of a post.")],
    user: Annotated[bool, typer.Option("--user", help="It is a customer's id, though nothing is known of it.")] = False,
    customer: Annotated[str | None, typer.Option(help="It is the id of a post of this customer.")] = None,
) -> None:
    """Forget a post, or all that a customer wrote: the state at once, those who read our topics by a retraction.

    Text that stands in topics goes with their retention: 7 days. See docs/response-times.md, "Forgetting".

    Example: triage forget 1856000000000000001
    """
    from agents.forget import forget as run

    print(run(load(context), identity, user=user, customer=customer, now=int(time() * 1000)))


@desk_app.command("move")
def desk_move(
    context: typer.Context,
    post: PostId,
    to: Annotated[Movable, typer.Option(help="The right queue.")],
    brand: OfBrand = None,
    by: By = "triage desk",
) -> None:
    """Write a post again to the right queue: it takes its clock along, and has that queue's target from now on."""
    _word(context, "move", post, brand=brand, to=to, by=by)


@desk_app.command("resolve")
def desk_resolve(
    context: typer.Context,
    post: PostId,
    elsewhere: Annotated[bool, typer.Option("--elsewhere", help="It was resolved, but not on X.")] = False,
    brand: OfBrand = None,
    by: By = "triage desk",
) -> None:
    """Say that a conversation is done; who waited in it waits no more."""
    _word(context, "resolve", post, brand=brand, to="elsewhere" if elsewhere else None, by=by)


@desk_app.command("handoff")
def desk_handoff(
    context: typer.Context,
    post: PostId,
    to: Annotated[Place, typer.Option(help="Where it goes on.")],
    brand: OfBrand = None,
    by: By = "triage desk",
) -> None:
    """Say that a conversation goes on in another channel."""
    _word(context, "handoff", post, brand=brand, to=to, by=by)


@desk_app.command("assign")
def desk_assign(
    context: typer.Context,
    post: PostId,
    to: Annotated[str, typer.Option(help="The agent who looks after it.")],
    brand: OfBrand = None,
    by: By = "triage desk",
) -> None:
    """Say who looks after a conversation; the clock goes on."""
    _word(context, "assign", post, brand=brand, to=to, by=by)


@desk_app.command("note")
def desk_note(
    context: typer.Context,
    post: PostId,
    text: Annotated[str, typer.Argument(help="What is noted; it stands in the topic desk only.")],
    brand: OfBrand = None,
    by: By = "triage desk",
) -> None:
    """Leave a note on a conversation."""
    _word(context, "note", post, brand=brand, to=None, by=by, text=text)


def _word(
    context: typer.Context,
    word: Verb,
    post: str,
    *,
    brand: str | None,
    to: str | None,
    by: str,
    text: str | None = None,
) -> None:
    from agents.desk_words import say as run
    from pipeline.errors import BadMessage

    try:
        said = run(load(context), word, post, brand=brand, to=to, by=by, text=text, now=int(time() * 1000))
    except BadMessage as error:
        raise typer.BadParameter(error.detail) from error
    print(
        f"{said.word}: it stands in desk, of conversation {said.conversation_id} of {said.customer} with {said.brand}"
    )
