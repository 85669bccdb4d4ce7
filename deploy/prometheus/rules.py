"""All rules as one document: `python -m deploy.prometheus.rules --factor 60` prints those of a drill."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import Any

import yaml

from deploy.prometheus import budgets, drift, machines, symptoms
from deploy.prometheus.machines import ALIVE
from deploy.prometheus.rule import ANY, Alert, Numbers, Source
from deploy.prometheus.spans import Spans


class _Dumper(yaml.SafeDumper):
    """Long expressions as blocks, which people can read."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def alerts(source: Source) -> list[Alert]:
    """All of them."""
    return [*budgets.alerts(source), *symptoms.alerts(source), *machines.alerts(source)]


def document(
    *, factor: int = 1, numbers: Numbers | None = None, programs: Collection[str] = tuple(ALIVE)
) -> dict[str, Any]:
    """The rules in groups; with a factor all spans are so many times shorter; none about a program that is not run."""
    source = Source(Spans(factor), numbers or Numbers())
    intervals = {"tweet-triage-drift": source.span(drift.EVERY)}
    recorded = {
        "tweet-triage-budgets": budgets.recorded(source),
        "tweet-triage-drift": drift.recorded(source),
        "tweet-triage-silence": machines.recorded(source),
    }
    made = {
        "tweet-triage-promises": budgets.alerts(source),
        "tweet-triage-customers": symptoms.alerts(source),
        "tweet-triage-machines": machines.alerts(source),
    }
    rules: dict[str, list[Any]] = {name: list(some) for name, some in recorded.items()}
    rules |= {
        name: [alert.rule(source) for alert in some if alert.component in (ANY, *programs)]
        for name, some in made.items()
    }
    usual = source.span("30s")
    groups = [{"name": name, "interval": intervals.get(name, usual), "rules": some} for name, some in rules.items()]
    return {"groups": groups}


def text(found: dict[str, Any]) -> str:
    """As YAML."""
    return yaml.dump(found, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)


def main() -> None:
    """Print the rules."""
    parser = argparse.ArgumentParser(prog="python -m deploy.prometheus.rules", description=__doc__)
    parser.add_argument("--factor", type=int, default=1, help="60: an hour is a minute")
    parser.add_argument("--select", default="", help='a label matcher for every series, such as namespace="care"')
    parser.add_argument("--waiting", default=Numbers().waiting, help="so many waiting in a queue are not too many")
    parser.add_argument("--dollars", default=Numbers().dollars, help="what 30 days of reading X may cost")
    parser.add_argument("--runbooks", default=Numbers().runbooks, help="where deploy/runbooks is published")
    parser.add_argument("--programs", default=",".join(ALIVE), help="those that are run, with commas between")
    asked = parser.parse_args()
    programs = asked.programs.split(",")
    if unknown := set(programs) - set(ALIVE):
        parser.error(f"--programs: {', '.join(sorted(unknown))}: there are {', '.join(ALIVE)}")
    numbers = Numbers(asked.select, asked.waiting, asked.dollars, asked.runbooks)
    print(text(document(factor=asked.factor, numbers=numbers, programs=programs)), end="")


if __name__ == "__main__":
    main()
