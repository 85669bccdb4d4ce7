"""What `triage demo --x` shows beside the queues: how far posts and answers are on their way round."""

from __future__ import annotations

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agents import live
from pipeline.loop import Loop

STEPS = (
    ("published", "published on the fake X"),
    ("heard", "heard by the listener"),
    ("routed", "routed by the worker"),
    ("asked", "answered at the helpdesk"),
    ("answered", "posted by the poster"),
    ("clocks_stopped", "clocks stopped"),
)


def view(loop: Loop, *, rate: float, metrics: str) -> Group:
    """The whole screen."""
    return Group(_way(loop), live.view(loop.tally, total=loop.heard, rate=rate, metrics=metrics))


def line(loop: Loop) -> str:
    """The way as one plain line."""
    counts = loop.counts()
    steps = [f"{name.replace('_', ' ')} {counts[name]}" for name, _ in STEPS]
    return f"{', '.join(steps)}; median first response {first_response(loop)}"


def first_response(loop: Loop) -> str:
    """For people."""
    seconds = loop.first_response_s
    return "-" if seconds is None else f"{seconds:.1f} s"


def _way(loop: Loop) -> Panel:
    counts, table = loop.counts(), Table.grid(padding=(0, 2))
    table.add_row(*[Text(f"{counts[name]}", "bold") for name, _ in STEPS], Text(first_response(loop), "bold green"))
    table.add_row(*[Text(words, "dim") for _, words in STEPS], Text("median first response", "dim"))
    return Panel(table, title="X and back", title_align="left", border_style="dim")
