"""X's API through the real tweepy, against the fake X: what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import tweepy
import tweepy.client
import tweepy.streaming
from x_reader import HandClock, calls, pages

from agents.fake_x import FakeX
from agents.fake_x_limits import RECENT
from agents.x_api import Access, XApi
from pipeline.decode import decode
from pipeline.errors import XFailing
from pipeline.posts import Post

CALLS = tuple(calls(XApi(Access())))


@pytest.mark.parametrize("name", CALLS)
def test_every_call_gives_json_and_its_limit(api: XApi, clock: HandClock, name: str) -> None:
    """The body is X's own JSON, and the headers say how often it may be asked again."""
    answer = calls(api)[name]()

    assert isinstance(json.loads(answer.body), dict)
    assert answer.limit.limit == (answer.limit.remaining or 0) + 1
    assert clock.now() + 900 == answer.limit.reset_at


@pytest.mark.parametrize("route", ["posts", "search", "timeline", "mentions"])
def test_posts_come_with_all_that_is_read_of_them(x: FakeX, api: XApi, clock: HandClock, route: str) -> None:
    """What the wire format reads is asked for: author, parent, links, language, photo, the full text of a long post."""
    parent = x.world.publish("is anybody there?", author="brand")
    anna = x.world.user("anna", name="Anna A.", followers=7, verified=True)
    long = f"@brand look at https://example.com/a {'very ' * 60}long"
    post = x.world.publish(long, author=anna, reply_to=parent.id, lang="de", photo="https://pbs.twimg.com/media/a.jpg")
    clock.sleep(60.0)
    calls = {
        "posts": lambda: api.posts([post.id]),
        "search": lambda: api.recent_search("from:anna"),
        "timeline": lambda: api.timeline(anna.id),
        "mentions": lambda: api.mentions(x.world.user("brand").id),
    }

    body = json.loads(calls[route]().body)
    (found,) = decode([json.dumps({"data": body["data"][0], "includes": body["includes"]}).encode()], [0])

    assert isinstance(found, Post)
    assert (post.id, post.text, "de", round(post.at * 1000)) == (found.id, found.text, found.lang, found.created_at)
    assert ("anna", "Anna A.", 7, True) == (found.author.handle, found.author.name, *_counts(found))
    assert (parent.id, x.world.user("brand").id) == (found.parent_id, found.parent_author_id)
    assert [("brand", x.world.user("brand").id)] == [(mention.username, mention.id) for mention in found.mentions]
    assert ["https://example.com/a"] == [link.expanded_url for link in found.links]
    assert ["photo"] == [attachment.type for attachment in found.attachments]


def _counts(post: Post) -> tuple[int | None, bool | None]:
    return post.author.followers, post.author.verified


def test_a_page_leads_to_the_next(x: FakeX, api: XApi, clock: HandClock) -> None:
    """Newest first, 100 a page, each post once, and the last page has no token."""
    texts = [x.world.publish(f"@brand number {number}", author="anna").text for number in range(250)]
    clock.sleep(60.0)

    found = list(pages(lambda token: api.recent_search("@brand", next_token=token)))

    assert [100, 100, 50] == [len(page["data"]) for page in found]
    assert texts[::-1] == [post["text"] for page in found for post in page["data"]]


@pytest.mark.parametrize("route", ["search", "timeline", "mentions"])
def test_since_id_leaves_out_what_is_known(x: FakeX, api: XApi, clock: HandClock, route: str) -> None:
    """Only what came after it is given, over all pages."""
    anna, brand = x.world.user("anna"), x.world.user("brand")
    old, *new = [x.world.publish(f"@brand {number}", author=anna).id for number in range(131)]
    clock.sleep(60.0)
    calls: dict[str, Callable[[str | None], Any]] = {
        "search": lambda token: api.recent_search("@brand", since_id=old, next_token=token),
        "timeline": lambda token: api.timeline(anna.id, since_id=old, next_token=token),
        "mentions": lambda token: api.mentions(brand.id, since_id=old, next_token=token),
    }

    found = [post["id"] for page in pages(calls[route]) for post in page["data"]]

    assert new[::-1] == found


