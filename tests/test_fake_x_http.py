"""The fake X's HTTP: who may ask, what cannot be read, limits and counts, faults of requests."""

from __future__ import annotations

import pytest
from x_reader import HandClock, as_user, ask, search

from agents.fake_x import FakeX
from agents.fake_x_limits import CREATE, DM_EVENTS, LOOKUP, STREAM, USER
from agents.x_api import XApi
from pipeline.errors import XUnreachable


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic abc"}, {"Authorization": 'OAuth oauth_token="99-x"'}],
)
def test_nobody_asks_without_credentials(x: FakeX, headers: dict[str, str]) -> None:
    """None, an empty token, another kind, and a token of nobody."""
    status, _, body = ask(x, "GET", "/2/tweets?ids=1", headers=headers)

    assert (401, "Unauthorized") == (status, body["title"])


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/2/tweets"), ("GET", "/2/dm_events"), ("POST", "/2/dm_conversations/with/1/messages")],
)
def test_some_things_are_done_as_aas_user(x: FakeX, method: str, path: str) -> None:
    """With a bearer token they are refused."""
    status, _, body = ask(x, method, path, body={"text": "hello"})

    assert (403, "Unsupported Authentication") == (status, body["title"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/2/tweets", None),
        ("GET", "/2/tweets?ids=", None),
        ("GET", "/2/tweets?ids=a", None),
        ("GET", f"/2/tweets?ids={','.join(['1'] * 101)}", None),
        ("GET", "/2/tweets/search/recent", None),
        ("GET", search("("), None),
        ("GET", search("a" * 513), None),
        ("GET", search("a", since_id="b"), None),
        ("GET", search("a", next_token="b"), None),
        ("GET", search("a", max_results="101"), None),
        ("GET", search("a", start_time="yesterday"), None),
        ("GET", search("a", since_id="1", end_time="2027-01-15T07:00:00Z"), None),
        ("GET", search("a", until_id="9", start_time="2027-01-15T07:00:00Z"), None),
        ("GET", "/2/users/1001/mentions?since_id=1&end_time=2027-01-15T07:00:00Z", None),
        ("GET", "/2/users/1001/tweets?until_id=9&start_time=2027-01-15T07:00:00Z", None),
        ("GET", search("a", end_time="2027-01-15T07:59:55Z"), None),
        ("GET", search("a", since_id="²"), None),
        ("GET", search("a", since_id="1" * 5000), None),
        ("GET", search("(" * 200 + "a" + ")" * 200), None),
        ("GET", search("-" * 500 + "a"), None),
        ("GET", "/2/tweets?ids=%C2%B2", None),
        ("POST", "/2/tweets", {"text": "a", "reply": "x"}),
        ("POST", "/2/tweets", {"text": "a", "reply": {"in_reply_to_tweet_id": {}}}),
        ("POST", "/2/tweets", {"text": "$ABC and $XYZ"}),
        ("POST", "/2/tweets", b'{"text": "\\ud800"}'),
        ("POST", "/2/tweets", b"[" * 100_000),
        ("POST", "/2/tweets", b"{"),
        ("POST", "/2/tweets", b"[]"),
        ("POST", "/2/tweets", {}),
        ("POST", "/2/tweets", {"text": " "}),
        ("POST", "/2/tweets", {"text": "a" * 281}),
        ("POST", "/2/tweets", {"text": "あ" * 141}),
        ("POST", "/2/dm_conversations/with/1001/messages", {"text": "a" * 10_001}),
        ("POST", "/2/tweets/search/stream/rules", {}),
        ("POST", "/2/tweets/search/stream/rules", {"delete": {}}),
    ],
)
def test_what_cannot_be_read_is_said(x: FakeX, method: str, path: str, body: object) -> None:
    """With 400, and why."""
    status, _, said = ask(x, method, path, headers=as_user(x), body=body)

    assert (400, "Invalid Request") == (status, said["title"])
    assert said["detail"]


@pytest.mark.parametrize(
    "text",
    ["a" * 280, "あ" * 140, "a" * 256 + " https://example.com/" + "b" * 200, "👨\u200d👩\u200d👧\u200d👦" * 40],
)
def test_a_text_of_280_is_taken(x: FakeX, text: str) -> None:
    """As X counts: links are 23, an emoji 2, what is not Latin counts twice."""
    assert 201 == ask(x, "POST", "/2/tweets", headers=as_user(x), body={"text": text})[0]


