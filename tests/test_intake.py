"""What came in and where it goes; pages are split; what a sweep found is put together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.brands import Brands
from pipeline.errors import BadMessage
from pipeline.intake import Together, is_new, take
from pipeline.pages import page
from pipeline.rules import Rule
from pipeline.seen import Seen
from pipeline.settings import Brand
from pipeline.sweeps import Ask, Route, Sweep

BRANDS = Brands([Brand(name="acme", handles=("Acme",), ids=("900",))])


def _post(identity: str, **more: Any) -> dict[str, Any]:
    return {"id": identity, "text": "hello", "author_id": "7", "edit_history_tweet_ids": [identity]} | more


def _line(identity: str, **more: Any) -> bytes:
    return json.dumps({"data": _post(identity, **more)}).encode()


def test_a_customers_post_goes_under_the_customer() -> None:
    """Its key is its author, and its bytes stay as they came."""
    line = _line("5", created_at="2026-11-23T12:00:00.000Z")

    taken = take(line, BRANDS)

    assert (line, b"7", "5", 0, 1795435200000) == taken


def test_a_brands_post_goes_under_the_one_replied_to() -> None:
    """To nobody: under itself."""
    assert b"7" == take(_line("5", author_id="900", in_reply_to_user_id="7"), BRANDS).key
    assert b"5" == take(_line("5", author_id="900"), BRANDS).key


@pytest.mark.parametrize("line", [b"{", b'{"errors": []}', b"\xff", b'{"data": {"id": "1"}}'])
def test_what_cannot_be_read_goes_on_as_it_stands(line: bytes) -> None:
    """To the dead letters, each time that it comes."""
    seen = Seen(10)
    taken = take(line, BRANDS)

    assert (line, None) == taken[:2]
    assert [True, True] == [is_new(taken, seen), is_new(taken, seen)]


def test_an_edit_is_new_and_a_repetition_is_not() -> None:
    """By the first id and the number of edits."""
    seen = Seen(10)
    lines = [_line("5"), _line("5"), _line("6", edit_history_tweet_ids=["5", "6"]), _line("5")]

    assert [True, False, True, False] == [is_new(take(line, BRANDS), seen) for line in lines]


def test_a_page_is_split_with_what_each_post_refers_to() -> None:
    """Its rules' tags stand in each, as in a record of the stream."""
    users = [{"id": "7", "username": "lena"}, {"id": "8", "username": "max"}]
    body = {"data": [_post("2"), _post("1", author_id="8")], "includes": {"users": users}}
    found = page(json.dumps(body | {"meta": {"next_token": "n", "newest_id": "2"}}).encode(), ["acme:own"])

    assert (["2", "1"], "n", "2") == found[1:]
    assert {
        "data": _post("2"),
        "includes": {"users": users[:1]},
        "matching_rules": [{"tag": "acme:own"}],
    } == json.loads(found.envelopes[0])


def test_an_empty_page_and_a_broken_one() -> None:
    """No posts are no error; no JSON is."""
    assert ([], [], None, None) == page(b'{"meta": {"result_count": 0}}')
    with pytest.raises(BadMessage, match="cannot be read"):
        page(b"<html>")


def test_what_several_queries_found_has_the_tags_of_all() -> None:
    """Each version once, the oldest first."""
    together = Together(BRANDS)
    newer, older = _line("20", created_at="2026-11-23T12:00:01Z"), _line("3", created_at="2026-11-23T12:00:00Z")
    for tag in ("a:mentions", "b:aliases", "a:mentions"):
        body = b'{"data": [%s, %s]}' % (json.dumps(json.loads(newer)["data"]).encode(), older[9:-1])
        together.add(page(body, [tag]).envelopes)

    found = together.in_order()

    assert ["3", "20"] == [taken.first_id for taken in found]
    assert [[{"tag": "a:mentions"}, {"tag": "b:aliases"}]] * 2 == [
        json.loads(taken.value)["matching_rules"] for taken in found
    ]


def test_a_sweep_asks_page_by_page() -> None:
    """Mentions first; a page that was not answered is asked for again."""
    sweep = Sweep([Rule("q", "acme:aliases")], [("900", "acme")])
    first = Ask(Route.MENTIONS, "900", "acme:mentions")

    assert [first, first] == [sweep.next(), sweep.next()]
    sweep.answered(page(b'{"data": [%s], "meta": {"next_token": "n"}}' % json.dumps(_post("1")).encode()))
    assert first._replace(next_token="n") == sweep.next()
    sweep.answered(page(b"{}"))
    assert Ask(Route.SEARCH, "q", "acme:aliases") == sweep.next()
    sweep.answered(page(b"{}"))
    assert (None, 1) == (sweep.next(), sweep.read)
