"""The fake X as a server: what it holds and says, over plain HTTP, and that it is gone when it is over."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime
from math import inf
from urllib.parse import urlsplit

import pytest
from x_listening import until
from x_reader import HandClock, Reader, as_user, ask, search

from agents.fake_x import FakeX
from agents.fake_x_limits import DM_EVENTS, LOOKUP, RECENT
from agents.x_api import Access, How, XApi
from pipeline.clocks import ScaledClock
from pipeline.errors import XRefused, XUnreachable


def test_only_what_is_asked_for_is_said(x: FakeX) -> None:
    """Id, text and history; everything else must be named in the request."""
    post = x.world.publish("@brand hello", author="anna")

    _, _, body = ask(x, "GET", f"/2/tweets?ids={post.id}")

    assert {"data": [{"id": post.id, "text": "@brand hello", "edit_history_tweet_ids": [post.id]}]} == body


@pytest.mark.parametrize(
    ("text", "shown", "links"),
    [
        ("Try https://acme.example/y, thanks", "Try https://t.co/0000000001, thanks", ["https://acme.example/y"]),
        ('"http://a.de/b" or acme.com.', '"https://t.co/0000000001" or https://t.co/0000000002.',
         ["http://a.de/b", "acme.com"]),
        ("mail help@acme.com", "mail help@acme.com", []),
    ],
)  # fmt: skip
def test_links_are_shortened(x: FakeX, text: str, shown: str, links: list[str]) -> None:
    """As X finds them: what stands behind one stays where it is."""
    post = x.world.publish(text, author="anna")

    _, _, body = ask(x, "GET", f"/2/tweets?ids={post.id}&tweet.fields=entities")

    (found,) = body["data"]
    urls = found.get("entities", {}).get("urls", [])
    assert shown == found["text"]
    assert links == [one["expanded_url"] for one in urls]
    assert [one["url"] for one in urls] == [shown[one["start"] : one["end"]] for one in urls]


def test_ids_order_as_times_do(x: FakeX, clock: HandClock) -> None:
    """They are X's: milliseconds in the upper bits; in one millisecond they count up."""
    posts = []
    for number in range(10):
        posts.append(x.world.publish(f"{number}", author="anna"))
        clock.sleep(0.0004 * number)

    ids = [int(post.id) for post in posts]

    assert sorted(set(ids)) == ids
    assert [round(post.at * 1000) for post in posts] == [(one >> 22) + 1288834974657 for one in ids]


@pytest.mark.parametrize(("after", "found"), [(29.0, 0), (31.0, 1)])
def test_a_search_ends_30_seconds_ago(x: FakeX, clock: HandClock, after: float, found: int) -> None:
    """Unless it says otherwise: the newest half minute is left out."""
    x.world.publish("@brand hello", author="anna")
    clock.sleep(after)

    _, _, body = ask(x, "GET", search("@brand"))

    assert found == body["meta"]["result_count"]


def test_a_search_does_not_go_back_for_more_than_a_week(x: FakeX, clock: HandClock) -> None:
    """Older posts are gone from it."""
    x.world.publish("@brand old", author="anna")
    clock.sleep(7 * 86400.0)
    x.world.publish("@brand new", author="anna")
    clock.sleep(60.0)

    _, _, body = ask(x, "GET", search("@brand"))

    assert ["@brand new"] == [post["text"] for post in body["data"]]


def test_a_search_gives_no_retweets(x: FakeX, clock: HandClock) -> None:
    """Unlike the stream."""
    post = x.world.publish("@brand hello", author="anna")
    with Reader(x) as reader:
        reader.connected()
        x.world.publish("RT @anna: @brand hello", author="bob", retweets=post.id)
        streamed = reader.texts(1)
    clock.sleep(60.0)

    _, _, body = ask(x, "GET", search("@brand"))

    assert ["RT @anna: @brand hello"] == streamed
    assert [post.id] == [found["id"] for found in body["data"]]


