"""The fake X under /fake/, for who runs it by hand: publish, edit, delete, send private messages, have things fail."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import msgspec

from agents.fake_x_asked import Refused, Said, Site, invalid, parsed
from agents.fake_x_limits import Counts
from agents.fake_x_posts import FakeMessage, FakePost, User

PREFIX = "/fake/"
_FAULTS = frozenset(
    {
        "drop", "close_clean", "stall", "half_open", "operational_disconnect", "operational_at_connect",
        "slow_client_cut", "malformed_line", "duplicate", "shuffle", "limit", "unavailable", "refuse",
        "too_many_connections", "lose_answer", "no_answer", "hide_new_posts", "clear",
    }
)  # fmt: skip
_TEXTS = (User | str, bytes | str)
"""What is a text in JSON."""


def control(site: Site, counts: Counts, method: str, path: str, body: bytes) -> Said:
    """Do what a request under /fake/ asks; arguments are the body's fields, a JSON object."""
    what = path.removeprefix(PREFIX)
    if method == "GET":
        return Said(200, counts_json(counts)) if what == "counts" else _unknown(path).said
    world = site.world
    actions: dict[str, Callable[..., Any]] = {
        "publish": world.publish,
        "edit": world.edit,
        "delete": world.delete,
        "dm": world.send_dm,
        **{f"faults/{name}": getattr(site.faults, name) for name in _FAULTS},
    }
    if what not in actions:
        return _unknown(path).said
    try:
        return Said(200, _outcome(_call(actions[what], parsed(body))))
    except Refused as error:
        return error.said


def counts_json(counts: Counts) -> dict[str, Any]:
    """What the server was asked."""
    requests: dict[str, dict[str, int]] = {}
    for (route, status), count in sorted(counts.by_route.items()):
        requests.setdefault(route, {})[str(status)] = count
    return {
        "requests": requests,
        "connects": len(counts.connects),
        "most_connects_per_15_min": counts.most_connects(),
        "posts_read": counts.posts_read,
    }


def _unknown(path: str) -> Refused:
    known = ", ".join(["publish", "edit", "delete", "dm", "counts", *(f"faults/{name}" for name in sorted(_FAULTS))])
    return Refused(404, "Not Found", f"{path} is none of {PREFIX}: {known}")


def _call(action: Callable[..., Any], arguments: dict[str, Any]) -> Any:  # whatever it gives
    try:
        inspect.signature(action).bind(**arguments)
    except TypeError as error:
        raise invalid(f"{error}; it takes {inspect.signature(action)}") from error
    hints = get_type_hints(action)
    for name, value in arguments.items():
        _check(name, value, hints[name])
    try:
        return action(**arguments)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise invalid(f"{type(error).__name__}: {error}") from error


def _check(name: str, value: object, hint: Any) -> None:  # whatever it takes
    """Before anything is done: what is half done would break whatever is asked later."""
    try:
        msgspec.convert(value, str if hint in _TEXTS else hint)
    except msgspec.ValidationError as error:
        raise invalid(f"{name}: {error}") from error


def _outcome(found: Any) -> dict[str, Any]:  # whatever it gave
    if isinstance(found, FakePost | FakeMessage):
        return {"data": {"id": found.id, "text": found.text}}
    return {"data": found}