def test_a_search_is_bounded_by_times(x: FakeX, api: XApi, clock: HandClock) -> None:
    """start_time and end_time are sent to the millisecond, in UTC, whatever zone they are in."""
    times = []
    for number in range(4):
        times.append(datetime.fromtimestamp(clock.now(), UTC))
        x.world.publish(f"@brand {number}", author="anna")
        clock.sleep(0.5)
    clock.sleep(60.0)

    found = json.loads(
        api.recent_search("@brand", start_time=times[1], end_time=times[2].isoformat()).body,
    )

    assert ["@brand 2", "@brand 1"] == [post["text"] for post in found["data"]]


def test_private_messages_come_inpages(x: FakeX, api: XApi) -> None:
    """Both directions, newest first."""
    for number in range(150):
        x.world.send_dm(*(("anna", "brand") if number % 2 else ("brand", "anna")), f"m{number}")

    found = [event["text"] for page in pages(lambda token: api.dm_events(next_token=token)) for event in page["data"]]

    assert [f"m{number}" for number in reversed(range(150))] == found


def test_rules_are_added_read_and_deleted(x: FakeX, api: XApi) -> None:
    """What X does not take stands in `errors`."""
    (old,) = x.world.rules
    added = json.loads(api.add_rules([("@other lang:en", "other"), ("@brand OR from:brand", "brand")]).body)
    read = json.loads(api.rules().body)
    api.delete_rules([old])
    left = json.loads(api.rules().body)

    assert [("@other lang:en", "other")] == [(rule["value"], rule["tag"]) for rule in added["data"]]
    assert ["DuplicateRule"] == [error["title"] for error in added["errors"]]
    assert 2 == read["meta"]["result_count"]
    assert ["other"] == [rule["tag"] for rule in left["data"]]


def test_a_reply_is_posted_as_the_brand(x: FakeX, api: XApi) -> None:
    """It is in the conversation, links are rewritten, and whom it answers stands before it."""
    asked = x.world.publish("@brand where is it?", author="anna")

    said = json.loads(api.create_post("On its way: https://example.com/a <3", reply_to=asked.id).body)
    post = x.world.posts[said["data"]["id"]]

    assert (x.world.user("brand"), asked.id, asked) == (post.author, post.conversation_id, post.parent)
    assert "@anna On its way: https://t.co/0000000001 <3" == post.text
    assert said["data"]["text"].endswith("&lt;3")


def test_a_private_message_is_sent_as_the_brand(x: FakeX, api: XApi) -> None:
    """It reaches the other side."""
    anna = x.world.user("anna")

    said = json.loads(api.create_dm(anna.id, "hello").body)

    assert said["data"]["dm_event_id"] == x.world.messages[0].id
    assert ("brand", "anna", "hello") == (
        x.world.messages[0].sender.handle,
        x.world.messages[0].recipient.handle,
        x.world.messages[0].text,
    )


@pytest.mark.parametrize("count", [0, 101])
def test_too_many_posts_are_not_asked_for(api: XApi, count: int) -> None:
    """X takes 1 to 100."""
    with pytest.raises(ValueError, match="1 to 100"):
        api.posts(["1"] * count)


def test_pages_have_a_place_to_go_on_from(x: FakeX, api: XApi, clock: HandClock) -> None:
    """Tweepy's Paginator forgets its place at an error (defect 9): here the caller has the token."""
    texts = [x.world.publish(f"@brand {number}", author="anna").text for number in range(150)]
    clock.sleep(60.0)
    first = json.loads(api.recent_search("@brand").body)
    x.faults.unavailable(to=RECENT)
    with pytest.raises(XFailing):
        api.recent_search("@brand", next_token=first["meta"]["next_token"])

    second = json.loads(api.recent_search("@brand", next_token=first["meta"]["next_token"]).body)

    assert texts[::-1] == [post["text"] for page in (first, second) for post in page["data"]]


def test_only_these_files_know_tweepy() -> None:
    """A defect of tweepy's is met in one place."""
    from pathlib import Path

    files = sorted(
        path.name for path in (Path(__file__).parents[1] / "agents").glob("*.py") if "import tweepy" in path.read_text()
    )

    assert ["x_api.py", "x_stream.py"] == files
    assert "4.17.0" == tweepy.__version__
