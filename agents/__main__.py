"""The `triage` command: settings, then one of the runners. Each runner is imported when it is called for."""

from __future__ import annotations

import logging
import os
import signal
import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agents import adapt_command, logs, response_commands, state_commands, x_commands
from agents.command import EPILOG, EXIT_OF, Exit, load, ms, say
from pipeline import settings as settings_module
from pipeline.errors import Reason, TriageError
from pipeline.posts import Queue


class Rebase(StrEnum):
    """Where old times are shifted to."""

    NOW = "now"


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
response_commands.add_to(app)
x_commands.add_to(app)
adapt_command.add_to(app)
state_commands.add_to(app, topics_app)
app.add_typer(broker_app, name="broker")
app.add_typer(topics_app, name="topics")
app.add_typer(dead_app, name="dead")

SettingsFile = Annotated[
    Path | None, typer.Option("--settings", "-s", help="YAML file; TRIAGE_SETTINGS and TRIAGE_… variables work too.")
]


@app.callback()
def _main(context: typer.Context, settings: SettingsFile = None) -> None:
    logs.set_up(context.invoked_subcommand or "triage")
    context.obj = settings


@app.command(epilog=EPILOG)
def worker(context: typer.Context) -> None:
    """Run the triage worker: `tweets` in, queues out; until SIGTERM or Ctrl-C."""
    from agents.worker import run_worker

    run_worker(load(context), say=say)


@app.command("settings", epilog=EPILOG)
def show_settings(context: typer.Context) -> None:
    """Print the effective settings as YAML; secrets show as stars."""
    print(settings_module.redacted(load(context)), end="")


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

    print(classify_text(load(context), text, as_json=as_json))


@app.command(epilog=EPILOG)
def evaluate(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with text and label; also confidence, brand, kind.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    page: Annotated[Path | None, typer.Option("--html", help="Write a page of plots.")] = None,
    second: Annotated[
        bool | None,
        typer.Option("--second/--no-second", help="With the second opinion; by default if there is one."),
    ] = None,
) -> None:
    """Say how good the model is on labelled posts: macro-F1, by stage, calibration, review, the worst errors.

    Example: triage evaluate labelled.csv --html evaluation.html
    """
    from rich.console import Console

    from agents import evaluate as shown
    from agents.classifiers import Silent, load_first, with_second
    from models.evaluate import evaluate as run
    from models.evaluate import read_labelled
    from models.second import available

    settings = load(context)
    first = load_first(settings.model)
    asked = (settings.second_opinion.enabled or available()) if second is None else second
    both = with_second(first, settings.second_opinion, Silent(), unlimited=True) if asked else first
    found = run(read_labelled(file), both, first, settings.thresholds_by_stage())
    if page is not None:
        shown.write_page(found, page, f"{first.model.name} {first.model.version} on {file.name}")
    if as_json:
        print(shown.as_json(found))
    else:
        shown.show(found, Console())


@app.command("train", epilog=EPILOG)
def train_model(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="CSV with text and label; also brand. In order of time if of one brand.")],
    base: Annotated[bool, typer.Option("--base/--no-base", help="On top of the project's own posts, or alone.")] = True,
    out: Annotated[Path, typer.Option(help="A folder for the artifacts and the model card.")] = Path("model"),
    force: Annotated[bool, typer.Option("--force", help="Write it though it is worse than the model in use.")] = False,
) -> None:
    """Train a model on a team's own labels; refused if it is worse on them than the model in use.

    Each post is judged by a model that has learnt neither it nor its brand. A minute on a laptop.

    Example: triage train --data labelled.csv --out model/
    """
    from agents.train import train_on

    for path in train_on(load(context), data, base=base, out=out, force=force, say=say):
        print(path)
    say(f"use it with `model: {out / 'stages.npz'}` in the settings, or try it as `challenger:` first")


