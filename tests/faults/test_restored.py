"""`conversations` backed up and restored, as docs/upgrade.md has it: what was lost since the backup is read again."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from arena import Arena, Result, Run, terminate, wait_for
from clocks import judge, start, wait_until_read
from fixtures import _results, arena, fault_broker, long, report
from story import StoryFeed

from agents import clients, topics
from pipeline.kept import Kept, Placed
from pipeline.topics import CONVERSATIONS

pause = threading.Event().wait
pytestmark = [pytest.mark.timeout(900), pytest.mark.operations]


def command(run: Run, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `triage` with the run's settings."""
    start_it = [sys.executable, "-m", "agents", "--settings", str(run.file)]
    return subprocess.run([*start_it, *words], env=os.environ, capture_output=True, text=True, check=False)


def stands(run: Run) -> dict[Placed, Kept]:
    """What `conversations` says: partitions, keys, values, timestamps."""
    with closing(clients.consumer(run.settings.kafka)) as consumer:
        return clients.newest(consumer, run.settings.topics.name(CONVERSATIONS))


def lose(run: Run) -> None:
    """The topic is deleted, and made again."""
    name = run.settings.topics.name(CONVERSATIONS)
    with closing(clients.admin(run.settings.kafka)) as admin:
        admin.delete_topics([name])
        wait_for(lambda: name not in admin.list_topics(), within=30, what="the topic is gone")
    wait_for(lambda: "created" in " ".join(topics.create(run.settings, [CONVERSATIONS])), within=30, what="made again")


def test_restored_as_it_was(arena: Arena, folder: Path) -> None:
    """State after equals state before: keys, values, partitions, timestamps; what is there already is refused."""
    run = arena.run("state-restored", partitions=3)
    feed = StoryFeed(run.settings)
    worker = start(run)
    feed.tell(200)
    wait_until_read(run)
    terminate(worker, within=25)
    before, file = stands(run), folder / "conversations.jsonl.gz"

    saved = command(run, "backup", str(file))
    lose(run)
    back = command(run, "restore", str(file))
    after = stands(run)
    again = command(run, "restore", str(file))

    assert (0, 0, 0) == (saved.returncode, back.returncode, again.returncode), saved.stderr + back.stderr
    assert len(before) > 100
    assert before == after == stands(run)
    feed.end()


def test_restored_from_before_more_came(arena: Arena, folder: Path, report: list[Result], long: bool) -> None:
    """A backup under load, more comes, the topic is lost: restored, all that came since is in the state too."""
    run = arena.run("state-lost", partitions=3)
    feed, file = StoryFeed(run.settings).start(), folder / "conversations.jsonl.gz"
    worker = start(run)
    pause(20.0 if long else 4.0)
    saved = command(run, "backup", str(file))
    pause(20.0 if long else 4.0)
    terminate(worker, within=25)

    lose(run)
    refused = command(run, "restore", str(_shortened(file)))
    back = command(run, "restore", str(file))
    start(run)

    assert (0, 1, 0) == (saved.returncode, refused.returncode, back.returncode), saved.stderr + back.stderr
    assert "cannot be read as a backup" in refused.stderr
    judge(run, report, feed, most_twice=0)


def _shortened(file: Path) -> Path:
    cut = file.with_name("cut.gz")
    cut.write_bytes(file.read_bytes()[:-200])
    return cut
