"""As which account a brand posts and is looked for: its tokens say it, not the order of its accounts."""

from __future__ import annotations

from typing import Any, cast

import pytest

from agents.x_api import Answer, XApi
from agents.x_calls import Account
from agents.x_host import Limit
from pipeline.clocks import SystemClock
from pipeline.replies import Reply
from pipeline.settings import Brand

REPLY = Reply("r1", "reply", "acme", "On its way", "2026-01-01T00:00:00Z", "1", "5", "1")


class Api:
    """Shows nothing, and keeps whose posts were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def timeline(self, user_id: str, **_: Any) -> Answer:
        """An empty page."""
        self.asked.append(user_id)
        return Answer(b"{}", Limit())

    def user(self, handle: str) -> Answer:
        """An account whose id is its handle's length."""
        return Answer(b'{"data": {"id": "%d"}}' % len(handle), Limit())


@pytest.mark.parametrize(
    ("ids", "token", "expected"),
    [(["70", "71"], "71-secret", "71"), (["70"], "opaque", "70"), (["70", "71"], "opaque", "4"), ([], "opaque", "4")],
)
def test_whose_posts_are_looked_through(ids: list[str], token: str, expected: str) -> None:
    """The token's account; where a token does not say it, the only one, else the one that X names for the handle."""
    api = Api()
    brand = Brand.model_validate({"name": "acme", "handles": ["Acme"], "ids": ids})

    Account(cast("XApi", api), brand, token, SystemClock()).look(REPLY, (0, 1), ())

    assert [expected] == api.asked
