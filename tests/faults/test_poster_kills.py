"""The poster is killed: between each two steps of an answer, and at random; no answer is posted twice, none is lost."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures import long

from agents.broker import Broker
from agents.fake_x import FakeX
from benchmarks.posting_place import KILLED_TIMES, SETTLED_S, Desk, Killed, pause
from pipeline.replies import Reply

REPORT = Path(__file__).parents[2] / "build" / "poster-kills.json"
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def desk(broker: Broker, prefix: str, tmp_path: Path) -> Iterator[Desk]:
    """A helpdesk, and a fake X on the machine's clock; waits are short."""
    with FakeX(rate_limits={"POST /2/tweets": (10_000, 900.0)}) as x:
        desk = Desk(x, broker.bootstrap, prefix, tmp_path, **KILLED_TIMES)
        yield desk
        desk.close()


@pytest.fixture
def poster(desk: Desk, tmp_path: Path) -> Iterator[Killed]:
    """What kills posters."""
    killed = Killed(desk, tmp_path)
    yield killed
    killed.kill()


def _dies(desk: Desk, poster: Killed, at: str) -> Reply:
    """One answer is posted in peace; with the next the poster dies at the point."""
    first, second = desk.asked("ann"), desk.asked("bob")
    process = poster.start(at=at, identity=second.id)
    desk.send(first)
    desk.wait_for(first.id)
    desk.send(second)
    assert -signal.SIGKILL == process.wait(60)
    return second


@pytest.mark.parametrize("at", ["intent", "answer", "result", "told"])
def test_killed_at(desk: Desk, poster: Killed, at: str) -> None:
    """Before anything went out, with the answer of X in hand, with the result written, with all but the commit done."""
    reply = _dies(desk, poster, at)

    poster.start()
    outcomes = desk.wait_for(reply.id, within=60)

    assert ("reply_posted", 1) == (outcomes[reply.id], desk.on_x()[reply.text])


@pytest.mark.parametrize("at", ["sending", "call"])
def test_killed_right_before_the_call(desk: Desk, poster: Killed, at: str) -> None:
    """It may be on X, and is not: what X does not show in time is sent."""
    reply = _dies(desk, poster, at)

    poster.start()
    outcomes = desk.wait_for(reply.id)

    assert ("reply_posted", 1) == (outcomes[reply.id], desk.on_x()[reply.text])


def test_killed_right_before_the_call_and_counted(desk: Desk, poster: Killed) -> None:
    """X's count of requests shows with the next answer that it never came, and it is sent."""
    reply = _dies(desk, poster, "call")

    pause(SETTLED_S)
    poster.start()
    other = desk.asked("cid")
    desk.send(other)
    outcomes = desk.wait_for(reply.id, other.id, within=60)

    assert {"reply_posted"} == set(outcomes.values())
    assert {1} == set(desk.on_x().values())


def test_killed_with_the_call_and_shown_late(desk: Desk, poster: Killed) -> None:
    """X took it, and shows it only after some seconds: it is found."""
    desk.x.faults.hide_new_posts(4)
    reply = _dies(desk, poster, "answer")

    poster.start()
    outcomes = desk.wait_for(reply.id, within=60)

    assert ("reply_posted", 1) == (outcomes[reply.id], desk.on_x()[reply.text])


def test_killed_with_the_call_and_hidden(desk: Desk, poster: Killed) -> None:
    """X took it, never shows it, and refuses it as a double: unknown, whatever is posted meanwhile."""
    desk.x.faults.hide_new_posts(10**6)
    reply = _dies(desk, poster, "answer")
    desk.x.faults.hide_new_posts(0)

    pause(SETTLED_S)
    poster.start()
    other = desk.asked("cid")
    desk.send(other)
    outcomes = desk.wait_for(reply.id, other.id, within=60)

    assert ("reply_unknown", "reply_posted") == (outcomes[reply.id], outcomes[other.id])
    assert {1} == set(desk.on_x().values())
    assert 1 == desk.x.counts.by_route["POST /2/tweets", 403]


def test_killed_at_random(desk: Desk, poster: Killed, long: bool) -> None:
    """While X loses answers, is not available, limits, and hides posts for a second: none twice, none lost."""
    chance = random.Random(6)
    replies: list[Reply] = []
    for _ in range(60 if long else 6):
        poster.start()
        for _ in range(chance.randint(2, 5)):
            replies.append(desk.asked(f"c{len(replies)}"))
            desk.send(replies[-1], chance.randrange(3))
        _trouble(desk.x, chance)
        pause(chance.uniform(0.0, 0.8))
        poster.kill()
    desk.x.faults.clear()
    poster.start()
    asked = [reply.id for reply in replies]
    outcomes = desk.wait_for(*asked, within=120)

    on_x = desk.on_x()
    report = {
        "asked": len(replies),
        "posted": sum(outcome == "reply_posted" for outcome in outcomes.values()),
        "unknown": sum(outcome == "reply_unknown" for outcome in outcomes.values()),
        "twice": sum(count > 1 for count in on_x.values()),
        "lost": sum(outcomes[one.id] == "reply_posted" and on_x[one.text] == 0 for one in replies),
    }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report) + "\n")
    assert (0, 0, 0) == (report["twice"], report["lost"], report["unknown"]), report
    assert report["asked"] == report["posted"], report


def _trouble(x: FakeX, chance: random.Random) -> None:
    faults = x.faults
    faults.hide_new_posts(chance.choice([0, 0, 1]))
    trouble = chance.choice(["nothing", "lost", "broken", "unavailable", "limit"])
    if trouble == "lost":
        faults.lose_answer()
    elif trouble == "broken":
        faults.lose_answer(done=False, counted=chance.random() < 0.5)
    elif trouble == "unavailable":
        faults.unavailable(to="POST /2/tweets", done=chance.random() < 0.5)
    elif trouble == "limit":
        faults.limit(to="GET /2/users/:id/tweets", with_reset=False)