def test_rules_that_are_not_taken(x: FakeX) -> None:
    """Each with its reason; the others are."""
    rules = [{"value": "fine"}, {"value": "a" * 1025}, {"value": "(a"}, {"value": "embedding:a"}, {}, {"value": "fine"}]

    status, _, body = ask(x, "POST", "/2/tweets/search/stream/rules", body={"add": rules})

    assert (201, 1, 5) == (status, body["meta"]["summary"]["created"], len(body["errors"]))


def test_a_length_that_is_none(x: FakeX) -> None:
    """It is answered too, and the connection ends, for nobody knows where the next request begins."""
    status, headers, _ = ask(x, "GET", "/2/tweets?ids=1", headers={**as_user(x), "Content-Length": "x"})

    assert (400, "close") == (status, headers["connection"])


@pytest.mark.parametrize(
    "rule", [{"value": "(" * 500 + "a" + ")" * 500}, {"value": "-" * 1000 + "a"}, {"value": "a", "tag": {}}]
)
def test_a_rule_that_is_too_much(x: FakeX, rule: dict[str, object]) -> None:
    """It is refused as any other, in X's own words of a rule."""
    status, _, body = ask(x, "POST", "/2/tweets/search/stream/rules", body={"add": [rule]})

    assert (201, 0) == (status, body["meta"]["summary"]["created"])
    assert body["errors"][0]["details"]


def test_no_more_than_1000_rules_are_taken(x: FakeX) -> None:
    """As on pay-per-use."""
    ask(x, "POST", "/2/tweets/search/stream/rules", body={"add": [{"value": f"word{n}"} for n in range(999)]})

    _, _, body = ask(x, "POST", "/2/tweets/search/stream/rules", body={"add": [{"value": "more"}]})

    assert ["RulesCapExceeded"] == [error["title"] for error in body["errors"]]


def test_rules_can_be_tried(x: FakeX) -> None:
    """dry_run changes nothing."""
    (rule,) = x.world.rules
    ask(x, "POST", "/2/tweets/search/stream/rules?dry_run=true", body={"add": [{"value": "more"}]})
    ask(x, "POST", "/2/tweets/search/stream/rules?dry_run=true", body={"delete": {"ids": [rule]}})

    assert [rule] == list(x.world.rules)


def test_what_is_not_spoken_here(x: FakeX) -> None:
    """An endpoint that nobody of us uses."""
    assert 404 == ask(x, "GET", "/2/spaces/1")[0]


def test_limits_are_of_a_route_and_a_caller(clock: HandClock) -> None:
    """Two users do not share one, nor do two routes; the window begins with the first request."""
    with FakeX(clock=clock, rate_limits={USER: (2, 60.0), LOOKUP: (1, 60.0)}) as x:
        first = [ask(x, "GET", "/2/users/by/username/anna", headers=as_user(x, "a"))[0] for _ in range(3)]
        other = ask(x, "GET", "/2/users/by/username/anna", headers=as_user(x, "b"))[0]
        lookup = ask(x, "GET", "/2/tweets?ids=1", headers=as_user(x, "a"))[0]
        clock.sleep(59.0)
        early = ask(x, "GET", "/2/users/by/username/anna", headers=as_user(x, "a"))
        clock.sleep(1.0)
        late = ask(x, "GET", "/2/users/by/username/anna", headers=as_user(x, "a"))

    assert ([200, 200, 429], 200, 200) == (first, other, lookup)
    assert (429, "0", "1800000060") == (early[0], early[1]["x-rate-limit-remaining"], early[1]["x-rate-limit-reset"])
    assert (200, "1") == (late[0], late[1]["x-rate-limit-remaining"])


def test_the_limits_are_xs(x: FakeX) -> None:
    """15 looks at private messages, 100 posts, 50 attempts to connect in a quarter of an hour."""
    found = {
        route: ask(x, *route.split(), headers=as_user(x), body=body)[1]["x-rate-limit-limit"]
        for route, body in ((DM_EVENTS, None), (CREATE, {"text": "hello"}))
    }

    assert {DM_EVENTS: "15", CREATE: "100"} == found


