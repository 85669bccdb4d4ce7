"""`make deploy-files`: everything that is committed and made from code; `--check` says what is not fresh."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from deploy import registry, settings_page
from deploy.compose import fake_x
from deploy.grafana import build
from deploy.helm import tables, values_schema

HERE = Path(__file__).parent
CHART = HERE / "helm" / "tweet-triage"


def files() -> dict[Path, Callable[[], str]]:
    """By path what makes its text."""
    made: dict[Path, Callable[[], str]] = {
        registry.FILE: registry.text,
        HERE / "prometheus" / "rules.yaml": tables.plain_rules,
        CHART / "files" / "rules.yaml": tables.chart_rules,
        CHART / "files" / "topics.yaml": tables.topics,
        CHART / "files" / "access.yaml": tables.access,
        CHART / "values.schema.json": values_schema.values_schema,
        fake_x.FILE: fake_x.text,
        settings_page.FILE: settings_page.text,
    }
    for name, board in build.BOARDS.items():
        for folder in (HERE / "grafana" / "dashboards", CHART / "files" / "dashboards"):
            made[folder / f"{name}.json"] = lambda board=board: build.text(board)  # type: ignore[misc]
    return made


def stale() -> list[str]:
    """What stands there otherwise than the code makes it."""
    return [
        str(path.relative_to(HERE.parent))
        for path, make in files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != make()
    ]


def main() -> None:
    """Write, or check."""
    if "--check" in sys.argv[1:]:
        found = stale()
        sys.exit(f"not fresh, run `make deploy-files`: {', '.join(found)}" if found else 0)
    for path, make in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
