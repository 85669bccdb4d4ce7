"""`triage report --html`: the report as a page that stands alone."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

from agents import pages
from agents.pages import new_figure, svg
from pipeline.report import Report, Waits

MOST = 25
"""So many brands are drawn."""


def write_page(report: Report, path: Path, title: str) -> None:
    """Write tables by brand and queue, and plots by hour, weekday, brand and outcome.

    Raises:
        PageError: matplotlib is missing, or the file cannot be written.
    """
    everything = report.all
    share = f"{everything.answered / everything.turns:.1%}" if everything.turns else "none"
    counts = f"{everything.answered:,} answered ({share}), {everything.waiting:,} waiting"
    summary = f"{everything.turns:,} turns, {counts}, {everything.breached:,} breached."
    body = [
        f"<p>{summary} Times are minutes.</p>",
        _table("Brand", report.brands),
        _table("Queue", report.queues),
        _medians("First response by hour (UTC)", report.hours),
        _medians("First response by weekday (UTC)", report.weekdays),
        _bars("First response by brand", report.brands),
        _outcomes(everything.outcomes),
    ]
    pages.write(path, title, body)


def _table(what: str, rows: Mapping[str, Waits]) -> str:
    names = ("first", "median", "mean", "p90", "p95", "next", "median", "answered", "waiting", "breached")
    lines = [f"<tr><th>{what}{''.join(f'<th>{name}' for name in names)}</tr>"]
    for name, waits in rows.items():
        first, following = waits.first_response, waits.next_response
        times = map(_minutes, (first.median_s, first.mean_s, first.p90_s, first.p95_s))
        cells = [str(first.n), *times, str(following.n), _minutes(following.median_s),
                 str(waits.answered), str(waits.waiting), str(waits.breached)]  # fmt: skip
        lines.append(f"<tr><td>{html.escape(name)}{''.join(f'<td class=number>{cell}' for cell in cells)}</tr>")
    return f"<h2>By {what.lower()}</h2><table>{''.join(lines)}</table>"


def _medians(title: str, rows: Mapping[str, Waits]) -> str:
    figure, axes = new_figure(title)
    axes.bar(list(rows), [(waits.first_response.median_s or 0) / 60 for waits in rows.values()])
    axes.set_ylabel("median, minutes")
    return svg(figure)


def _bars(title: str, rows: Mapping[str, Waits]) -> str:
    shown = [(name, waits) for name, waits in rows.items() if waits.first_response.n][:MOST][::-1]
    if not shown:
        return ""
    figure, axes = new_figure(title, height=1 + 0.25 * len(shown))
    names = [f"{name} ({waits.first_response.n})".replace("$", r"\$") for name, waits in shown]
    axes.barh(names, [(waits.first_response.median_s or 0) / 60 for _, waits in shown])
    axes.set_xlabel("median, minutes")
    return svg(figure)


def _outcomes(outcomes: Mapping[str, int]) -> str:
    if not outcomes:
        return ""
    figure, axes = new_figure("Outcomes of conversations", height=1 + 0.3 * len(outcomes))
    axes.barh([f"{name.replace('_', ' ')} ({count})" for name, count in outcomes.items()], list(outcomes.values()))
    return svg(figure)


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 60:,.1f}"
