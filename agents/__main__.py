"""The `triage` command: settings, then one of the runners. Each runner is imported when it is called for."""

from __future__ import annotations

import logging
import os
import sys
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline import settings as settings_module
from pipeline.errors import (
    BrokerError,
    ModelError,
    SettingsError,
    TooManyDead,
    TopicsError,
    TriageError,
)
from pipeline.settings import Settings


class Exit(IntEnum):
    """What the command's exit code says; the README has the table."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    SETTINGS = 3
    BROKER = 4
    TOPICS = 5
    MODEL = 6
    TOO_MANY_DEAD = 7
    INTERRUPTED = 130


EXIT_OF: dict[type[TriageError], Exit] = {
    SettingsError: Exit.SETTINGS,
    BrokerError: Exit.BROKER,
    TopicsError: Exit.TOPICS,
    ModelError: Exit.MODEL,
    TooManyDead: Exit.TOO_MANY_DEAD,
}

EPILOG = (
    "Exit codes: 0 fine; 1 failed; 2 wrong usage; 3 settings; 4 broker; 5 topics; 6 model; "
    "7 too many broken records; 130 interrupted."
)

app = typer.Typer(
    help="Puts every post about a brand into the right queue, and measures how long customers wait.\n\n"
    "New here? `triage demo` shows everything on this machine, with nothing else installed.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
broker_app = typer.Typer(
    help="The embedded Apache Kafka: one node, on this machine, for trying and testing.", no_args_is_help=True
)
topics_app = typer.Typer(help="The topics: declared here, checked by the worker.", no_args_is_help=True)
dead_app = typer.Typer(
    help="Dead letters: look at what could not be read, and send it through again.", no_args_is_help=True
)
app.add_typer(broker_app, name="broker")
app.add_typer(topics_app, name="topics")
app.add_typer(dead_app, name="dead")

SettingsFile = Annotated[
    Path | None, typer.Option("--settings", "-s", help="YAML file; TRIAGE_SETTINGS and TRIAGE_… variables work too.")
]


@app.callback()
def _main(context: typer.Context, settings: SettingsFile = None) -> None:
    logging.basicConfig(
        level=os.environ.get("TRIAGE_LOG_LEVEL", "WARNING").upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    context.obj = settings


def _load(context: typer.Context) -> Settings:
    return settings_module.load(context.obj)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@app.command(epilog=EPILOG)
def worker(context: typer.Context) -> None:
    """Run the triage worker: `tweets` in, queues out; until SIGTERM or Ctrl-C."""
    from agents.worker import run_worker

    run_worker(_load(context), say=_say)


@app.command("settings", epilog=EPILOG)
def show_settings(context: typer.Context) -> None:
    """Print the effective settings as YAML; secrets show as stars."""
    print(settings_module.redacted(_load(context)), end="")


@app.command(epilog=EPILOG)
def classify(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="The text of a post, in quotes.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say the stage of a text, how sure the model is, and the words that spoke for it.

    Example: triage classify "@northwind my bag did not arrive, who do I call?"
    """
    from agents.classify import classify_text

    print(classify_text(_load(context), text, as_json=as_json))


@topics_app.command("create")
def topics_create(context: typer.Context) -> None:
    """Create the topics that are missing, as the table in pipeline/topics.py declares them."""
    from agents import topics

    for line in topics.create(_load(context)):
        print(line)


@topics_app.command("check")
def topics_check(context: typer.Context) -> None:
    """Say of every topic whether it is as declared; exit code 5 where one is not."""
    from agents import topics
    from pipeline.topics import TOPICS

    topics.require(_load(context), [topic.name for topic in TOPICS])
    print(f"all {len(TOPICS)} topics are as declared")


def main() -> None:
    """Run the command; errors of the project become one clear line and their own exit code."""
    try:
        app(standalone_mode=True)
    except TriageError as error:
        _say(f"triage: {error}")
        sys.exit(EXIT_OF.get(type(error), Exit.FAILED))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)


if __name__ == "__main__":
    main()
