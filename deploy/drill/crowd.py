"""Who writes on the fake X in a drill: many who want nothing, some who ask, and a brand that answers them."""

from __future__ import annotations

from collections import deque
from itertools import count
from threading import Event, Thread

from agents.fake_x import FakeX
from pipeline.settings import Brand

TALKED_OF = Brand(name="northwind", handles=("NorthwindAir",))
"""Is written about much, and owes nobody an answer."""
ASKED = Brand(name="acme", handles=("Acme",))
"""Is asked, and answers."""
TALK = (
    "@NorthwindAir love the new lounge, best crew ever ({})",
    "@NorthwindAir thank you for a lovely flight today ({})",
    "Flying @NorthwindAir to Oslo tomorrow, so excited ({})",
    "@NorthwindAir my bag has not arrived, where is it? ({})",
    "@NorthwindAir is your app down for everyone? cannot log in ({})",
)
QUESTIONS = (
    "@Acme my order {} has not come, where is it?",
    "@Acme I was charged twice for order {}, please refund me",
    "@Acme parcel {} is damaged, can you replace it?",
)
ANSWERED_AFTER_S = 0.25
POSTS_PER_S = 60.0
QUESTION_EVERY = 15
POISON_EVERY = 5


class Crowd(Thread):
    """Writes until it is stopped; what it does otherwise in a fault is an event."""

    def __init__(self, x: FakeX) -> None:
        super().__init__(name="crowd", daemon=True)
        self._x = x
        self._ending = Event()
        self._unanswered: deque[tuple[float, str]] = deque()
        self.nobody_answers = Event()
        """While it is set; then all who wait are answered."""
        self.poison = Event()
        """While it is set, every few posts a line comes that no program can read."""

    def run(self) -> None:
        """Write."""
        began = self._x.clock.monotonic()
        for number in count(1):
            if self._ending.wait(max(0.0, began + number / POSTS_PER_S - self._x.clock.monotonic())):
                return
            self._write(number)
            self._answer()

    def stop(self) -> None:
        """Write no more."""
        self._ending.set()
        self.join()

    def _write(self, number: int) -> None:
        world = self._x.world
        if number % QUESTION_EVERY == 0:
            question = world.publish(QUESTIONS[number % len(QUESTIONS)].format(number), author=f"asks{number}")
            self._unanswered.append((question.at + ANSWERED_AFTER_S, question.id))
        else:
            world.publish(TALK[number % len(TALK)].format(number), author=f"talks{number % 500}")
        if self.poison.is_set() and number % POISON_EVERY == 0:
            self._x.faults.malformed_line(b'{"data":{"id":"%d","te' % number)

    def _answer(self) -> None:
        now = self._x.clock.now()
        while self._unanswered and self._unanswered[0][0] <= now and not self.nobody_answers.is_set():
            _, question = self._unanswered.popleft()
            self._x.world.publish("Sorry! It is on its way.", author=ASKED.handles[0], reply_to=question)
