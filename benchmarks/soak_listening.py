"""The listener against the fake X for half an hour of its clock: what was published against what stands in `tweets`.

The listener is a process of its own, on the same clock that runs `factor` times as fast. Faults are drawn from a seed;
posts are edited and deleted; the listener is stopped and killed now and then.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import yaml

from agents import clients, topics
from agents.children import end_with_parent
from agents.fake_x import FakeX
from agents.fake_x_by_hand import settings_for
from agents.fake_x_posts import FakePost
from agents.listener import LISTENER_TOPICS
from benchmarks.soak_faults import FAULTS, Deck
from pipeline import settings as settings_module
from pipeline.clocks import ScaledClock
from pipeline.settings import Brand, Settings

BRANDS = (
    Brand(name="acme", handles=("Acme", "AcmeHelp"), aliases=("Acme Air",)),
    Brand(name="zeta", handles=("Zeta",)),
)
TEXTS = (
    "@Acme bag {} is not here",
    "@AcmeHelp where is {}?",
    "Acme Air lost number {}",
    "@zeta and @acme, {}?",
    "@Zeta {}!",
)
POSTS_PER_S = 3.0
PAUSE_S = (5.0, 35.0)
"""Between two faults, in seconds of the fake X's clock."""
SETTLED_WITHIN_S = 2400.0
"""So long after the last fault, on that clock, all gaps are closed: a limit's window is a quarter of an hour."""
CERTAIN_S = 3.0
"""What X sent so long before anything went wrong, or the listener ended, has come to the listener."""
ROOT = Path(__file__).parents[1]


class Plan(NamedTuple):
    """How long, how fast, from which seed."""

    minutes: float
    factor: float
    seed: int
    restarts: int


class Process:
    """The listener, started again and again."""

    def __init__(self, file: Path, clock: ScaledClock, log: Path) -> None:
        self._file = file
        self._clock = clock
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        arguments = [str(self._file), str(self._clock.factor), repr(self._clock.now()), repr(time.time())]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.scaled_listener", *arguments],
                stderr=log,
                cwd=ROOT,
                env={**os.environ, "TRIAGE_METRICS__PORT": "0"},
                preexec_fn=end_with_parent,  # noqa: PLW1509 - it only makes a system call
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop it in order, or kill it."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(60)
            self._process = None

    def check(self) -> None:
        """Raise RuntimeError if it ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"the listener ended by itself: {self.log.read_text(errors='replace')[-2000:]}")


class Crowd:
    """Publishes, edits and deletes at random.

    Args:
        x: where.
        chance: draws.
    """

    def __init__(self, x: FakeX, chance: Random) -> None:
        self._x = x
        self._chance = chance
        self.published: list[FakePost] = []
        """First editions of what the listener wants to hear."""
        self.deleted: dict[str, float] = {}
        self.edits = 0

    def act(self) -> None:
        """One post, and now and then what becomes of an older one."""
        world, chance, number = self._x.world, self._chance, len(self.published)
        if chance.random() < 0.05:
            world.publish(f"nobody's business {number}", author="mallory")
        if chance.random() < 0.1 and self.published:
            parent = chance.choice(self.published[-200:])
            self.published.append(world.publish(f"We look after it ({number})", author="Acme", reply_to=parent.id))
        else:
            text = chance.choice(TEXTS).format(number)
            self.published.append(world.publish(text, author=f"c{chance.randrange(200)}"))
        older = chance.choice(self.published[-200:])
        if chance.random() < 0.02 and world.may_edit(older):
            world.edit(older.id, f"{older.text} (edited {number})")
            self.edits += 1
        if chance.random() < 0.01 and not older.gone:
            world.delete(older.id)
            self.deleted[older.id] = self._x.clock.now()


def run(bootstrap: str, folder: Path, plan: Plan) -> dict[str, Any]:
    """Publish, have things go wrong, wait until all is closed, compare."""
    chance = Random(plan.seed)
    past = time.time() - 60 * plan.minutes - 2 * SETTLED_WITHIN_S  # never after Kafka's timestamps, as in life
    clock = ScaledClock(plan.factor, start=past)
    with FakeX(clock=clock, visible_after_s=3.0, seed=plan.seed) as x:
        settings, file = _settings(x, bootstrap, folder, plan)
        listener, crowd, deck = Process(file, clock, folder / "listener.log"), Crowd(x, chance), Deck(x, chance)
        listener.start()
        try:
            _wait(x, listener, lambda: bool(x.faults.streams), 600.0, "it connects")
            ends = _go_wrong(x, listener, crowd, deck, chance, plan)
            x.faults.clear()
            deck.end()
            _settle(x, listener, crowd, settings)
        finally:
            listener.end()
        return _compare(x, crowd, deck, ends, settings)


def _settings(x: FakeX, bootstrap: str, folder: Path, plan: Plan) -> tuple[Settings, Path]:
    content = yaml.safe_load(settings_for(x, BRANDS)) | {
        "kafka": {"bootstrap_servers": [bootstrap]},
        "topics": {"prefix": "soak.", "partitions": 3},
        "listener": {
            "stall_after_s": 21 / plan.factor,  # a socket knows the machine's time only
            "checkpoint_s": 5.0,
            "spill": {"folder": str(folder / "spill")},
        },
    }
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    settings = settings_module.load(file)
    topics.create(settings, list(LISTENER_TOPICS))
    return settings, file


def _go_wrong(
    x: FakeX, listener: Process, crowd: Crowd, deck: Deck, chance: Random, plan: Plan
) -> list[tuple[float, float]]:
    """All of it; when the listener was stopped or killed, and when it was started again."""
    clock, ends = x.clock, list[tuple[float, float]]()
    began = clock.now()
    over = began + plan.minutes * 60
    restarts = sorted(chance.uniform(began + 30, over - 30) for _ in range(plan.restarts))
    fault_at, again_at = began + 20, 0.0
    while (now := clock.now()) < over:
        crowd.act()
        deck.look()
        if again_at and now > again_at:
            listener.start()
            ends.append((ends.pop()[0], now))
            again_at = 0.0
        elif restarts and now > restarts[0] and not again_at:
            restarts.pop(0)
            ends.append((now, now))
            listener.end(signal.SIGKILL if len(ends) % 2 else signal.SIGTERM)
            again_at = clock.now() + chance.uniform(0, 60)
        if now > fault_at:
            deck.deal()
            fault_at = now + chance.uniform(*PAUSE_S)
        if not again_at:
            listener.check()
        clock.sleep(chance.expovariate(POSTS_PER_S))
    if again_at:
        listener.start()
    return ends


def _settle(x: FakeX, listener: Process, crowd: Crowd, settings: Settings) -> None:
    """The world goes on, for a silent stream is noticed only where others would be heard."""

    def settled() -> bool:
        for _ in range(15):
            crowd.act()
            x.clock.sleep(1 / POSTS_PER_S)
        return bool(x.faults.streams) and all(gap["closed_at"] for gap in gaps(settings))

    _wait(x, listener, settled, SETTLED_WITHIN_S, "all gaps are closed")
    x.clock.sleep(45.0)  # the last lines


def _wait(x: FakeX, listener: Process, condition: Any, within_s: float, what: str) -> None:
    deadline = x.clock.now() + within_s
    while not condition():
        listener.check()
        if x.clock.now() > deadline:
            raise RuntimeError(f"not within {within_s:g} s of the fake X's clock: {what}; see {listener.log}")
        x.clock.sleep(1.0)


# What came of it.


def gaps(settings: Settings) -> list[dict[str, Any]]:
    """The gaps' records as they stand, the oldest first."""
    newest = {record.key: record.value for record in _records(settings, "listener.state")}
    found = [json.loads(value) for key, value in newest.items() if key.startswith(b"gap/") and value is not None]
    return sorted(found, key=lambda gap: gap["opened_at"])


