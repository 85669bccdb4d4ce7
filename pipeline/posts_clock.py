"""What time it is for the posts: a replay of an old year happens in that year."""

from __future__ import annotations


class PostsClock:
    """What time it is for the posts: the wall's clock less the smallest lag that was ever seen.

    So a replay of an old year happens in that year, and goes on while nothing comes. One clock is for all partitions
    of a worker, for a partition may have had nothing but late posts so far.
    """

    def __init__(self) -> None:
        self._behind: int | None = None

    def notice(self, at: int, wall: int) -> None:
        """Something of the time `at` came at `wall`."""
        lag = max(0, wall - at)
        if self._behind is None or lag < self._behind:
            self._behind = lag

    def at(self, wall: int) -> int:
        """The posts' time; 0 before the first."""
        return 0 if self._behind is None else wall - self._behind
