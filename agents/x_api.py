"""X's API through tweepy: one attempt a call, which never waits and never tries again; the answer is X's own JSON.

This file and x_stream.py are the only ones that know tweepy. Secrets that come in here stay out of all logs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import requests
import tweepy
import urllib3

from agents import x_stream
from agents.x_fields import MESSAGES, POSTS, USERS
from agents.x_host import Host, Limit, limit_of, mount
from agents.x_secrets import keep_out_of_logs, redact
from agents.x_stream import Ended, How, reason, why
from pipeline.errors import SettingsError, XError, XFailing, XLimited, XRefused, XUnreachable

__all__ = ["Access", "Answer", "Ended", "How", "Limit", "Stream", "XApi"]

MOST_POSTS = 100
"""How many posts one look-up may ask for."""
_PAGE = 100
_TOO_SLOW = 408
"""A status that passes, though it is no 5xx: the request was not read in time."""
_NEVER_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


class Access(NamedTuple):
    """Credentials; empty where unknown. The bearer token reads as the app, the other four act as a user."""

    bearer: str = ""
    consumer_key: str = ""
    consumer_secret: str = ""
    access_token: str = ""
    access_secret: str = ""

    def checked(self) -> Access:
        """These, if they can be sent.

        Raises:
            SettingsError: one holds what no credential does; the text names it and does not show it.
        """
        for name, value in self._asdict().items():
            if not (value.isascii() and value.isprintable()) or " " in value:
                raise SettingsError(f"X's {name} holds a space, a line break or another character that none has")
        return self

    def __repr__(self) -> str:
        return f"Access({', '.join(name for name, value in self._asdict().items() if value) or 'none'})"


class Answer(NamedTuple):
    """What X answered."""

    body: bytes
    """JSON, as it came."""
    limit: Limit


class XApi:
    """X's API for one app and, where the access has its tokens, one user.

    Raises:
        SettingsError: a credential cannot be one.

    Raises (every method):
        XUnreachable: no answer came.
        XLimited: too much was asked.
        XFailing: X's own fault, or a request that it did not read in time (408).
        XRefused: anything else that is no success; also, before anything is sent, an id or a handle that is none.
    """

    def __init__(self, access: Access, *, base_url: str | None = None, timeout_s: float = 30.0) -> None:
        keep_out_of_logs(access)
        self._client = tweepy.Client(*access.checked(), return_type=requests.Response, wait_on_rate_limit=False)
        mount(self._client.session, Host(base_url, silent_s=timeout_s)).hooks["response"].append(_check)

    def close(self) -> None:
        """Close the connections that are kept for the next call."""
        self._client.session.close()

    def user(self, handle: str) -> Answer:
        """The account of a handle; X answers with `errors` where there is none."""
        return _ask(lambda: self._client.get_user(username=_handle(handle), **USERS))

    def recent_search(
        self,
        query: str,
        *,
        since_id: str | None = None,
        until_id: str | None = None,
        start_time: datetime | str | None = None,
        end_time: datetime | str | None = None,
        next_token: str | None = None,
    ) -> Answer:
        """A page of what matches and is not older than 7 days, newest first; X leaves out the newest 30 s by itself.

        It refuses ids together with times.
        """
        wanted = _given(
            since_id=since_id, until_id=until_id, start_time=_time(start_time), end_time=_time(end_time),
            next_token=next_token,
        )  # fmt: skip
        return _ask(lambda: self._client.search_recent_tweets(query, max_results=_PAGE, **wanted, **POSTS))

    def mentions(
        self,
        user_id: str,
        *,
        since_id: str | None = None,
        until_id: str | None = None,
        next_token: str | None = None,
    ) -> Answer:
        """A page of the newest 800 posts that mention, answer or quote a user, between two ids, newest first."""
        wanted = _given(since_id=since_id, until_id=until_id, pagination_token=next_token)
        return _ask(lambda: self._client.get_users_mentions(_id(user_id), max_results=_PAGE, **wanted, **POSTS))

    def timeline(
        self, user_id: str, *, since_id: str | None = None, until_id: str | None = None, next_token: str | None = None
    ) -> Answer:
        """A page of a user's own posts, newest first."""
        wanted = _given(since_id=since_id, until_id=until_id, pagination_token=next_token)
        return _ask(lambda: self._client.get_users_tweets(_id(user_id), max_results=_PAGE, **wanted, **POSTS))

    def dm_events(self, *, next_token: str | None = None) -> Answer:
        """A page of the user's private messages of 30 days, newest first."""
        wanted = _given(pagination_token=next_token)
        return _ask(lambda: self._client.get_direct_message_events(max_results=_PAGE, **wanted, **MESSAGES))

    def posts(self, ids: Sequence[str]) -> Answer:
        """Posts by id, 100 at most; those that are gone come back in `errors`.

        Raises:
            ValueError: none or too many are asked for.
        """
        if not 0 < len(ids) <= MOST_POSTS:
            raise ValueError(f"{len(ids)} posts in one call; X takes 1 to {MOST_POSTS}")
        return _ask(lambda: self._client.get_tweets([_id(one) for one in ids], **POSTS))

    def rules(self) -> Answer:
        """The rules of the filtered stream."""
        return _ask(lambda: self._client.request("GET", _RULES))

    def add_rules(self, rules: Sequence[tuple[str, str]]) -> Answer:
        """Add rules (value, tag); what X did not take stands in `errors` of an answer that is otherwise fine."""
        add = [{"value": value, "tag": tag} for value, tag in rules]
        return _ask(lambda: self._client.request("POST", _RULES, json={"add": add}))

    def delete_rules(self, ids: Sequence[str]) -> Answer:
        """Delete rules by id."""
        return _ask(lambda: self._client.request("POST", _RULES, json={"delete": {"ids": list(ids)}}))

    def end_connections(self) -> Answer:
        """End every stream of the app: the cure where X counts one that is dead and says TooManyConnections."""
        return _ask(lambda: self._client.request("DELETE", "/2/connections/all"))

    def create_post(self, text: str, *, reply_to: str | None = None) -> Answer:
        """Post as the user, in reply to a post where one is given."""
        return _ask(lambda: self._client.create_tweet(text=text, in_reply_to_tweet_id=reply_to))

    def create_dm(self, participant_id: str, text: str) -> Answer:
        """Write a private message as the user."""
        return _ask(lambda: self._client.create_direct_message(participant_id=_id(participant_id), text=text))