@app.command(epilog=EPILOG)
def demo(
    speed: Annotated[float, typer.Option(help="How much faster than life: the sample spans four hours.")] = 480.0,
    as_json: Annotated[bool, typer.Option("--json", help="End with one JSON line.")] = False,
    plain: Annotated[bool, typer.Option(help="Plain lines instead of the live view.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Write the last view as an SVG picture.")] = None,
    x: Annotated[
        bool, typer.Option("--x", help="The whole way round: a fake X, listener, queues, answers, poster, clocks.")
    ] = False,
) -> None:
    """See it all on this machine: a real Kafka, a worker, and some 750 posts on their way into the queues.

    Starts an embedded Apache Kafka, replays the project's sample of posts, shows what happens, and ends by itself.
    With --x a crowd publishes them on a fake X, and an invented helpdesk answers some: the answers stop clocks.
    Ctrl-C ends it at once. Nothing is left behind but the broker's jars in the cache.
    """
    from rich.console import Console

    from agents.demo import run_demo
    from agents.demo_x import run_demo_x
    from agents.screen import Options

    interrupted = (run_demo_x if x else run_demo)(Options(speed, as_json, svg, plain), Console(stderr=as_json))
    raise typer.Exit(Exit.INTERRUPTED if interrupted else Exit.FINE)


DEFAULT_PORT = 9092
BrokerFolder = Annotated[Path | None, typer.Option("--folder", help="Where it keeps its data.")]


@broker_app.command("up")
def broker_up(
    folder: BrokerFolder = None,
    port: Annotated[int, typer.Option(help="A taken port is replaced by a free one, and said.")] = DEFAULT_PORT,
) -> None:
    """Start it in the background; its data stay in the folder."""
    from agents.broker import Broker, default_folder

    broker = Broker(folder or default_folder(), log=say, port=port, detached=True)
    broker.start()
    where = f" --folder {folder}" if folder is not None else ""
    print(f"Apache Kafka answers on {broker.bootstrap}; stop it with `triage broker down{where}`")
    if broker.port != DEFAULT_PORT:
        print(f"for the other commands: export TRIAGE_KAFKA__BOOTSTRAP_SERVERS={broker.bootstrap}")


@broker_app.command("down")
def broker_down(folder: BrokerFolder = None) -> None:
    """Stop it."""
    from agents.broker import default_folder
    from agents.broker_state import down

    print("stopped" if down(folder or default_folder()) else "no broker runs there")


@broker_app.command("status")
def broker_status(folder: BrokerFolder = None) -> None:
    """Say whether it runs, and where; exit code 4 if it does not."""
    from agents.broker import default_folder
    from agents.broker_state import status

    place = folder or default_folder()
    found = status(place)
    print(f"no broker runs in {place}" if found is None else f"127.0.0.1:{found.port}, process {found.pid}, {place}")
    raise typer.Exit(Exit.FINE if found else Exit.BROKER)


Files = Annotated[
    list[str],
    typer.Argument(
        help="X API v2 objects as JSON Lines (plain or gzip), or a customer-support CSV; - is standard input."
    ),
]


@app.command(epilog=EPILOG)
def replay(
    context: typer.Context,
    files: Files,
    speed: Annotated[float, typer.Option(help="0: as fast as possible; 1: as it was; 60: an hour a minute.")] = 0.0,
    rate: Annotated[float | None, typer.Option(help="So many posts a second instead.")] = None,
    start_from: Annotated[datetime | None, typer.Option("--from", help="Pass over posts created before (UTC).")] = None,
    rebase: Annotated[
        Rebase | None, typer.Option(help="now: shift old times: with --speed the first post is now, else the newest.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Send so many at most.")] = None,
) -> None:
    """Send the posts of files to the topic `tweets`; returns when the broker has acknowledged every one.

    Of a CSV the conversations are found in two passes over the reply links; from standard input among 10,000 rows.

    Example: triage replay posts.jsonl.gz --speed 60 --rebase now
    """
    from rich.console import Console

    from agents import topics
    from agents.replay import Pace, World
    from agents.replay import replay as run
    from pipeline.topics import TWEETS

    settings = load(context)
    topics.require(settings, [TWEETS])
    since = None if start_from is None else ms(start_from)
    pace = Pace(speed, rate, since, rebase is not None, limit)
    summary = run(settings, files, pace, Console(stderr=True), World(stdin=sys.stdin.buffer))
    print(summary)
    raise typer.Exit(Exit.INTERRUPTED if summary.interrupted else Exit.FINE)


