"""Pages that stand alone: a table, a plot, no script, nothing loaded from anywhere."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import PageError

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}}
table{{border-collapse:collapse}}td,th{{padding:.2rem .8rem;border-bottom:1px solid #ddd;text-align:left}}
td.number{{text-align:right}}svg{{max-width:100%;height:auto}}</style></head>
<body><h1>{title}</h1>{body}</body></html>
"""


def write(path: Path, title: str, body: Sequence[str]) -> None:
    """Write a page; the title is text, the parts of the body are HTML.

    Raises:
        PageError: the file cannot be written.
    """
    try:
        path.write_text(_PAGE.format(title=html.escape(title), body="\n".join(body)), encoding="utf-8")
    except OSError as error:
        raise PageError(f"{path} cannot be written: {error.strerror}") from error


def new_figure(title: str, height: float = 4.0) -> tuple[Any, Any]:
    """matplotlib's, without any window; it is an extra, for its megabytes serve only this page."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PageError("the page of plots needs matplotlib: pip install .[plots]") from error
    figure = Figure(figsize=(7, height), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    return figure, axes


def svg(figure: Any) -> str:
    """The picture as it stands in a page, the same on every run."""
    from matplotlib import rc_context

    out = io.StringIO()
    with rc_context({"svg.hashsalt": "tweet-triage"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return text[text.index("<svg") :]
