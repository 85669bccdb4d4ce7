"""The fake X's endpoints: which answer comes to which method and path."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from agents import fake_x_limits as names
from agents.fake_x_asked import Asked, Said, Site
from agents.fake_x_connections import connections, end_connections
from agents.fake_x_reading import dm_events, lookup, mentions, recent, timeline, user
from agents.fake_x_writing import create, create_dm, get_rules, post_rules

Answer = Callable[[Site, Asked], Said]


class Route(NamedTuple):
    """An endpoint."""

    name: str
    pattern: re.Pattern[str]
    answer: Answer | None
    """None: the stream, which is no answer."""
    as_user: bool = False
    """It must be asked as a user."""


def _route(name: str, answer: Answer | None, *, as_user: bool = False) -> Route:
    parts = [r"([^/]+)" if part.startswith(":") else re.escape(part) for part in name.split("/")]
    return Route(name, re.compile("/".join(parts)), answer, as_user)


ROUTES = (
    _route(names.STREAM, None),
    _route(names.RECENT, recent),
    _route(names.LOOKUP, lookup),
    _route(names.CREATE, create, as_user=True),
    _route(names.MENTIONS, mentions),
    _route(names.TIMELINE, timeline),
    _route(names.USER, user),
    _route(names.GET_RULES, get_rules),
    _route(names.POST_RULES, post_rules),
    _route(names.DM_EVENTS, dm_events, as_user=True),
    _route(names.CREATE_DM, create_dm, as_user=True),
    _route(names.CONNECTIONS, connections),
    _route(names.END_CONNECTIONS, end_connections),
)
"""The endpoints that are spoken."""


def find(method: str, path: str) -> tuple[Route, str] | None:
    """The endpoint of a request, and what stands in place of its :name."""
    for route in ROUTES:
        if (hit := route.pattern.fullmatch(f"{method} {path}")) is not None:
            return route, hit[1] if route.pattern.groups else ""
    return None
