"""Reads a contender's responses and states back, in the peers' environment, whose client reads every compression.

`-m benchmarks.read_responses SETTINGS EVENTS STATES` prints one JSON object; `read_responses` runs it so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.conversations import answer_id, number, partition_of, post_id
from benchmarks.read_back import ROOT, Read, read
from pipeline import settings as settings_module
from pipeline.kept import TOLD
from pipeline.responses import Response
from pipeline.settings import Settings
from pipeline.told import Ledger
from pipeline.told import read as decode
from pipeline.topics import RESPONSES
from pipeline.turns import End


class Found(NamedTuple):
    """What a contender wrote."""

    records: int
    unique: int
    """Different event ids."""
    misplaced: int
    """Records that are not in the partition of their customer, or whose key or ce_id is another's."""
    right: int
    """Questions of which the last word is what it ought to be: answered by that post, after so long; or waiting."""
    states: int
    """Conversations whose state stands in the topic that the contender keeps it in."""

    def complete(self, count: int) -> bool:
        """Whether that is all of so many events, and right."""
        questions = number(count).questions
        return self == Found(count, count, 0, questions, questions)


def read_responses(python: Path, file: Path, count: int, states: str) -> Found:
    """Check all that a contender with these settings wrote; `states` is the topic that keeps its state."""
    command = [str(python), "-m", "benchmarks.read_responses", str(file), str(count), states]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment, cwd=ROOT)
    return msgspec.json.decode(done.stdout, type=Found)


def main(file: str, count: int, states: str) -> Found:
    """Read everything once."""
    settings = settings_module.load(Path(file))
    ids, ledger, records, misplaced = set[str](), Ledger(), 0, 0
    for one in read(settings, [RESPONSES]):
        said = decode(one.value)
        records += 1
        ids.add(said.event_id)
        ledger.take(one.value)
        misplaced += not _placed(one, said, settings)
    bare = settings.model_copy(update={"topics": settings.topics.model_copy(update={"prefix": ""})})
    kept = {one.key for one in read(bare, [states])} - {TOLD}
    return Found(records, len(ids), misplaced, _right(ledger, count), len(kept))


def _placed(one: Read, said: Response, settings: Settings) -> bool:
    partition = partition_of(said.customer, settings.topics.partitions)
    place = (one.partition, one.key) == (partition, said.customer.encode())
    return place and ("ce_id", said.event_id.encode()) in one.headers


def _right(ledger: Ledger, count: int) -> int:
    answers = number(count).answers
    wanted = {post_id(place): (place, place < answers) for place in range(number(count).questions)}
    right = 0
    for whose, turn, _ in ledger.turns():
        place, answered = wanted[turn.post]
        fine = turn.first and turn.posts == 1 and whose.conversation == turn.post
        if answered:
            waited = turn.ended - turn.opened == 1000 + place % 997
            right += fine and waited and (turn.end, turn.answer) == (End.ANSWERED, answer_id(place))
        else:
            right += fine and turn.end is End.WAITING
    return right


def state_topic(contender: str, settings: Settings) -> str:
    """Where a contender keeps its state."""
    group, name = settings.responses.group, settings.topics.name
    return {
        "worker": name("conversations"),
        "faust_table": f"{group}-waits-changelog",
        "kafka_streams": f"{group}-waits-changelog",
        "quix_state": f"changelog__{group}--{'--'.join(sorted((name('queue.reactive'), name('posts.own'))))}--default",
    }[contender]


if __name__ == "__main__":
    print(msgspec.json.encode(main(sys.argv[1], int(sys.argv[2]), sys.argv[3])).decode())
