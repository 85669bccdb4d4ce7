"""What X's own count of requests says of calls whose answer was lost: that one never came, it can show.

With each answer X says how many requests are left until when (x-rate-limit-remaining, -reset). When a later call is
answered, and no more is gone than the calls that were answered or found on X, then those in doubt never came to X.
Whoever else posts with the same account and app makes the count smaller, and so never shows that wrongly.
"""

from __future__ import annotations

from collections.abc import Iterable


class RequestCount:
    """The count of one account and one kind of call.

    Args:
        settle_ms: a call may reach X so long after it was made.
    """

    def __init__(self, settle_ms: int) -> None:
        self._settle_ms = settle_ms
        self._base: tuple[int, float] | None = None
        self._came = 0
        """Calls since the base that came for certain."""
        self._doubtful: dict[str, int] = {}

    def doubt(self, identity: str, at: int) -> None:
        """A call that was made at `at` (ms), or was about to be, got no answer."""
        self._doubtful[identity] = at

    def settled(self, identity: str, *, found: bool = False) -> None:
        """A call is in doubt no more: it came to X, as far as we know; for certain, where it was found there."""
        if self._doubtful.pop(identity, None) is None:
            return
        if found:
            self._came += 1
        else:
            self._base = None  # it is counted in what X says next, or is not

    def answered(self, remaining: int | None, reset_at: float | None, sent_at: int) -> list[str]:
        """X answered another call, made at `sent_at` (ms): the calls in doubt that never came to it."""
        if remaining is None or reset_at is None:
            self._rebase(None)
            return []
        now = (remaining, reset_at)
        if self._base is None or self._base[1] != reset_at:
            self._rebase(now)
            return []
        self._came += 1
        unexplained = self._base[0] - remaining - self._came
        if unexplained:
            if not 0 < unexplained <= len(self._doubtful):  # else some of those came, and may be found
                self._rebase(now)
            return []
        never = [one for one, at in self._doubtful.items() if at + self._settle_ms <= sent_at]
        self._forget(never)
        if not self._doubtful:
            self._rebase(now)
        return never

    def _forget(self, identities: Iterable[str]) -> None:
        for identity in identities:
            del self._doubtful[identity]

    def _rebase(self, base: tuple[int, float] | None) -> None:
        """Count from here; what was in doubt before, this cannot tell any more."""
        self._base = base
        self._came = 0
        self._doubtful.clear()
