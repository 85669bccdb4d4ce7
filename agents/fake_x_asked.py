"""A request to the fake X as its endpoints see it, what they answer, and pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from agents.fake_x_faults import Faults
from agents.fake_x_posts import FakePost, Shape, User, includes_json, post_json, snowflake
from agents.fake_x_world import World
from pipeline.clocks import Clock

PROBLEMS = "https://api.twitter.com/2/problems/"
TOKEN = "7140dibdnow9c7btw"  # noqa: S105 # it only looks like one
"""What page tokens begin with; then come the place, and how many posts were given before it."""
_NUMBER = re.compile("[0-9]{1,19}")


class Site(NamedTuple):
    """What endpoints work on."""

    world: World
    clock: Clock
    faults: Faults


class Asked(NamedTuple):
    """A request, as far as an endpoint is concerned."""

    query: dict[str, str]
    body: Any
    part: str
    """What stands in the path in place of the :name."""
    user: User | None
    """As whom; None: as the app."""
    route: str


class Said(NamedTuple):
    """An answer."""

    status: int
    body: dict[str, Any]
    posts: int = 0
    """How many posts it gives away."""


class Refused(Exception):
    """Raised when a request cannot be answered as asked."""

    def __init__(self, status: int, title: str, detail: str, kind: str = "about:blank") -> None:
        super().__init__(detail)
        self.said = Said(status, {"title": title, "detail": detail, "type": kind, "status": status})


def invalid(detail: str) -> Refused:
    """A request that X cannot read."""
    return Refused(400, "Invalid Request", detail, PROBLEMS + "invalid-request")


def time_of(asked: Asked, name: str, default: float) -> float:
    """A time among the parameters, in seconds since 1970.

    Raises:
        Refused: it is none.
    """
    text = asked.query.get(name)
    if text is None:
        return default
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError) as error:
        raise invalid(f"`{name}` is no time: {text}") from error


def newest_first(site: Site, asked: Asked, *, not_after: float | None = None) -> Iterator[FakePost]:
    """From the page's place on, between since_id and until_id or a time."""
    since = number_of(asked, "since_id", 0)
    ends = [number_of(asked, "until_id", 0), place_of(asked)]
    if not_after is not None:
        ends.append(snowflake(not_after) + (1 << 22))
    end = min((one for one in ends if one), default=0)
    return site.world.newest_first(since_id=since, until_id=end or None)


def unmixed(asked: Asked) -> None:
    """X takes bounds as ids or as times, not both.

    Raises:
        Refused: there are both.
    """
    if asked.query.keys() & {"since_id", "until_id"} and asked.query.keys() & {"start_time", "end_time"}:
        raise invalid("Invalid use of 'since_id' or 'until_id' in conjunction with 'start_time' or 'end_time'")


def is_number(text: object) -> bool:
    """Whether it can be an id of X's; `isdigit` takes more than `int`."""
    return isinstance(text, str) and _NUMBER.fullmatch(text) is not None


def number_of(asked: Asked, name: str, default: int) -> int:
    """A number among the parameters.

    Raises:
        Refused: it is none.
    """
    text = asked.query.get(name)
    if text is None:
        return default
    if not is_number(text):
        raise invalid(f"`{name}` is no id: {text}")
    return int(text)


def place_of(asked: Asked) -> int:
    """Where the page begins: below this id; 0: at the newest."""
    token = asked.query.get("next_token") or asked.query.get("pagination_token")
    if token is None:
        return 0
    place, _, _ = token.removeprefix(TOKEN).partition("n")
    if not token.startswith(TOKEN) or not is_number(place):
        raise invalid("The page token is none of ours")
    return int(place)


def _given_before(asked: Asked) -> int:
    """How many the pages before gave."""
    token = asked.query.get("next_token") or asked.query.get("pagination_token") or ""
    _, _, given = token.removeprefix(TOKEN).partition("n")
    return int(given) if is_number(given) else 0


def page_of(found: Iterable[FakePost], asked: Asked, site: Site, *, most: int | None) -> Said:
    """A page, and the token of the next one if there is more; `most` counts over all pages."""
    size, before = size_of(asked, 10), _given_before(asked)
    if most is not None:
        size = min(size, max(0, most - before))
    posts = list(islice(found, size + 1))
    page, more = posts[:size], len(posts) > size and (most is None or before + size < most)
    said = given(page, asked, site)
    meta: dict[str, Any] = {"result_count": len(page)}
    if page:
        meta |= {"newest_id": page[0].id, "oldest_id": page[-1].id}
    if more:
        meta["next_token"] = f"{TOKEN}{page[-1].id}n{before + len(page)}"
    return Said(200, {**said, "meta": meta}, len(page))


def size_of(asked: Asked, default: int) -> int:
    """How many a page has at most.

    Raises:
        Refused: that is more than 100, or none.
    """
    size = number_of(asked, "max_results", default)
    if not 1 <= size <= 100:
        raise invalid("`max_results` is 1 to 100")
    return size


def given(found: list[FakePost], asked: Asked, site: Site) -> dict[str, Any]:
    """Posts as an answer, in the fields that were asked for; it is noted that they were told."""
    shape, now = Shape.of(asked.query), site.clock.now()
    for post in found:
        post.tell(asked.route, now)
    said: dict[str, Any] = {"data": [post_json(post, shape.post) for post in found]} if found else {}
    if includes := includes_json(found, shape):
        said["includes"] = includes
    return said


def not_found(parameter: str, value: str, kind: str) -> dict[str, Any]:
    """What X says of something that is not there, beside what is."""
    return {
        "value": value,
        "detail": f"Could not find {kind} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": value,
        "type": PROBLEMS + "resource-not-found",
    }


def parsed(body: bytes) -> dict[str, Any]:
    """The body of a request; {} where there is none.

    Raises:
        Refused: it is no JSON object.
    """
    if not body:
        return {}
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid("The body is no JSON") from error
    if not isinstance(found, dict):
        raise invalid("The body is no JSON object")
    return found
