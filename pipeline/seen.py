"""What has come already: a post is known by its first id, its edits by how many there were."""

from __future__ import annotations

from collections import OrderedDict


class Seen:
    """Remembers so many posts; those not heard of for longest are forgotten first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._newest: OrderedDict[int | str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._newest)

    def is_new(self, first_id: str, revision: int) -> bool:
        """Whether this version, or a later one, has not come yet; from now on it has."""
        key: int | str = int(first_id) if first_id.isdecimal() else first_id  # a number takes half the memory
        known = self._newest.get(key)
        if known is not None:
            self._newest.move_to_end(key)
            if revision <= known:
                return False
        self._newest[key] = revision
        if len(self._newest) > self._most:
            self._newest.popitem(last=False)
        return True

    def forget(self, first_id: str) -> None:
        """It came and could not be kept."""
        self._newest.pop(int(first_id) if first_id.isdecimal() else first_id, None)