def test_mentions_are_the_newest_800(x: FakeX) -> None:
    """With replies and quotes; those of the account itself are none."""
    brand = x.world.user("brand")
    own = x.world.publish("@brand is us", author=brand)
    ids = [x.world.publish(f"@brand {number}", author="anna").id for number in range(798)]
    ids.append(x.world.publish("how?", author="anna", reply_to=own.id).id)
    ids.append(x.world.publish("look", author="anna", quotes=own.id).id)
    ids.append(x.world.publish("@Brand!", author="anna").id)
    found, token = [], ""
    while True:
        _, _, body = ask(x, "GET", f"/2/users/{brand.id}/mentions?max_results=100{token}")
        found += [post["id"] for post in body["data"]]
        if "next_token" not in body["meta"]:
            break
        token = f"&pagination_token={body['meta']['next_token']}"

    assert ids[:-801:-1] == found


def test_mentions_until_a_time(x: FakeX, clock: HandClock) -> None:
    """Only those of the newest 800 that are not later are given, and counted as read."""
    brand = x.world.user("brand")
    for number in range(3):
        x.world.publish(f"@brand {number}", author="anna")
        clock.sleep(1.0)
    until = datetime.fromtimestamp(clock.now() - 1.5, UTC).isoformat().replace("+00:00", "Z")
    for number in range(798):
        x.world.publish(f"@brand again {number}", author="anna")

    _, _, body = ask(x, "GET", f"/2/users/{brand.id}/mentions?end_time={until}")

    assert (["@brand 1"], 1) == ([post["text"] for post in body["data"]], x.counts.posts_read)