def _records(settings: Settings, topic: str) -> Iterator[Any]:
    consumer = clients.consumer(settings.kafka)
    try:
        yield from clients.stored(consumer, settings.topics.name(topic))
    finally:
        consumer.close()


def _histories(settings: Settings) -> list[tuple[str, ...]]:
    """The chain of edits of each post in `tweets`."""
    found = []
    for record in _records(settings, "tweets"):
        try:
            found.append(tuple(json.loads(record.value)["data"]["edit_history_tweet_ids"]))
        except (ValueError, KeyError):
            continue  # a malformed line, which the triage worker dead-letters
    return found


def _compare(x: FakeX, crowd: Crowd, deck: Deck, ends: list[tuple[float, float]], settings: Settings) -> dict[str, Any]:
    histories, closed = _histories(settings), gaps(settings)
    here = {history[0] for history in histories}
    newest = {edition for history in histories for edition in history}
    bad_times = sorted([at for at, _ in deck.dealt] + [at for pair in ends for at in pair])
    wanted = [post for post in crowd.published if _must_come(x, post, bad_times)]
    lost = [post for post in wanted if post.id not in here]
    stale = [post for post in wanted if not post.gone and post.chain[-1] not in newest]
    return {
        "published": len(crowd.published),
        "recoverable": len(wanted),
        "in_topic": len(here & {post.id for post in wanted}),
        "lost": len(lost),
        "lost_posts": [[post.id, round(post.at, 1)] for post in lost[:20]],
        "edits": crowd.edits,
        "edits_lost": len(stale),
        "deleted": len(crowd.deleted),
        "duplicates_after_dedupe": len(histories) - len(set(histories)),
        "gaps": len(closed),
        "gaps_open": sum(gap["closed_at"] is None for gap in closed),
        "recovered": sum(sweep["recovered"] for gap in closed for sweep in gap["sweeps"]),
        "connects": len(x.counts.connects),
        "connects_without_gap": len(_unexplained(x.counts.connects, closed)),
        "connects_per_15_min_max": x.counts.most_connects(),
        "faults": len(deck.dealt),
        "kinds_of_faults": len({fault.name for _, fault in deck.dealt}),
        "kinds_there_are": len(FAULTS),
        "restarts": len(ends),
        "requests": {f"{route} {status}": count for (route, status), count in sorted(x.counts.by_route.items())},
    }


def _must_come(x: FakeX, post: FakePost, bad_times: list[float]) -> bool:
    """Whether it can be found still, or came to a listener that was connected."""
    if any(not x.world.posts[edition].gone for edition in post.chain):
        return True
    for edition in post.chain:
        for told in x.world.posts[edition].told:
            next_bad = bisect_right(bad_times, told.at - CERTAIN_S)
            if told.route != "stream" or bisect_left(bad_times, told.at + CERTAIN_S) == next_bad:
                return True
    return False


def _unexplained(connects: list[float], closed: list[dict[str, Any]]) -> list[float]:
    """Attempts to connect after the first that no gap explains."""
    spans = [(gap["since"], (gap["until"] or float("inf")) + CERTAIN_S) for gap in closed]
    return [at for at in connects[1:] if not any(since <= at <= until for since, until in spans)]
