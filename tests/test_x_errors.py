"""X's API through the real tweepy, against the fake X: what goes wrong is ours, at once, and after one attempt."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from x_reader import HandClock, answers, calls

from agents.fake_x import FakeX
from agents.fake_x_limits import CREATE
from agents.x_api import Access, Limit, Stream, XApi
from agents.x_host import limit_of
from pipeline.errors import SettingsError, XError, XFailing, XLimited, XRefused, XUnreachable

CALLS = tuple(calls(XApi(Access())))


@pytest.mark.parametrize("name", CALLS)
def test_too_much_was_asked(x: FakeX, api: XApi, clock: HandClock, naps: list[float], name: str) -> None:
    """429 tells when it may be asked again; nothing waits (defect 8)."""
    x.faults.limit()

    with pytest.raises(XLimited) as raised:
        calls(api)[name]()

    assert clock.now() + 900 == raised.value.reset_at
    assert [] == naps


@pytest.mark.parametrize("name", CALLS)
def test_too_much_was_asked_and_no_reset_is_said(x: FakeX, api: XApi, naps: list[float], name: str) -> None:
    """A 429 without headers is one attempt too: tweepy would ask again at once, without end (defect 8)."""
    x.faults.limit(with_reset=False, times=2)

    with pytest.raises(XLimited) as raised:
        calls(api)[name]()

    assert raised.value.reset_at is None
    assert 1 == sum(x.counts.by_route.values())
    assert [] == naps


def test_the_rate_limit_is_the_servers(x: FakeX, clock: HandClock) -> None:
    """The 16th look at private messages in a quarter of an hour is too many, and after that it is fine again."""
    with closing(XApi(x.access("brand"), base_url=x.base_url)) as api:
        left = [api.dm_events().limit.remaining for _ in range(15)]
        with pytest.raises(XLimited) as raised:
            api.dm_events()
        clock.sleep((raised.value.reset_at or 0) - clock.now())
        again = api.dm_events().limit.remaining

    assert list(range(14, -1, -1)) == left
    assert 14 == again


@pytest.mark.parametrize("name", CALLS)
def test_x_fails(x: FakeX, api: XApi, name: str) -> None:
    """503 is raised at once, with what X says."""
    x.faults.unavailable()

    with pytest.raises(XFailing, match="Service Unavailable") as raised:
        calls(api)[name]()

    assert 503 == raised.value.status


def test_a_request_that_came_in_too_slowly_is_no_refusal(x: FakeX, api: XApi) -> None:
    """408 passes, as it does for the stream: an answer with it had failed for good."""
    x.faults.refuse(408)

    with pytest.raises(XFailing) as raised:
        api.create_post("hello")

    assert 408 == raised.value.status


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_x_refuses(x: FakeX, api: XApi, status: int) -> None:
    """Any other status says that it was not done, and why."""
    x.faults.refuse(status, detail="not for you")

    with pytest.raises(XRefused, match="not for you") as raised:
        api.create_post("hello")

    assert status == raised.value.status
    assert {} == x.world.posts


@pytest.mark.parametrize("done", [True, False])
def test_an_answer_is_lost(x: FakeX, api: XApi, *, done: bool) -> None:
    """Whether it was done cannot be told from here."""
    x.faults.lose_answer(done=done)

    with pytest.raises(XUnreachable) as raised:
        api.create_post("hello")

    assert raised.value.sent
    assert int(done) == len(x.world.posts)


def test_no_answer_comes_in_time(x: FakeX) -> None:
    """Tweepy itself would wait for ever."""
    x.faults.no_answer(CREATE)

    with (
        closing(XApi(x.access("brand"), base_url=x.base_url, timeout_s=0.5)) as api,
        pytest.raises(XUnreachable) as raised,
    ):
        api.create_post("hello")

    assert raised.value.sent


def test_nobody_is_there() -> None:
    """Where no connection can be made, nothing was done."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with closing(XApi(Access("token"), base_url=url)) as api, pytest.raises(XUnreachable) as raised:
            api.rules()

    assert not raised.value.sent
    assert "refused" in str(raised.value)
    assert "/2/tweets" not in str(raised.value)


BODIES = [
    b"",
    b"[]",
    b'"x"',
    b"null",
    b"{",
    b'{"errors": null}',
    b'{"errors": ["x"]}',
    b"<html>",
    b"\xff",
    b'{"a":' * 2000,
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", [400, 429, 500])
def test_errors_of_any_form_are_ours(status: int, body: bytes) -> None:
    """Tweepy's own error fails on a body that is no object, and on a reset that is no whole number."""
    head = f"HTTP/1.1 {status} X\r\nx-rate-limit-reset: soon\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    with answers(head + body) as url, closing(XApi(Access("token"), base_url=url)) as api, pytest.raises(XError):
        api.rules()


def test_a_redirect_is_not_followed() -> None:
    """Our secrets are for one host."""
    head = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"

    with answers(head) as url, closing(XApi(Access("token"), base_url=url)) as api, pytest.raises(XRefused) as raised:
        api.rules()

    assert 302 == raised.value.status


def test_a_netrc_does_not_replace_the_token(x: FakeX, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password for api.twitter.com in ~/.netrc would be sent in place of the bearer token."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.twitter.com login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))

    with closing(XApi(x.access(), base_url=x.base_url)) as api:
        answer = api.rules()

    assert b"brand" in answer.body


def test_a_proxy_of_x_is_not_asked_for_another_host(x: FakeX, monkeypatch: pytest.MonkeyPatch) -> None:
    """base_url is asked straight."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    with closing(XApi(x.access(), base_url=x.base_url)) as api:
        answer = api.rules()

    assert b"brand" in answer.body


def test_the_daily_limit_counts_where_it_is_used_up() -> None:
    """Then its reset is the one to wait for; else the route's own."""
    headers = {
        "x-rate-limit-limit": "100", "x-rate-limit-remaining": "99", "x-rate-limit-reset": "1000",
        "x-app-limit-24hour-limit": "10000", "x-app-limit-24hour-remaining": "0", "x-app-limit-24hour-reset": "9000",
    }  # fmt: skip

    assert Limit(10000, 0, 9000) == limit_of(headers)
    assert Limit(100, 99, 1000) == limit_of({**headers, "x-app-limit-24hour-remaining": "5"})
    assert Limit(None, None, None) == limit_of({"x-rate-limit-reset": "-1", "x-rate-limit-limit": "1.5"})


@pytest.mark.parametrize("value", ["token\n", " token", "to ken", "tokén", "\x00token"])
@pytest.mark.parametrize("make", [XApi, Stream])
def test_a_credential_that_cannot_be_one_is_named(make: Callable[..., Any], value: str) -> None:
    """It is a fault of the settings, not of the network; the text does not show it."""
    with pytest.raises(SettingsError, match="X's bearer holds") as raised:
        make(Access(value))

    assert value.strip() not in str(raised.value)


@pytest.mark.parametrize("identity", ["", "../../tweets", "1/2", "1?a=b", "1,2", "١"])
def test_what_is_no_id_is_not_sent(x: FakeX, api: XApi, identity: str) -> None:
    """Ids stand in addresses, and some come from helpdesks."""
    wrong: list[Callable[[], Any]] = [
        lambda: api.create_dm(identity, "hello"),
        lambda: api.timeline(identity),
        lambda: api.mentions(identity),
        lambda: api.posts(["1", identity]),
        lambda: api.user(identity),
    ]
    for call in wrong:
        with pytest.raises(XRefused, match="is no"):
            call()

    assert 0 == sum(x.counts.by_route.values())
