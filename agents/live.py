"""What `triage demo` shows: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agents.shown import shown
from pipeline.posts import Queue
from pipeline.routed import RoutedPost
from pipeline.tally import Tally

COLOURS = {
    Queue.REACTIVE: "red",
    Queue.PROACTIVE: "yellow",
    Queue.ENGAGEMENT: "green",
    Queue.REVIEW: "magenta",
    Queue.OWN: "blue",
}


def view(tally: Tally, *, total: int, rate: float, metrics: str) -> Group:
    """The whole screen."""
    head = Table.grid(padding=(0, 2))
    bar = ProgressBar(total=total, completed=tally.rows, width=40)
    head.add_row(Text(f"{tally.rows}/{total} posts", style="bold"), bar, f"{rate:,.0f} posts/s", Text(metrics, "dim"))
    parts: list[RenderableType] = [
        head,
        _queues(tally),
        Panel(_newest(tally), title="newest posts", title_align="left", border_style="dim"),
    ]
    if tally.dead:
        reasons = "  ".join(f"{reason} {count}" for reason, count in tally.dead.most_common())
        parts.append(Text(f"dead letters  {reasons}", style="red dim"))
    return Group(*parts)


def line(tally: Tally, *, total: int, rate: float) -> str:
    """The same as one plain line."""
    queues = ", ".join(f"{queue.value} {tally.queues[queue]}" for queue in Queue)
    dead = ", ".join(f"{reason} {count}" for reason, count in tally.dead.most_common()) or "none"
    return f"{tally.rows}/{total} posts, {rate:,.0f}/s; {queues}; dead letters: {dead}"


def _queues(tally: Tally) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("queue", "posts", "waiting", "median latency"):
        table.add_column(name, justify="left" if name == "queue" else "right")
    waiting = tally.waiting()
    for queue in Queue:
        name = "posts.own" if queue is Queue.OWN else f"queue.{queue.value}"
        waits = "" if queue in (Queue.OWN, Queue.ENGAGEMENT) else str(waiting[queue])
        latency = tally.latency(queue)
        ms = "" if latency is None else f"{latency * 1000:,.0f} ms"
        table.add_row(Text(name, style=COLOURS[queue]), str(tally.queues[queue]), waits, ms)
    return table


def _newest(tally: Tally) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    for width in (10, 5, 14):
        table.add_column(width=width, no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for routed in reversed(tally.newest):
        table.add_row(*_row(routed))
    return table


def _row(routed: RoutedPost) -> tuple[Text, Text, Text, Text]:
    colour = COLOURS[routed.queue]
    urgent = "bold reverse" if routed.priority == "urgent" else ""
    return (
        Text(routed.queue.value, style=colour),
        Text(f"{routed.classification.confidence:.2f}", style="dim"),
        Text(shown(routed.brand), style="cyan"),
        Text(shown(routed.text), style=urgent),
    )
