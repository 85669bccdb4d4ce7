"""The commands about X: listen, fake-x, post, reply."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agents.command import EPILOG, load, say
from agents.reply_commands import post, reply


def add_to(app: typer.Typer) -> None:
    """Add them to the command."""
    for command in (listen, fake_x, post, reply):
        app.command(epilog=EPILOG)(command)


def listen(
    context: typer.Context,
    follow: Annotated[
        Path | None,
        typer.Option(help="Instead of X: a file of JSON Lines that is appended to, or a named pipe.", exists=True,
                     dir_okay=False),
    ] = None,
) -> None:  # fmt: skip
    """Run the listener: X's stream into `tweets`, without gaps; until SIGTERM or Ctrl-C.

    Start two: one is active, the other takes over within seconds. Needs x.bearer_token in the settings.

    Example: triage -s settings.yaml listen
    """
    from agents.listener import run_listener

    run_listener(load(context), follow=follow, say=say)


def fake_x(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens; 0: any free port.")] = 8321,
    host: Annotated[
        str, typer.Option(help="Another address than this machine's own; it lets anyone in who reaches it.")
    ] = "127.0.0.1",
    rate: Annotated[
        float,
        typer.Option(min=0.0, max=1000.0, help="So many of the sample's posts a second; 0: only what you publish."),
    ] = 1.0,
    visible_after: Annotated[
        float, typer.Option(min=0.0, help="Searches and look-ups find a post only after so many seconds.")
    ] = 0.0,
) -> None:
    """Run a server on this machine that speaks X's API, for trying the listener and the poster; until Ctrl-C.

    Standard output is the settings that point at it. It can be told to publish, and to fail, over HTTP.

    Example: triage fake-x --rate 5 > fake-x.yaml
    """
    from agents.fake_x_by_hand import run_fake_x

    try:
        run_fake_x(
            host=host,
            port=port,
            rate=rate,
            visible_after_s=visible_after,
            say=say,
            out=lambda text: print(text, end="", flush=True),
        )
    except OSError as error:
        raise typer.BadParameter(f"{host}:{port}: {error.strerror}; give another", param_hint="port") from error
