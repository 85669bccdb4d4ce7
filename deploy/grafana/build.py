"""Boards as Grafana's JSON, by its own SDK."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.board import Board, Kind, Panel
from deploy.grafana.model import MODEL
from deploy.grafana.service import SERVICE
from deploy.grafana.stream import STREAM

BOARDS = {"service": SERVICE, "stream": STREAM, "model": MODEL}
SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
ALL = model.VariableOption(selected=True, text="All", value="$__all")


def text(board: Board) -> str:
    """A dashboard to be committed."""
    return f"{JSONEncoder(sort_keys=True, indent=1).encode(build(board))}\n"


def build(board: Board) -> model.Dashboard:
    """A dashboard; ids of panels are counted, so that the same code makes the same text."""
    built = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.says)
        .tags(["tweet-triage"])
        .timezone("browser")
        .refresh("30s")
        .time(f"now-{board.span}", "now")
        .readonly()
        .link(_to_others())
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_variable("namespace", "label_values(triage_build_info, namespace)"))
    )
    for name, query in board.variables:
        built.with_variable(_variable(name, query))
    number = 0
    for row in board.rows:
        number += 1
        built.with_row(dashboard.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            built.with_panel(_panel(panel).id(number))
    return built.build()


def _to_others() -> Any:
    return (
        dashboard.DashboardLink("tweet-triage")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags(["tweet-triage"])
        .keep_time(True)
        .include_vars(True)
    )


def _variable(name: str, query: str) -> Any:
    return (
        dashboard.QueryVariable(name)
        .label(name)
        .query(query)
        .datasource(SOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(ALL)
    )


def _panel(panel: Panel) -> Any:
    made = _KINDS[panel.kind]()
    made.title(panel.title).description(panel.says).unit(panel.unit).datasource(SOURCE)
    made.height(4 if panel.kind is Kind.STAT else 8).span(panel.width)
    made.thresholds(_thresholds(panel)).no_value("nothing")
    for letter, (legend, expr) in zip("ABCDEFGHIJ", panel.targets.items(), strict=False):
        made.with_target(_target(panel, letter, legend, expr))
    return made


def _target(panel: Panel, letter: str, legend: str, expr: str) -> Any:
    target = prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(letter)
    if panel.kind is Kind.TABLE:
        return target.instant().format(PromQueryFormat.TABLE)
    return target.instant() if panel.kind is Kind.STAT else target.range()


def _thresholds(panel: Panel) -> Any:
    steps = [model.Threshold(value=None, color=panel.under)]
    steps += [model.Threshold(value=value, color=color) for value, color in panel.steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _lines() -> Any:
    legend = (
        common.VizLegendOptions()
        .display_mode(common_model.LegendDisplayMode.LIST)
        .placement(common_model.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    dashed = common.GraphThresholdsStyleConfig().mode(common_model.GraphTresholdsStyleMode.DASHED)
    return timeseries.Panel().legend(legend).fill_opacity(10).min(0).thresholds_style(dashed)


def _stack() -> Any:
    return _lines().fill_opacity(40).stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL))


def _bars() -> Any:
    return _lines().draw_style(common_model.GraphDrawStyle.BARS).fill_opacity(60)


_KINDS: dict[Kind, Any] = {
    Kind.STAT: stat.Panel,
    Kind.LINES: _lines,
    Kind.STACK: _stack,
    Kind.BARS: _bars,
    Kind.TABLE: table.Panel,
}
