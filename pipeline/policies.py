"""From settings to the rules of each brand: targets, business hours, patience, and the phrases of its answers."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.brands import OTHER
from pipeline.errors import SettingsError
from pipeline.facts import QUEUES
from pipeline.phrases import Phrases
from pipeline.posts import Queue
from pipeline.settings import Brand, Settings
from pipeline.turns import Policy

ASKING = (Queue.REACTIVE, Queue.PROACTIVE, Queue.ENGAGEMENT, Queue.REVIEW)


def wanted_queues(names: str) -> tuple[Queue, ...]:
    """Queues as the command line names them: all, or some with commas between.

    Raises:
        SettingsError: one that is no queue.
    """
    if names == "all":
        return ASKING
    known = {queue.value: queue for queue in ASKING}
    unknown = [name for name in names.split(",") if name not in known]
    if unknown:
        raise SettingsError(f"{unknown[0]!r} is no queue that customers' posts go to: all, or {', '.join(known)}")
    return tuple(known[name] for name in names.split(","))


class Policies:
    """The rules by brand name; a brand that settings do not know has the general ones.

    Args:
        queues: those that want an answer; None: what the settings say.
    """

    def __init__(self, settings: Settings, queues: Iterable[Queue] | None = None) -> None:
        self._settings = settings
        self._queues = tuple(queues) if queues is not None else settings.responses.queues
        self._brands = {brand.name: brand for brand in settings.brands}
        self._policies: dict[str, Policy] = {}
        self._phrases: dict[str, Phrases] = {}
        self._bots = {handle.lower() for brand in settings.brands for handle in brand.bots}
        self._accounts = {one.lower() for brand in settings.brands for one in (*brand.handles, *brand.ids)}

    def __call__(self, brand: str) -> Policy:
        """The rules of a brand."""
        policy = self._policies.get(brand)
        if policy is None:
            policy = self._policies[brand] = self._policy(self._brands.get(brand, OTHER))
        return policy

    def phrases(self, brand: str) -> Phrases:
        """The phrases of a brand's answers."""
        phrases = self._phrases.get(brand)
        if phrases is None:
            known = self._brands.get(brand, OTHER)
            phrases = self._phrases[brand] = Phrases(known.to_dm, known.to_email)
        return phrases

    def is_bot(self, handle: str) -> bool:
        """Whether an account is a machine."""
        return handle.lower() in self._bots

    def is_own(self, account: str) -> bool:
        """Whether an account, by handle or id, is one of a brand's."""
        return account.lower() in self._accounts

    def _policy(self, brand: Brand) -> Policy:
        settings, responses = self._settings, self._settings.responses
        targets = {**settings.targets, **brand.targets}
        wanted = [queue for queue in ASKING if targets.get(queue) is not None] if self._queues is None else self._queues
        hours = {queue: settings.hours_of(brand, queue) for queue in ASKING}
        return Policy(
            frozenset(QUEUES.index(queue) for queue in wanted),
            {QUEUES.index(queue): target * 1000 for queue, target in targets.items() if target is not None},
            {QUEUES.index(queue): given.calendar() for queue, given in hours.items() if given is not None},
            responses.near,
            responses.resolved_after_s * 1000,
            responses.forgotten_after_s * 1000,
            responses.forgotten_open_after_s * 1000,
        )
