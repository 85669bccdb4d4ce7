"""What can be read from the fake X: accounts, posts, searches, timelines, private messages."""

from __future__ import annotations

from itertools import islice
from math import inf
from typing import Any

from agents.fake_x_asked import (
    TOKEN,
    Asked,
    Refused,
    Said,
    Site,
    given,
    invalid,
    is_number,
    newest_first,
    not_found,
    number_of,
    page_of,
    place_of,
    size_of,
    time_of,
    unmixed,
)  # fmt: skip
from agents.fake_x_posts import FakePost, Shape, User, look, message_json, user_json
from agents.fake_x_rules import BadRule, compile_rule, fold

_WEEK_S = 7 * 86400.0
_MONTH_S = 30 * 86400.0
_NEWEST_S = 30.0  # search leaves out what is newer, unless end_time is given
_CLOSEST_S = 10.0  # end_time may not be nearer than that
_MENTIONS = 800
_TIMELINE = 3200
_QUERY = 512


def user(site: Site, asked: Asked) -> Said:
    """GET /2/users/by/username/:username."""
    found = site.world.find_user(asked.part)
    if found is None:
        return Said(200, {"errors": [not_found("username", asked.part, "user")]})
    return Said(200, {"data": user_json(found, Shape.of(asked.query).user)})


def lookup(site: Site, asked: Asked) -> Said:
    """GET /2/tweets."""
    ids = asked.query.get("ids", "").split(",")
    if not 1 <= len(ids) <= 100 or not all(map(is_number, ids)):
        raise invalid("The `ids` query parameter takes 1 to 100 numbers")
    found, missing = site.world.find(ids)
    said = given(found, asked, site)
    if missing:
        said["errors"] = [not_found("ids", one, "tweet") for one in missing]
    return Said(200, said, len(found))


def recent(site: Site, asked: Asked) -> Said:
    """GET /2/tweets/search/recent."""
    unmixed(asked)
    query, now = asked.query.get("query", ""), site.clock.now()
    if not 1 <= len(query) <= _QUERY:
        raise invalid(f"The `query` has {len(query)} characters, 1 to {_QUERY} are taken")
    try:
        matches = compile_rule(fold(query))
    except BadRule as error:
        raise invalid(f"There were errors processing your request: {error}") from error
    start = max(time_of(asked, "start_time", now - _WEEK_S), now - _WEEK_S)
    end = time_of(asked, "end_time", now - _NEWEST_S)
    if end > now - _CLOSEST_S and "end_time" in asked.query:
        raise invalid("'end_time' must be a minimum of 10 seconds prior to the request time")
    found = (
        post
        for post in newest_first(site, asked, not_after=end)
        if post.at >= start and post.retweeted is None and matches(look(post, folded=True))
    )
    return page_of(found, asked, site, most=None)


def mentions(site: Site, asked: Asked) -> Said:
    """GET /2/users/:id/mentions."""
    unmixed(asked)
    who = _account(site, asked)
    handle = who.handle.lower()

    def concerns(post: FakePost) -> bool:
        of = [other.author.id for other in (post.parent, post.quoted) if other is not None]
        return (who.id in of or handle in look(post).mentions) and post.author.id != who.id

    since, start, end = (
        number_of(asked, "since_id", 0),
        time_of(asked, "start_time", 0),
        time_of(asked, "end_time", inf),
    )
    ends = [one for one in (number_of(asked, "until_id", 0), place_of(asked)) if one]
    place = min(ends, default=0)
    reachable = islice((post for post in site.world.newest_first(since_id=since) if concerns(post)), _MENTIONS)
    found = (post for post in reachable if start <= post.at <= end and (not place or int(post.id) < place))
    return page_of(found, asked, site, most=None)


def timeline(site: Site, asked: Asked) -> Said:
    """GET /2/users/:id/tweets."""
    unmixed(asked)
    who = _account(site, asked)
    start, end = time_of(asked, "start_time", 0), time_of(asked, "end_time", inf)
    found = (post for post in newest_first(site, asked) if post.author.id == who.id and start <= post.at <= end)
    return page_of(found, asked, site, most=_TIMELINE)


def _account(site: Site, asked: Asked) -> User:
    found = site.world.user_by_id(asked.part)
    if found is None:
        raise Refused(404, "Not Found Error", f"Could not find user with id: [{asked.part}].")
    return found


def dm_events(site: Site, asked: Asked) -> Said:
    """GET /2/dm_events."""
    me, place, since = asked.user, place_of(asked), site.clock.now() - _MONTH_S
    shape = frozenset(asked.query.get("dm_event.fields", "").split(","))
    found = [
        message
        for message in reversed(site.world.messages)
        if me in (message.sender, message.recipient) and message.at >= since and (not place or int(message.id) < place)
    ]
    page = found[: size_of(asked, 100)]
    said: dict[str, Any] = {"data": [message_json(message, shape) for message in page]} if page else {}
    if {"sender_id", "participant_ids"} & Shape.of(asked.query).expansions and page:
        people = {one.id: one for message in page for one in (message.sender, message.recipient)}
        fields = Shape.of(asked.query).user
        said["includes"] = {"users": [user_json(one, fields) for one in people.values()]}
    meta: dict[str, Any] = {"result_count": len(page)}
    if len(found) > len(page):
        meta["next_token"] = f"{TOKEN}{page[-1].id}n0"
    return Said(200, {**said, "meta": meta})