@app.command(epilog=EPILOG)
def backtest(
    context: typer.Context,
    files: Files,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    write: Annotated[Path | None, typer.Option(help="A folder for the routed records, one file a queue.")] = None,
) -> None:
    """Run the whole pipeline over files without any Kafka, and report: what would go where?

    Example: triage backtest yesterday.jsonl.gz --write out/
    """
    from rich.console import Console

    from agents.backtest import backtest as run
    from agents.backtest import show
    from agents.classifiers import Silent, load_classifier

    settings = load(context)
    report = run(settings, files, load_classifier(settings, Silent()), write=write, stdin=sys.stdin.buffer)
    if as_json:
        print(report.as_json())
    else:
        show(report, Console())


@app.command(epilog=EPILOG)
def tail(
    context: typer.Context,
    queue: Annotated[Queue, typer.Argument(help="Which queue; own is the brand's own posts.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="So many of the newest.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="The records as they are, one a line.")] = False,
) -> None:
    """Read a queue as a helpdesk would.

    Example: triage tail reactive --follow
    """
    from agents.tail import tail as run

    run(load(context), queue, follow=follow, limit=limit, as_json=as_json, say=print)


@app.command(epilog=EPILOG)
def contracts(folder: Annotated[Path, typer.Option(help="Where to write them.")] = Path("docs/contracts")) -> None:
    """Write the JSON Schemas, the AsyncAPI document and the examples, made from the structs and the table of topics."""
    from pipeline.contracts import write

    for path in write(folder):
        print(path)


OnlyReason = Annotated[Reason | None, typer.Option(help="Only those of one reason.")]


@dead_app.command("list")
def dead_list(
    context: typer.Context, reason: OnlyReason = None, limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 50
) -> None:
    """List the newest, with their ids, reasons and places."""
    from rich.console import Console

    from agents.dead_letters import Wanted, show_list

    show_list(load(context), Wanted(reason), limit, Console())


@dead_app.command("show")
def dead_show(context: typer.Context, identity: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Show one: what is known of it, and its bytes. The ID is topic:partition:offset, as `list` shows it."""
    from agents.dead_letters import show_one

    show_one(load(context), identity, print)


@dead_app.command("replay")
def dead_replay(
    context: typer.Context,
    identity: Annotated[str | None, typer.Argument(metavar="[ID]", help="One; without it, all.")] = None,
    reason: OnlyReason = None,
    dry_run: Annotated[bool, typer.Option(help="Only say how many.")] = False,
) -> None:
    """Send the original bytes to the topics that they came from again, for when the fault was ours and is mended."""
    from agents.dead_letters import Wanted
    from agents.dead_letters import replay as run

    count = run(load(context), Wanted(reason, identity), dry_run=dry_run)
    print(f"{count} dead letters {'would be' if dry_run else 'were'} sent again")


@topics_app.command("create")
def topics_create(context: typer.Context) -> None:
    """Create the topics that are missing, as the table in pipeline/topics.py declares them.

    Those that exist are left as they are; exit code 5 where one is not as declared.
    """
    from agents import topics
    from pipeline.topics import TOPICS

    settings = load(context)
    for line in topics.create(settings):
        print(line)
    topics.require(settings, [topic.name for topic in TOPICS])


@topics_app.command("check")
def topics_check(context: typer.Context) -> None:
    """Say of every topic whether it is as declared; exit code 5 where one is not."""
    from agents import topics
    from pipeline.topics import TOPICS

    topics.require(load(context), [topic.name for topic in TOPICS])
    print(f"all {len(TOPICS)} topics are as declared")


def main() -> None:
    """Run the command; errors of the project become one clear line and their own exit code."""
    if os.getpid() == 1:  # in a container: SIGTERM does nothing there until somebody asks for it
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app(standalone_mode=True)
    except TriageError as error:
        say(f"triage: {error}", logging.ERROR)
        sys.exit(EXIT_OF.get(type(error), Exit.FAILED))
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)


if __name__ == "__main__":
    main()
