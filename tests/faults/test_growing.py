"""More partitions, as docs/upgrade.md has it: nothing is lost, the clocks go on, and a kill in between does no harm."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
import yaml
from arena import Arena, Result, Run, terminate, wait_for
from clocks import judge, start, wait_until_read
from fixtures import _results, arena, fault_broker, long, report
from story import StoryFeed

from agents import clients
from agents.hashed import hashed
from agents.states import State, states
from pipeline import settings as settings_module
from pipeline.desk import Word
from pipeline.desk import encode as encode_word
from pipeline.facts import Kind, whereabouts
from pipeline.heard import Retraction
from pipeline.posts import Queue
from pipeline.route import topic_of, utc
from pipeline.topics import DEAD, DESK, RETRACTIONS

pause = threading.Event().wait
pytestmark = [pytest.mark.timeout(900), pytest.mark.operations]
HERE = Path(__file__).parent


def command(run: Run, *words: str, program: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `triage` with the run's settings."""
    first = ["-m", "agents"] if program is None else [str(HERE / program)]
    return subprocess.run(
        [sys.executable, *first, "--settings", str(run.file), *words],
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def set_topics(run: Run, partitions: int) -> None:
    """What the operator changes in the settings when the topics have grown."""
    content = yaml.safe_load(run.file.read_text())
    content["topics"] |= {"partitions": partitions, "grown": True}
    run.file.write_text(yaml.safe_dump(content))
    run.settings, run.partitions = settings_module.load(run.file), partitions


def kept(run: Run) -> dict[tuple[str, ...], State]:
    """The states by their keys."""
    with closing(clients.consumer(run.settings.kafka)) as consumer:
        return {tuple(state.key): state for state in states(consumer, run.settings)}


def test_grown_and_killed_at_each_step(arena: Arena, report: list[Result], long: bool) -> None:
    """From 3 to 5 partitions with kills: each state moves once, and the story goes on as the model says."""
    run = arena.run("state-grown", partitions=3)
    feed = StoryFeed(run.settings)
    worker = start(run)
    feed.tell(300)
    wait_until_read(run)
    refused = command(run, "topics", "grow", "--partitions", "5")
    terminate(worker, within=25)
    before = kept(run)

    ends = [
        command(run, "topics", "grow", "--partitions", "5", program="dying_grow.py", DIES_AT=str(step)).returncode
        for step in (range(1, 12) if long else (3,))
    ]
    grown = command(run, "topics", "grow", "--partitions", "5")
    again = command(run, "topics", "grow", "--partitions", "5")
    set_topics(run, 5)
    after = kept(run)

    assert (1, 0, 0) == (refused.returncode, grown.returncode, again.returncode), refused.stderr + grown.stderr
    assert "are running: stop them first" in refused.stderr
    assert -9 in ends
    assert before.keys() == after.keys()
    assert {key: hashed(key[0].encode()) % 5 for key in after} == {key: state.partition for key, state in after.items()}
    assert sum(before[key].partition != after[key].partition for key in after) > 50
    assert all(before[key].conversation.turns == after[key].conversation.turns for key in after)

    start(run)
    feed.go_on_with(run.settings)
    feed.tell(300)
    judge(run, report, feed)


def test_what_is_said_of_earlier_posts(arena: Arena) -> None:
    """After growing, a word with the old partition, a move and a retraction of a post before it all find it."""
    run = arena.run("state-grown-said", partitions=2)
    feed = StoryFeed(run.settings)
    worker = start(run)
    feed.tell(60)
    wait_until_read(run)
    terminate(worker, within=25)
    done = command(run, "topics", "grow", "--partitions", "5")
    set_topics(run, 5)
    moved = [state for state in kept(run).values() if state.partition >= 2 and state.conversation.turns]
    resolved, shifted, gone = [state for state in moved if _asked(state)][:3]

    start(run)
    with closing(clients.producer(run.settings.kafka)) as producer:
        for state, word, to in ((resolved, "resolve", None), (shifted, "move", "engagement")):
            said = Word(f"late{word}", word, state.key.customer, "acme", state.key.conversation, utc(_now(state)),  # type: ignore[arg-type]
                        "ann", to, _asked(state), partition=0)  # fmt: skip
            producer.send(run.settings.topics.name(DESK), encode_word(said), b"x", partition=1).get(timeout=30)
        customer = gone.key.customer
        retraction = msgspec.json.encode(Retraction(_asked(gone), customer, utc(_now(gone))))
        producer.send(run.settings.topics.name(RETRACTIONS), retraction, customer.encode()).get(timeout=30)

    name = run.settings.topics.name
    assert done.returncode == 0, done.stderr
    wait_for(lambda: _stands(run, "desk:lateresolve", resolved), within=30, what="the word is known")
    wait_for(lambda: _told(run, name(topic_of(Queue.ENGAGEMENT)), _asked(shifted), "routed"), within=30, what="moved")
    wait_for(
        lambda: any(
            _told(run, name(topic_of(queue)), _asked(gone), "retracted") for queue in (Queue.REACTIVE, Queue.REVIEW)
        ),
        within=30,
        what="the retraction is told where the post stands",
    )
    assert not _records(run, name(DEAD))
    feed.end()
    run.stop()


def _asked(state: State) -> str:
    """A post of the customer's that stands in a topic, in the old partition."""
    facts = (fact for fact in state.conversation.facts if fact.kind is Kind.ASKED and fact.place >= 0)
    return next((fact.id for fact in facts if whereabouts(fact.place, state.partition)[0] < 2), "")


def _now(state: State) -> int:
    return state.conversation.clock


def _stands(run: Run, fact: str, state: State) -> bool:
    found = kept(run).get(tuple(state.key))
    return found is not None and found.fact(fact) is not None


def _records(run: Run, topic: str) -> list[bytes]:
    with closing(clients.consumer(run.settings.kafka)) as consumer:
        return [record.value for record in clients.stored(consumer, topic)]


def _told(run: Run, topic: str, post: str, event: str) -> bool:
    records = (msgspec.json.decode(value) for value in _records(run, topic))
    return any((one["external_id"], one["event_type"]) == (f"x:{post}", event) for one in records)