@pytest.mark.parametrize(("who", "what"), [("brand", "mentions"), ("anna", "tweets")])
def test_mentions_and_timelines_between_two_times(x: FakeX, clock: HandClock, who: str, what: str) -> None:
    """What is older or newer is not given."""
    account, begins = x.world.user(who), clock.now()
    for number in range(4):
        x.world.publish(f"@brand {number}", author="anna")
        clock.sleep(10.0)
    start, end = (datetime.fromtimestamp(begins + s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for s in (5, 25))

    _, _, body = ask(x, "GET", f"/2/users/{account.id}/{what}?start_time={start}&end_time={end}")

    assert ["@brand 2", "@brand 1"] == [post["text"] for post in body["data"]]


def test_private_messages_are_kept_for_30_days_and_for_those_concerned(x: FakeX, clock: HandClock) -> None:
    """Nobody reads those of others."""
    x.world.send_dm("anna", "brand", "old")
    clock.sleep(30 * 86400.0 + 1)
    x.world.send_dm("anna", "bob", "private")
    x.world.send_dm("anna", "brand", "new")
    x.world.send_dm("anna", "brand", "", kind="ParticipantsJoin")

    _, _, body = ask(x, "GET", "/2/dm_events?dm_event.fields=sender_id", headers=as_user(x))

    assert [("ParticipantsJoin", None), ("MessageCreate", "new")] == [
        (event["event_type"], event.get("text")) for event in body["data"]
    ]


def test_an_account_that_is_not_there(x: FakeX) -> None:
    """X answers with 200 and errors by name, with 404 by id."""
    by_name = ask(x, "GET", "/2/users/by/username/nobody")
    by_id = ask(x, "GET", "/2/users/99/tweets")

    assert (200, "Not Found Error") == (by_name[0], by_name[2]["errors"][0]["title"])
    assert 404 == by_id[0]


def test_an_edit_is_a_new_post_of_the_same_chain(x: FakeX) -> None:
    """The stream says it under its new id, look-ups give both with the whole chain, timelines the newest only."""
    with Reader(x) as reader:
        reader.connected()
        old = x.world.publish("@brand helo", author="anna")
        new = x.world.edit(old.id, "@brand hello")
        streamed = [reader.post()["data"]["edit_history_tweet_ids"] for _ in range(2)]
    _, _, looked_up = ask(x, "GET", f"/2/tweets?ids={old.id},{new.id}")
    _, _, timeline = ask(x, "GET", f"/2/users/{x.world.user('anna').id}/tweets")

    assert [[old.id], [old.id, new.id]] == streamed
    assert [[old.id, new.id]] * 2 == [post["edit_history_tweet_ids"] for post in looked_up["data"]]
    assert [new.id] == [post["id"] for post in timeline["data"]]


def test_what_cannot_be_edited(x: FakeX) -> None:
    """A reply, a post that is gone, or one a sixth time."""
    first = x.world.publish("one", author="anna")
    reply = x.world.publish("two", author="anna", reply_to=first.id)
    gone = x.world.publish("three", author="anna")
    x.world.delete(gone.id)
    for _ in range(5):
        x.world.edit(first.id, "again")

    for post in (reply, gone, first):
        with pytest.raises(ValueError, match="X lets nobody edit"):
            x.world.edit(post.id, "no")


@pytest.mark.parametrize(("minutes", "taken"), [(29, True), (31, False)])
def test_edits_end_half_an_hour_after_the_post(x: FakeX, clock: HandClock, minutes: int, *, taken: bool) -> None:
    """Counted from the first edition."""
    first = x.world.publish("one", author="anna")
    clock.sleep(60.0)
    x.world.edit(first.id, "two")
    clock.sleep(60.0 * minutes - 60.0)

    status = ask(x, "POST", "/fake/edit", body={"identity": first.id, "text": "three"})[0]

    assert taken == (status == 200)


def test_a_deleted_post_is_missing(x: FakeX, clock: HandClock) -> None:
    """With all its edits; a look-up says so beside what is there."""
    there = x.world.publish("@brand there", author="anna")
    gone = x.world.publish("@brand gone", author="anna")
    edit = x.world.edit(gone.id, "@brand gone too")
    x.world.delete(gone.id)
    clock.sleep(60.0)

    _, _, looked_up = ask(x, "GET", f"/2/tweets?ids={gone.id},{there.id},{edit.id}")
    _, _, searched = ask(x, "GET", search("@brand"))

    assert [there.id] == [post["id"] for post in looked_up["data"]] == [post["id"] for post in searched["data"]]
    assert [gone.id, edit.id] == [error["resource_id"] for error in looked_up["errors"]]


def test_nobody_answers_a_deleted_post(x: FakeX) -> None:
    """X refuses that."""
    gone = x.world.publish("hello", author="anna")
    x.world.delete(gone.id)

    status, _, body = ask(
        x, "POST", "/2/tweets", headers=as_user(x), body={"text": "hi", "reply": {"in_reply_to_tweet_id": gone.id}}
    )

    assert (403, True) == (status, "deleted or not visible" in body["detail"])


def test_a_post_is_visible_only_after_some_seconds(clock: HandClock) -> None:
    """The stream has it at once, look-ups, searches and timelines later."""
    with FakeX(clock=clock, visible_after_s=20.0) as x:
        x.world.add_rule("@brand")
        with Reader(x) as reader:
            reader.connected()
            post = x.world.publish("@brand hello", author="anna")
            streamed = reader.texts(1)
        before = ask(x, "GET", f"/2/tweets?ids={post.id}")[2]
        clock.sleep(20.0)
        after = ask(x, "GET", f"/2/tweets?ids={post.id}")[2]

    assert ["@brand hello"] == streamed
    assert ["errors"] == list(before)
    assert ["data"] == list(after)


@pytest.mark.parametrize(("seconds", "found"), [(60.0, True), (inf, False)])
def test_what_is_posted_can_be_hidden(x: FakeX, clock: HandClock, seconds: float, *, found: bool) -> None:
    """POST /2/tweets works, but nothing gives the post for some seconds, or ever; what others write is not hidden."""
    x.faults.hide_new_posts(seconds)
    _, _, said = ask(x, "POST", "/2/tweets", headers=as_user(x), body={"text": "hello"})
    other = x.world.publish("hello", author="anna").id
    ids = f"{said['data']['id']},{other}"

    at_once = ask(x, "GET", f"/2/tweets?ids={ids}")[2]
    clock.sleep(60.0)
    later = ask(x, "GET", f"/2/tweets?ids={ids}")[2]

    assert [other] == [post["id"] for post in at_once["data"]]
    assert found == (len(later["data"]) == 2)


def test_who_was_told_of_a_post(x: FakeX, clock: HandClock) -> None:
    """Each post keeps by what it was given away, and when."""
    with Reader(x) as reader:
        reader.connected()
        post = x.world.publish("@brand hello", author="anna")
        reader.line()
        published = clock.now()
        until(lambda: post.told, "it is noted, which comes after the line")
    clock.sleep(60.0)
    ask(x, "GET", search("@brand"))
    ask(x, "GET", f"/2/tweets?ids={post.id}")

    told = {(told.route, told.at) for told in post.told}
    assert {("stream", published), (RECENT, clock.now()), (LOOKUP, clock.now())} == told
    assert 3 == x.counts.posts_read


def test_half_an_hour_passes_in_a_blink() -> None:
    """A clock that client and server share: the limit of a quarter of an hour is over in 9 ms."""
    clock = ScaledClock(100_000.0)
    with FakeX(clock=clock, rate_limits={DM_EVENTS: (1, 900.0)}) as x:
        api = XApi(x.access(), base_url=x.base_url)
        limit = api.dm_events().limit
        clock.sleep((limit.reset_at or 0) - clock.now())
        again = api.dm_events().limit
        api.close()

    assert (limit.reset_at or 0) + 900 <= (again.reset_at or 0)


def test_it_is_gone_when_it_is_over() -> None:
    """Its port is free, its threads have ended, open streams too."""
    before = threading.active_count()
    with FakeX() as x:
        x.world.add_rule("@brand")
        with Reader(x) as reader:
            reader.connected()
            x.stop()
            ended = reader.ended()
    port = urlsplit(x.base_url).port
    with socket.create_server(("127.0.0.1", port or 0)):
        pass

    assert How.NETWORK == ended.how
    assert before == threading.active_count()


def test_it_can_go_away_and_come_back(x: FakeX) -> None:
    """Under the same address, with all that was there."""
    url, api = x.base_url, XApi(x.access(), base_url=x.base_url)
    api.create_post("before")
    x.stop()
    with pytest.raises(XUnreachable) as raised:
        api.create_post("meanwhile")
    x.start()
    api.create_post("after")
    api.close()

    assert not raised.value.sent
    assert url == x.base_url
    assert ["before", "after"] == [post.text for post in x.world.posts.values()]


def test_pages_stay_where_they_are(x: FakeX) -> None:
    """What is published or deleted between two pages moves no post from one to the other."""
    anna = x.world.user("anna")
    old = [x.world.publish(f"{number}", author=anna).id for number in range(20)]
    _, _, first = ask(x, "GET", f"/2/users/{anna.id}/tweets?max_results=10")
    x.world.publish("new", author=anna)
    x.world.delete(old[10])
    token = first["meta"]["next_token"]
    _, _, second = ask(x, "GET", f"/2/users/{anna.id}/tweets?max_results=10&pagination_token={token}")

    assert old[::-1] == [post["id"] for page in (first, second) for post in page["data"]]


def test_an_edit_that_is_not_visible_yet_hides_nothing(clock: HandClock) -> None:
    """Until then timelines have the post as it was."""
    with FakeX(clock=clock, visible_after_s=20.0) as x:
        old = x.world.publish("helo", author="anna")
        clock.sleep(30.0)
        new = x.world.edit(old.id, "hello")
        found = []
        for _ in range(2):
            _, _, body = ask(x, "GET", f"/2/users/{x.world.user('anna').id}/tweets")
            found.append([post["id"] for post in body["data"]])
            clock.sleep(20.0)

    assert [[old.id], [new.id]] == found


def test_it_serves_on_loopback_only(x: FakeX) -> None:
    """Nobody else can ask it."""
    assert x.base_url.startswith("http://127.0.0.1:")


def test_its_credentials_are_a_users(x: FakeX) -> None:
    """Whoever acts is seen from the access token."""
    api = XApi(x.access("anna"), base_url=x.base_url)
    api.create_post("from me")
    api.close()

    assert ["anna"] == [post.author.handle for post in x.world.posts.values()]


def test_strangers_are_refused(x: FakeX) -> None:
    """Tokens of no user."""
    api = XApi(Access("", "c", "s", "nobody", "t"), base_url=x.base_url)
    with pytest.raises(XRefused) as raised:
        api.create_post("hello")
    api.close()

    assert 401 == raised.value.status