_HANDLE = re.compile(r"[A-Za-z0-9_]{1,30}")
_RULES = "/2/tweets/search/stream/rules"


class Stream(x_stream.Stream):
    """One connection of the filtered stream: tweepy's reader with all of its waiting and trying again off."""

    def __init__(self, access: Access, *, base_url: str | None = None, stall_after_s: float = 21.0) -> None:
        keep_out_of_logs(access)
        super().__init__(access.checked().bearer, base_url=base_url, stall_after_s=stall_after_s)


def _id(text: str) -> str:
    """An id, which becomes a part of the address."""
    if not (text.isascii() and text.isdigit()):
        raise XRefused(400, f"{text[:64]!r} is no id of X's")
    return text


def _handle(text: str) -> str:
    if _HANDLE.fullmatch(text) is None:
        raise XRefused(400, f"{text[:64]!r} is no handle on X")
    return text


def _ask(call: Callable[[], Any]) -> Answer:
    """One attempt; requests' errors become ours, without the request that they carry (it holds our secrets)."""
    try:
        response: requests.Response = call()
    except requests.RequestException as error:
        raise XUnreachable(redact(why(error)), sent=not _never_sent(error)) from None
    return Answer(response.content, limit_of(response.headers))


def _never_sent(error: requests.RequestException) -> bool:
    """Whether no connection could be made, so that X cannot have done it."""
    inner = error.args[0] if error.args else None
    return isinstance(error, requests.ConnectTimeout) or isinstance(getattr(inner, "reason", inner), _NEVER_SENT)


def _check(response: requests.Response, **_: object) -> None:
    """Raise our errors before tweepy sees the answer: its own fail on bodies and headers that are not as it expects."""
    if (error := _error(response)) is not None:
        raise error


def _error(response: requests.Response) -> XError | None:
    status = response.status_code
    if 200 <= status < 300:
        return None
    detail = redact(reason(response.content))
    if status == 429:
        return XLimited(limit_of(response.headers).reset_at, detail)
    return XFailing(status, detail) if status >= 500 or status == _TOO_SLOW else XRefused(status, detail)


def _given(**named: str | None) -> dict[str, str]:
    return {name: value for name, value in named.items() if value is not None}


def _time(time: datetime | str | None) -> str | None:
    """RFC 3339 in UTC; tweepy would cut off the fraction of a second."""
    if time is None or isinstance(time, str):
        return time
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
