"""`triage evaluate`: the figures of a model on labelled posts, for a reader, for a program, and as a page of plots."""

from __future__ import annotations

import html
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents import pages
from agents.pages import new_figure, svg
from agents.shown import shown
from models.evaluate import Evaluation
from pipeline.posts import STAGES


def as_json(found: Evaluation) -> str:
    """One JSON object on one line."""
    return msgspec.json.encode(found).decode()


def show(found: Evaluation, out: Console) -> None:
    """Tables for a terminal."""
    low, high = found.interval
    out.print(f"macro-F1 [bold]{found.macro_f1:.3f}[/] (95% interval {low:.3f} to {high:.3f}), {found.n:,} posts")
    for name, value in _lines(found):
        out.print(f"{name}: {value}")
    out.print(_stages(found))
    for title, groups in (("brand", found.by_brand), ("kind", found.by_kind)):
        if groups:
            table = Table(title, "posts", "right")
            for name, group in list(groups.items())[:20]:
                table.add_row(Text(shown(name)), str(group.posts), f"{group.right:.0%}")
            out.print(table)
    worst = Table("labelled", "judged", "sure", "text", title="surest mistakes")
    for mistake in found.worst[:10]:
        worst.add_row(mistake.label, mistake.judged, f"{mistake.confidence:.2f}", Text(shown(mistake.text)))
    out.print(worst)


def write_page(found: Evaluation, path: Path, title: str) -> None:
    """A self-contained HTML page with plots.

    Raises:
        PageError: matplotlib is not installed, or the file cannot be written.
    """
    body = [f"<p>{html.escape(name)}: {html.escape(value)}</p>" for name, value in _lines(found)]
    body += [
        _confusion_plot(found),
        _calibration_plot(found),
        _groups_plot("kind", found),
        _groups_plot("brand", found),
    ]
    body.append(_mistakes(found))
    pages.write(path, title, body)


def _lines(found: Evaluation) -> list[tuple[str, str]]:
    sure = found.high_confidence_macro_f1
    return [
        ("the first model alone", f"{found.first_model_macro_f1:.3f}"),
        ("decided by the second opinion", f"{found.second_share:.0%}"),
        ("labels of which the reader was sure", "not said" if sure is None else f"{sure:.3f}"),
        ("sent to review", f"{found.review_share:.1%}; what is not sent has macro-F1 {found.accepted_macro_f1:.3f}"),
        ("expected calibration error", f"{found.ece:.3f}"),
    ]


def _stages(found: Evaluation) -> Table:
    names = [stage.value for stage in STAGES]
    table = Table("stage", "posts", "precision", "recall", "F1", *(f"as {name}" for name in names))
    for name in names:
        one = found.per_stage[name]
        figures = (f"{value:.3f}" for value in (one.precision, one.recall, one.f1))
        table.add_row(name, str(one.posts), *figures, *(str(found.confusion[name][other]) for other in names))
    return table


def _mistakes(found: Evaluation) -> str:
    rows = "".join(
        f"<tr><td>{mistake.label}</td><td>{mistake.judged}</td><td class=number>{mistake.confidence:.2f}</td>"
        f"<td>{html.escape(mistake.text)}</td></tr>"
        for mistake in found.worst
    )
    return f"<h2>Surest mistakes</h2><table><tr><th>labelled<th>judged<th>sure<th>text</tr>{rows}</table>"


def _confusion_plot(found: Evaluation) -> str:
    figure, axes = new_figure("Labelled (rows) and judged (columns)")
    names = [stage.value for stage in STAGES]
    counts = [[found.confusion[row][column] for column in names] for row in names]
    axes.imshow([[count / max(1, sum(row)) for count in row] for row in counts], cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(3), names)
    axes.set_yticks(range(3), names)
    for at, row in enumerate(counts):
        for place, count in enumerate(row):
            axes.text(
                place, at, str(count), ha="center", va="center", color="black" if count < sum(row) / 2 else "white"
            )
    return svg(figure)


def _calibration_plot(found: Evaluation) -> str:
    figure, axes = new_figure("How sure, and how often right")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    sure, right = [part.confidence for part in found.calibration], [part.right for part in found.calibration]
    axes.scatter(sure, right, s=[20 + 400 * part.posts / found.n for part in found.calibration])
    axes.set_xlabel("mean confidence")
    axes.set_ylabel("share that is right")
    return svg(figure)


def _groups_plot(what: str, found: Evaluation) -> str:
    groups = list((found.by_kind if what == "kind" else found.by_brand).items())[:25][::-1]
    if not groups:
        return ""
    figure, axes = new_figure(f"Right by {what}", height=1 + 0.25 * len(groups))
    axes.barh([f"{name} ({group.posts})" for name, group in groups], [group.right for _, group in groups])
    axes.set_xlim(0, 1)
    return svg(figure)
