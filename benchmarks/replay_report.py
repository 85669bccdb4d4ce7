"""A customer-support CSV through the whole stream: `python -m benchmarks.replay_report FILE`.

Replays the file through an embedded Kafka, a triage and a responses worker, and holds `triage report` from the topics
against `triage report FILE`: counts, medians and means of first responses, brand by brand. `--twice` sends every
record twice, `--shuffled` in another order.

One definition differs: in a file a conversation belongs to the account that answered the customer first; on the stream
each brand that a customer names and that answers has a clock of its own.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import yaml
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError
from rich.console import Console

from agents import clients, topics
from agents.broker import Broker
from agents.children import child
from agents.classifiers import load_first
from agents.csv_posts import slug
from agents.replay import Pace, World, replay
from agents.report import report_files
from agents.report_topic import report_topic
from pipeline import settings as settings_module
from pipeline.report import Report
from pipeline.settings import Settings
from pipeline.topics import HEARD_TOPICS, TWEETS

FOR_EVER = 10**9
Found = dict[str, tuple[int, float | None, float | None]]


def main() -> None:
    """Replay, wait, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--twice", action="store_true", help="send every record twice")
    parser.add_argument("--shuffled", action="store_true", help="in another order")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="replay-") as name:
        folder = Path(name)
        with Broker(folder / "kafka", log=lambda _: None, port=29292) as broker:
            file = _settings(folder, chosen.file, broker.bootstrap)
            settings = settings_module.load(file)
            topics.create(settings)
            sent = _shuffled(chosen.file, folder) if chosen.shuffled else chosen.file
            with ExitStack() as stack:
                for command in ("worker", "responses"):
                    stack.enter_context(child([command], file, folder / f"{command}.log"))
                for _ in range(2 if chosen.twice else 1):
                    replay(settings, [sent], Pace(), Console(stderr=True), World())
                _wait_until_read(settings)
                stream = report_topic(settings)
        expected = report_files(settings, [chosen.file], load_first(None))
    sys.exit(_compare(_found(expected), _found(stream), _shared(chosen.file)))


def _settings(folder: Path, data: Path, bootstrap: str) -> Path:
    """Every account that the file takes for a brand's is one; every queue wants an answer."""
    with data.open(encoding="utf-8", newline="") as rows:
        handles = sorted({row["author_id"] for row in csv.DictReader(rows) if row["inbound"] == "False"})
    content = {
        "brands": [{"name": slug(handle), "handles": [handle], "ids": [handle]} for handle in handles],
        "kafka": {"bootstrap_servers": [bootstrap]},
        "metrics": {"port": 0},
        "responses": {
            "queues": ["reactive", "proactive", "engagement", "review"],
            "forgotten_after_s": FOR_EVER,
            "forgotten_open_after_s": FOR_EVER,
        },
    }
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def _shuffled(data: Path, folder: Path) -> Path:
    """The file with its rows in another order."""
    with data.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    random.Random(5).shuffle(rows)
    path = folder / "shuffled.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([names, *rows])
    return path


def _wait_until_read(settings: Settings) -> None:
    """Until both groups have committed all that stands in what they read."""
    consumer, admin = clients.consumer(settings.kafka), clients.admin(settings.kafka)
    deadline = time.monotonic() + 300
    for group, names in ((settings.worker.group, (TWEETS,)), (settings.responses.group, HEARD_TOPICS)):
        parts = range(settings.topics.partitions)
        tps = [TopicPartition(settings.topics.name(name), part) for name in names for part in parts]
        while True:
            offsets = _offsets(admin, group)
            if all(offsets.get(tp, 0) >= end for tp, end in consumer.end_offsets(tps).items()):
                break
            if time.monotonic() > deadline:
                sys.exit(f"{group} does not come to the end")
            time.sleep(0.5)
    consumer.close()
    admin.close()


def _offsets(admin: KafkaAdminClient, group: str) -> dict[TopicPartition, int]:
    """Nothing while a fresh broker still makes the group's coordinator."""
    try:
        return {tp: found.offset for tp, found in admin.list_group_offsets(group)[group].items()}
    except (
        CoordinatorNotAvailableError,
        CoordinatorLoadInProgressError,
        NotCoordinatorError,
    ):
        return {}


def _found(report: Report) -> Found:
    return {
        slug(brand): (waits.first_response.n, waits.first_response.median_s, waits.first_response.mean_s)
        for brand, waits in report.brands.items()
        if waits.first_response.n
    }


def _shared(data: Path) -> dict[str, set[str]]:
    """Customers whom several accounts answered in one conversation, by account: (customer, conversation)."""
    with data.open(encoding="utf-8", newline="") as file:
        rows = {row["tweet_id"]: row for row in csv.DictReader(file)}
    answered: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows.values():
        parent = rows.get(row["in_response_to_tweet_id"])
        if row["inbound"] == "False" and parent is not None and parent["inbound"] == "True":
            answered[parent["author_id"], _root(row, rows)].add(slug(row["author_id"]))
    shared: dict[str, set[str]] = defaultdict(set)
    for (customer, conversation), accounts in answered.items():
        for account in accounts if len(accounts) > 1 else ():
            shared[account].add(f"customer {customer} in conversation {conversation}")
    return shared


def _root(row: Mapping[str, str], rows: Mapping[str, Mapping[str, str]]) -> str:
    seen = set[str]()
    while (parent := rows.get(row["in_response_to_tweet_id"])) is not None and parent["tweet_id"] not in seen:
        seen.add(parent["tweet_id"])
        row = parent
    return row["tweet_id"]


def _compare(expected: Found, found: Found, shared: Mapping[str, set[str]]) -> int:
    """A difference is explained where several accounts answered one customer: each has a clock on the stream."""
    unexplained = 0
    for brand in sorted({*expected, *found}):
        one, other = expected.get(brand, (0, None, None)), found.get(brand, (0, None, None))
        if one == other:
            continue
        why = shared.get(brand, set())
        explained = 0 < other[0] - one[0] <= len(why)
        unexplained += not explained
        print(f"{brand}: file {one}, stream {other}: {'; '.join(sorted(why)) if explained else 'NOT EXPLAINED'}")
    count = sum(number for number, *_ in found.values())
    print(f"{len(found)} brands, {count} first responses, {unexplained} differences that are not explained")
    return int(bool(unexplained))


if __name__ == "__main__":
    main()
