"""What a dashboard is: rows of panels, each with a question, expressions, a unit and what is good and bad."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

Targets = dict[str, str]
"""Expressions by legend."""
Steps = tuple[tuple[float, str], ...]
"""From a value on, a colour."""
FINE: Steps = ()
"""Green, whatever the value."""


class Kind(StrEnum):
    """How a panel shows its numbers."""

    STAT = "stat"
    LINES = "lines"
    STACK = "stack"
    BARS = "bars"
    TABLE = "table"


class Panel(NamedTuple):
    """One panel; `says`: what it means and what to do about it. Under the first step it is green, or `under`."""

    title: str
    says: str
    unit: str
    targets: Targets
    steps: Steps = FINE
    kind: Kind = Kind.LINES
    width: int = 8
    under: str = "green"


class Row(NamedTuple):
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


class Board(NamedTuple):
    """One dashboard; `variables`: further ones to choose by, with where their values come from."""

    uid: str
    title: str
    says: str
    rows: tuple[Row, ...]
    span: str = "24h"
    variables: tuple[tuple[str, str], ...] = ()


INSTALLATION = 'namespace=~"$namespace"'
BRAND = f'{INSTALLATION},brand=~"$brand"'
RATE = "$__rate_interval"


def one(name: str, more: str = "", *, where: str = INSTALLATION) -> str:
    """A series of the chosen installations."""
    return f"{name}{{{where}{',' if more else ''}{more}}}"


def total(name: str, by: str = "", *, span: str = RATE, more: str = "", where: str = INSTALLATION) -> str:
    """A counter a second, over all workers."""
    return f"sum{f' by ({by})' if by else ''} (rate({one(name, more, where=where)}[{span}]))"


def many(name: str, by: str = "", *, span: str, more: str = "", where: str = INSTALLATION) -> str:
    """How much a counter grew in a span."""
    return f"sum{f' by ({by})' if by else ''} (increase({one(name, more, where=where)}[{span}]))"


def quantile(share: float, name: str, by: str = "", *, span: str = RATE, where: str = INSTALLATION) -> str:
    """A quantile of a histogram."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, {total(f'{name}_bucket', labels, span=span, where=where)})"