def test_a_user_may_ask_less_than_the_app(x: FakeX) -> None:
    """Searches and mentions: 450 for the app, 300 for each user."""
    paths = search("a"), f"/2/users/{x.world.user('brand').id}/mentions"

    found = [ask(x, "GET", path, headers=headers)[1]["x-rate-limit-limit"]
             for path in paths for headers in (as_user(x), {"Authorization": "Bearer b"})]  # fmt: skip

    assert ["300", "450"] * 2 == found


def test_a_days_limit_has_its_own_headers(x: FakeX) -> None:
    """10,000 posts a day for the app."""
    _, headers, _ = ask(x, "POST", "/2/tweets", headers=as_user(x), body={"text": "hello"})

    assert ("10000", "9999") == (headers["x-app-limit-24hour-limit"], headers["x-app-limit-24hour-remaining"])


def test_the_51st_attempt_to_connect_is_too_many(x: FakeX, clock: HandClock) -> None:
    """Refused attempts count, and the server keeps the most that came in any quarter of an hour."""
    x.faults.unavailable(to=STREAM, times=100)
    statuses = []
    for _ in range(52):
        statuses.append(ask(x, "GET", "/2/tweets/search/stream")[0])
        clock.sleep(10.0)
    x.faults.clear()
    last = ask(x, "GET", "/2/tweets/search/stream")[0]

    assert [503] * 52 == statuses
    assert 429 == last
    assert 53 == x.counts.most_connects()
    assert 6 == x.counts.most_connects(60.0)


def test_an_answer_that_is_lost_is_counted(x: FakeX) -> None:
    """As one without a status."""
    x.faults.lose_answer()
    api = XApi(x.access(), base_url=x.base_url)
    with pytest.raises(XUnreachable):
        api.create_post("hello")
    api.close()

    assert {(CREATE, 0): 1} == dict(x.counts.by_route)
    assert ["hello"] == [post.text for post in x.world.posts.values()]


@pytest.mark.parametrize(("counted", "left"), [(True, "98"), (False, "99")])
def test_a_request_that_comes_to_nothing(x: FakeX, counted: bool, left: str) -> None:
    """The connection breaks before anything is done; X has counted it, or never had it."""
    x.faults.lose_answer(done=False, counted=counted)
    api = XApi(x.access(), base_url=x.base_url)
    with pytest.raises(XUnreachable):
        api.create_post("hello")
    api.close()

    status, headers = ask(x, "POST", "/2/tweets", headers=as_user(x), body={"text": "hello"})[:2]

    assert (201, left, 1) == (status, headers["x-rate-limit-remaining"], len(x.world.posts))


def test_a_double_is_refused(x: FakeX) -> None:
    """Of the same account, in the same words, shown or not; once it is deleted, it may be written again."""

    def create(handle: str = "brand") -> int:
        body = {"text": "see https://acme.example"}
        return int(ask(x, "POST", "/2/tweets", headers=as_user(x, handle), body=body)[0])

    x.faults.hide_new_posts(10**6)
    statuses = [create(), create(), create("other")]
    x.world.delete(next(iter(x.world.posts)))

    assert [201, 403, 201, 201] == [*statuses, create()]


def test_a_fault_may_come_after_the_deed(x: FakeX) -> None:
    """A 503 of which nobody knows whether the post is there."""
    x.faults.unavailable(done=True)

    status = ask(x, "POST", "/2/tweets", headers=as_user(x), body={"text": "hello"})[0]

    assert (503, 1) == (status, len(x.world.posts))


def test_faults_are_for_a_route_and_can_be_forgotten(x: FakeX) -> None:
    """Others are answered as ever."""
    x.faults.refuse(403, to=CREATE, times=2)

    lookup = ask(x, "GET", "/2/tweets?ids=1")[0]
    create = ask(x, "POST", "/2/tweets", headers=as_user(x), body={"text": "hello"})[0]
    x.faults.clear()
    again = ask(x, "POST", "/2/tweets", headers=as_user(x), body={"text": "hello"})[0]

    assert (200, 403, 201) == (lookup, create, again)
