"""The real poster, killed at every point of an answer's way and at random, while X loses answers and hides posts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from agents.fake_x import FakeX
from agents.fake_x_limits import CREATE, TIMELINE
from benchmarks.posting_place import KILLED_TIMES, Desk, Killed, pause
from pipeline.replies import Reply

POINTS = ("intent", "sending", "call", "answer", "result", "told", "looked")
"""Where a poster says what it has just done, in the order of an answer's way; looked: for one whose answer is lost."""
FOR_GOOD_S = 1e6
TOLD_WITHIN_S = 120.0


class Plan(NamedTuple):
    """How often, from which seed."""

    points: Sequence[str]
    """Where it is killed, one after the other ..."""
    at_random: int
    """... and how often at any moment."""
    seed: int
    hide: bool
    """Whether X hides some posts for good."""


class Asked:
    """The answers that were asked for."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.replies: list[Reply] = []

    def write(self) -> Reply:
        """Write one; it is not sent yet."""
        self.replies.append(self._desk.asked(f"customer{len(self.replies)}"))
        return self.replies[-1]

    def send(self, reply: Reply) -> None:
        """Send it."""
        self._desk.send(reply, len(self.replies) % 3)


class Posting:
    """One sitting.

    Args:
        x: what it posts to.
        desk: who asks.
        poster: what is killed.
        chance: draws.
    """

    def __init__(self, x: FakeX, desk: Desk, poster: Killed, chance: Random) -> None:
        self._x = x
        self._desk = desk
        self._poster = poster
        self._chance = chance
        self.asked = Asked(desk)
        self._doubtful: list[str] = []
        """Answers that were under way when the poster was killed."""

    def die_at(self, point: str) -> None:
        """What was under way is brought to an end in peace; then it dies at a point of the next answer's way."""
        victim = self.asked.write()
        process = self._poster.start(at=point, identity=victim.id)
        self.peace()
        if point == "looked":
            self._x.faults.lose_answer()
        self.asked.send(victim)
        process.wait(60)
        self._doubtful = [victim.id]

    def die_at_random(self, *, hide: bool) -> None:
        """The same at any moment, while X does not do as it should."""
        self._poster.start()
        self.peace()
        hidden = _trouble(self._x, self._chance, hide=hide)
        replies = [self.asked.write() for _ in range(self._chance.randint(2, 5))]
        for reply in replies:
            self.asked.send(reply)
        pause(self._chance.uniform(0.0, 0.8))
        self._poster.kill()
        self._doubtful = [] if hidden else [reply.id for reply in replies]

    def end(self) -> None:
        """All is brought to an end."""
        self._poster.start()
        self.peace()
        self._desk.wait_for(*[reply.id for reply in self.asked.replies], within=TOLD_WITHIN_S)

    def peace(self) -> None:
        """X does as it should; another answer is posted, and what was in doubt is told."""
        self._x.faults.clear()
        reply = self.asked.write()
        self.asked.send(reply)
        self._desk.wait_for(reply.id, *self._doubtful, within=TOLD_WITHIN_S)


def run(bootstrap: str, folder: Path, plan: Plan) -> dict[str, Any]:
    """Ask, kill, start again; in the end compare what was asked with what is on X."""
    with FakeX(rate_limits={CREATE: (10_000, 900.0)}, seed=plan.seed) as x:
        desk = Desk(x, bootstrap, "kills.", folder, **KILLED_TIMES)
        poster = Killed(desk, folder)
        posting = Posting(x, desk, poster, Random(plan.seed))
        try:
            for point in plan.points:
                posting.die_at(point)
            for _ in range(plan.at_random):
                posting.die_at_random(hide=plan.hide)
            posting.end()
            return _compare(x, desk, posting.asked)
        finally:
            poster.kill()
            desk.close()


def _trouble(x: FakeX, chance: Random, *, hide: bool) -> bool:
    """Something goes wrong; whether X hides posts for good."""
    faults = x.faults
    hidden = chance.choice([0, 0, 1, 1, FOR_GOOD_S if hide else 0])
    faults.hide_new_posts(hidden)
    trouble = chance.choice(["nothing", "lost", "lost", "broken", "unavailable", "limit"])
    if trouble == "lost":
        faults.lose_answer(times=chance.randint(1, 2))
    elif trouble == "broken":
        faults.lose_answer(times=chance.randint(1, 2), done=False, counted=chance.random() < 0.5)
    elif trouble == "unavailable":
        faults.unavailable(to=CREATE, done=chance.random() < 0.5)
    elif trouble == "limit":
        faults.limit(to=chance.choice([TIMELINE, CREATE]), with_reset=False)
    return hidden == FOR_GOOD_S


def _compare(x: FakeX, desk: Desk, asked: Asked) -> dict[str, Any]:
    outcomes, on_x = desk.outcomes(), desk.on_x()
    hidden = {post.text.partition(" ")[2] for post in x.world.posts.values() if post.visible_at > x.clock.now()}
    unknown = [reply for reply in asked.replies if outcomes[reply.id] == "reply_unknown"]
    return {
        "asked": len(asked.replies),
        "posted": sum(outcomes[reply.id] == "reply_posted" and on_x[reply.text] > 0 for reply in asked.replies),
        "twice": sum(count > 1 for count in on_x.values()),
        "lost": sum(on_x[reply.text] == 0 and reply not in unknown for reply in asked.replies),
        "unknown": len(unknown),
        "unknown_and_not_hidden": sum(reply.text not in hidden for reply in unknown),
    }
