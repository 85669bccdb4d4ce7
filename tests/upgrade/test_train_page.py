"""docs/train.md: its commands are run, in the order of the page, on posts that lie in the queues."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from agents import clients, topics
from agents.train import train_on
from models.train import HERE
from pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "contracts" / "examples"
PAGE = (ROOT / "docs" / "train.md").read_text(encoding="utf-8").partition("## Train the shipped model again")[0]
COMMANDS = [line for text in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in text.strip().splitlines()]

pytestmark = [pytest.mark.operations, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def stages() -> dict[str, str]:
    """120 posts of the corpus with their stage, as if a team labelled them."""
    with (HERE / "corpus" / "posts.csv").open(encoding="utf-8", newline="") as file:
        return {row["text"]: row["stage"] for row in list(csv.DictReader(file))[::71][:120]}


def test_the_page_is_run(settings: Settings, folder: Path, stages: dict[str, str]) -> None:
    """Collected from the queues, labelled, judged, trained on, tried; what comes out is a model to be used."""
    _installation(settings, folder, stages)

    for line in COMMANDS:
        if "evaluate" in line:
            _label(folder, stages)
        _run(line, folder)

    (folder / "settings.yaml").write_text(yaml.safe_dump({"model": str(folder / "model" / "stages.npz")}))
    assert "reactive" in _run('triage -s settings.yaml classify "my parcel is lost, help"', folder)
    assert set(re.findall(r"`([\w.]+\.(?:npz|skops|md))`", PAGE)) <= {
        path.name for path in (folder / "model").iterdir()
    }


def _installation(settings: Settings, folder: Path, stages: dict[str, str]) -> None:
    """Settings with a model that is bad for this team, topics, posts in two queues (one retracted), and a file."""
    turned = {"reactive": "engagement", "engagement": "proactive", "proactive": "reactive"}
    bad = [{"text": text, "brand": "acme", "label": turned[stage]} for text, stage in stages.items()]
    train_on(Settings(), _write(folder / "bad.csv", bad), base=False, out=folder, force=True, say=lambda _: None)
    content = {
        "model": str(folder / "stages.npz"),
        "kafka": {"bootstrap_servers": list(settings.kafka.bootstrap_servers)},
        "topics": {"prefix": settings.topics.prefix, "partitions": 1},
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(content))
    (folder / "yesterday.jsonl.gz").write_bytes(gzip.compress((EXAMPLES / "posts.jsonl").read_bytes()))
    topics.create(settings)
    routed = json.loads((EXAMPLES / "urgent.json").read_text(encoding="utf-8"))
    with closing(clients.producer(settings.kafka)) as producer:
        for number, text in enumerate(stages):
            queue = settings.topics.name("queue.review" if number % 3 == 0 else "queue.reactive")
            value = json.dumps(routed | {"text": text, "event_id": f"e{number}", "external_id": f"x:{number}"})
            producer.send(queue, value.encode(), b"508", partition=0).get(timeout=30)
        gone = routed | {"event_type": "retracted", "event_id": "gone", "external_id": "x:gone", "text": ""}
        producer.send(settings.topics.name("queue.reactive"), json.dumps(gone).encode(), b"508", partition=0).get(30)


def _label(folder: Path, stages: dict[str, str]) -> None:
    """What people do with to_label.csv."""
    with (folder / "to_label.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert stages.keys() == {row["text"] for row in rows}
    _write(folder / "labelled.csv", [row | {"label": stages[row["text"]]} for row in rows])


def _write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "brand", "label"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def _run(line: str, folder: Path) -> str:
    """A line of the page in a shell, with this environment's programs."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], cwd=folder, env=os.environ | {"PATH": path}, capture_output=True,
        text=True, check=False, timeout=300,
    )  # fmt: skip
    assert 0 == done.returncode, done.stderr
    return done.stdout
