"""The adapters: no record whatsoever breaks a helpdesk's limits, and each case comes to the requests that it should."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from helpdesk_schemas import BARE, CHECKS
from hypothesis import given
from hypothesis import strategies as st

from pipeline import contracts
from pipeline.adapter_chatwoot import chatwoot
from pipeline.adapter_parts import GONE_TITLE, Call, Payload
from pipeline.adapter_servicenow import servicenow
from pipeline.adapter_zammad import zammad
from pipeline.adapter_zendesk import zendesk, zendesk_push
from pipeline.adapters import ADAPTERS, Helpdesk, adapt
from pipeline.classify import Model
from pipeline.errors import BadMessage
from pipeline.posts import Attachment, Link, Mention, Opinion, Priority, Queue, Stage
from pipeline.rewrite import read, retracted
from pipeline.routed import Classification, RoutedAuthor, RoutedPost, Scores, Source

EXAMPLES = Path(__file__).parents[1] / "docs" / "contracts" / "examples"
NAMES = re.compile(r"(external_id=|correlation_id=|triage_id:%22|contacts/)[A-Za-z0-9._:-]+")
ATTACKS = (
    "=cmd|'/C calc'!A0", "@SUM(1+1)*cmd", "+1", "-2", "＝1+1", "\t=1", "[pay here](https://evil.example)",
    "![x](https://evil.example/t.png)", "[a]: https://evil.example", "{{ticket.requester.email}}", "{% for x in y %}",
    "[code]<script>alert(1)</script>[/code]", "[ CODE ]", "<img src=x onerror=alert(1)>", "\u202etxt.exe\u2066",
    "\x00\x07\x1b[2J", "{requester_id}", "^ORcorrelation_id!=1", '" OR 1', "../../users/1", "%22",
    "javascript:alert(1)",
    "a\u0300" * 200, "\U0001f469\u200d\U0001f4bb" * 60, "\n\n\n", "",
)  # fmt: skip
NASTY = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(max_size=40),
    st.text("[](){}%=+-@`*_<>#.:/\\\n \u202e\u200b|~!1a", max_size=40),
    st.builds(lambda one, times: one * times, st.text(min_size=1, max_size=6), st.sampled_from([60, 300])),
)
LONG = NASTY | st.builds(lambda one: one * 12_000, st.text(min_size=1, max_size=6))
MAYBE = st.none() | NASTY
URLS = NASTY | st.sampled_from(["https://pbs.example/a.jpg", "javascript:alert(1)", "https://e.example/" + "a" * 3000])
TIMES = st.sampled_from(["2026-03-02T08:06:18.222Z", "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
UNIT = st.just(0.5)
AUTHORS = st.builds(
    RoutedAuthor, NASTY, MAYBE, MAYBE, st.none() | st.integers(-(2**63), 2**63), st.none() | st.booleans(), URLS
)
RECORDS = st.builds(
    RoutedPost,
    st.just("1.0"), st.uuids().map(str) | NASTY, st.sampled_from(["routed", "retracted"]), NASTY,
    st.sampled_from([0, 1, 2, 2**40]), st.just("x"), st.sampled_from(["lumotram", "quillbank"]) | NASTY,
    st.sampled_from(Queue), st.sampled_from(Priority), st.none() | TIMES, st.booleans(), NASTY, MAYBE, MAYBE, AUTHORS,
    NASTY, LONG, NASTY, st.just((Mention("a", "1"),)), st.just(()), st.just((Link("https://t.co/a"),)),
    st.lists(st.builds(Attachment, NASTY, URLS, MAYBE), max_size=12).map(tuple), URLS, TIMES, TIMES, TIMES,
    st.builds(
        Classification, st.sampled_from(Stage), UNIT, st.just(Scores(0.5, 0.3, 0.2)), st.booleans(),
        st.sampled_from(Opinion), st.just(Model("m", "1", "0" * 64)),
    ),
    st.lists(NASTY, max_size=12).map(tuple), st.just(Source("tweets", 0, 1, "stream")), st.just(1), st.booleans(),
)  # fmt: skip


def _example(name: str) -> RoutedPost:
    return read((EXAMPLES / f"{name}.json").read_bytes())


def _calls(payload: Payload) -> list[Call]:
    return [*payload.find, *payload.open, *payload.create, *payload.update, *payload.erase]


def _strings(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for value in part.values():
            yield from _strings(value)
    elif isinstance(part, list):
        for value in part:
            yield from _strings(value)


def _check(payload: Payload) -> None:
    """Each request is one that the helpdesk knows, with fields that it takes, in their limits."""
    for name in (payload.id, payload.thread, payload.event_id):
        assert re.fullmatch(r"[A-Za-z0-9._:-]{1,255}", name)
    for call in _calls(payload):
        key = (call.method, NAMES.sub(r"\1ID", call.path))
        if call.body is None:
            assert key in BARE
            continue
        CHECKS[key].validate(json.loads(msgspec.json.encode(call.body)))
        for value in _strings(call.body):
            assert len(value.encode()) <= 150_000
            assert not re.match(r"[=+\-＝＋－＠]|@\W", value)
            assert not re.search(r"\]\(|\{\{|\{%|\[/?code\]", value.replace("\\", ""), re.IGNORECASE)
        for value in call.headers.values():
            assert re.fullmatch(r"[A-Za-z0-9._:-]{1,255}", value)


@given(RECORDS)
def test_no_record_breaks_a_limit(record: RoutedPost) -> None:
    """Whatever stands in it, all requests to all helpdesks keep what the helpdesks take, and nothing in them acts."""
    for adapter in ADAPTERS.values():
        _check(adapter(record))


@given(RECORDS)
def test_a_post_that_is_gone_leaves_nothing(record: RoutedPost) -> None:
    """Once it is retracted, no request says a word of its text, its pictures or its author's name."""
    said = "never to be said again"
    author = RoutedAuthor(record.author.external_id, said, said, None, None, None)
    whole = msgspec.structs.replace(record, external_id="x:1", text=said, subject=said, author=author)
    gone = read(retracted(whole, 0).value)

    for adapter in ADAPTERS.values():
        payload = adapter(gone)
        _check(payload)
        assert said not in msgspec.json.encode(payload).decode()
        assert payload.create == ()


@pytest.mark.parametrize("helpdesk", Helpdesk)
def test_payloads_of_the_examples(helpdesk: Helpdesk) -> None:
    """Each golden example, and one moved and one gone, is among the committed payloads and keeps the limits."""
    committed = json.loads((EXAMPLES.parent / "payloads" / f"{helpdesk.value}.json").read_text(encoding="utf-8"))

    for name, payload in committed.items():
        found = msgspec.convert(payload, Payload)
        _check(found)
        if name not in ("urgent.moved", "urgent.gone"):
            assert adapt(helpdesk, (EXAMPLES / f"{name}.json").read_bytes()) == found
    assert {path.stem for path in EXAMPLES.glob("*.json")} | {"urgent.moved", "urgent.gone"} == set(committed)


@pytest.mark.parametrize("helpdesk", Helpdesk)
def test_a_first_revision_is_created_and_never_updated(helpdesk: Helpdesk) -> None:
    """Who is told of a post twice makes no second comment of it."""
    payload = ADAPTERS[helpdesk](_example("urgent"))

    assert ((), True) == (payload.update, bool(payload.create))


@pytest.mark.parametrize("helpdesk", Helpdesk)
def test_a_further_revision_can_be_the_first_that_is_read(helpdesk: Helpdesk) -> None:
    """An edit updates what is there, and makes it where nothing is."""
    payload = ADAPTERS[helpdesk](_example("edit"))

    assert (1, True, True) == (payload.revision, bool(payload.update), bool(payload.create))
    assert "logs me out" in msgspec.json.encode(payload.update).decode()


@pytest.mark.parametrize("helpdesk", Helpdesk)
def test_two_brands_make_two_tickets(helpdesk: Helpdesk) -> None:
    """One post about two brands has one external_id; its names in the helpdesk differ."""
    adapter = ADAPTERS[helpdesk]

    found = {adapter(_example(f"two_brands.{brand}")).id for brand in ("lumotram", "quillbank")}

    assert 2 == len(found)


@pytest.mark.parametrize("helpdesk", Helpdesk)
def test_the_brands_own_post_is_a_note_for_agents(helpdesk: Helpdesk) -> None:
    """An answer typed in the X app is told under the post that it answers, and is never sent again."""
    payload = ADAPTERS[helpdesk](_example("own"))

    told = msgspec.json.encode(payload.update).decode()

    assert () == payload.create
    assert "the 7:40 runs again from tomorrow" in told
    assert re.search(r'"(?:private|internal|internal_note)":true|"public":false|work_notes', told)


def test_the_brands_own_post_to_nobody_is_told_nobody() -> None:
    """There is no ticket and no conversation to tell it in."""
    own = msgspec.structs.replace(_example("own"), parent_id=None, parent_author_id=None)

    found = {name.value for name, adapter in ADAPTERS.items() if adapter(own).update}

    assert set() == found


def test_a_move_is_a_note_with_the_new_queue() -> None:
    """The customer's words are not said a second time; queue, priority and tags change."""
    moved = json.loads((EXAMPLES.parent / "payloads" / "zammad.json").read_text(encoding="utf-8"))["urgent.moved"]

    put, *tags = moved["update"]

    assert ("proactive", "3 high") == (put["body"]["group"], put["body"]["priority"])
    assert "A person moved it to the queue proactive; its priority is urgent." == put["body"]["article"]["body"]
    assert {("remove", "reactive"), ("add", "proactive")} <= {(one["path"][13:], one["body"]["item"]) for one in tags}


def test_priorities() -> None:
    """Each priority, in the words of each helpdesk."""
    found = {}
    for priority in Priority:
        record = msgspec.structs.replace(_example("urgent"), priority=priority)
        first = [zendesk(record).create[0].body, zammad(record).create[0].body, servicenow(record).create[0].body]
        ticket, other, incident = (body or {} for body in first)
        level = incident["impact"] + incident["urgency"]
        words = (ticket["ticket"]["priority"], other["priority"], (chatwoot(record).create[1].body or {})["priority"])
        found[priority.value] = (*words, level)

    assert {
        "urgent": ("urgent", "3 high", "urgent", "11"),
        "high": ("high", "3 high", "high", "21"),
        "normal": ("normal", "2 normal", "medium", "22"),
        "low": ("low", "1 low", "low", "23"),
    } == found


def test_a_push_is_in_one_thread_a_conversation() -> None:
    """Posts of one customer in one conversation meet; an edit answers the resource that it changes."""
    first = _example("edit")
    other = msgspec.structs.replace(first, external_id="x:77")

    one, two = (zendesk_push(record).create[0].body or {} for record in (first, other))
    changed = (zendesk_push(first).update[0].body or {})["external_resources"][0]

    assert one["external_resources"][0]["thread_id"] == two["external_resources"][0]["thread_id"]
    assert one["external_resources"][0]["external_id"] == changed["parent_id"]


def test_a_gone_post_in_each_helpdesk() -> None:
    """Its title goes; where its text cannot be changed, there are requests that erase it."""
    gone = read(retracted(_example("urgent"), 0).value)

    tickets, others, incidents = zendesk(gone), zammad(gone), servicenow(gone)

    assert ["/api/v2/tickets/{ticket_id}", "/api/v2/deleted_tickets/{ticket_id}"] == [
        call.path for call in tickets.erase
    ]
    assert ["/api/v1/tickets/{ticket_id}"] == [call.path for call in others.erase]
    assert (GONE_TITLE, "") == tuple(
        (incidents.update[0].body or {})[key] for key in ("short_description", "description")
    )
    assert "DELETE" == chatwoot(gone).update[0].method


def test_groups_and_callers_are_yours() -> None:
    """Zammad's groups by name, ServiceNow's table, groups and caller by sys_id."""
    record = _example("urgent")

    ticket = zammad(record, groups={"reactive": "Social care"}).create[0]
    case = servicenow(record, table="sn_customerservice_case", groups={"reactive": "abc"}, caller="def").create[0]

    assert "Social care" == (ticket.body or {})["group"]
    assert ("/api/now/table/sn_customerservice_case", "abc", "def") == (
        case.path,
        (case.body or {})["assignment_group"],
        (case.body or {})["caller_id"],
    )


def test_a_newer_type_of_event_is_passed_over() -> None:
    """What may come one day is no error; what is no record at all is one."""
    value = msgspec.json.decode((EXAMPLES / "urgent.json").read_bytes())

    assert adapt(Helpdesk.ZAMMAD, msgspec.json.encode(value | {"event_type": "praised"})) is None
    assert adapt(Helpdesk.ZAMMAD, msgspec.json.encode(value | {"new": 1})) is not None
    for broken in (b"", b"[]", b"{}", b"\xff", b'{"event_type":"routed"}'):
        with pytest.raises(BadMessage):
            adapt(Helpdesk.ZAMMAD, broken)


def test_every_helpdesk_has_its_payloads() -> None:
    """`triage contracts` writes a file for each."""
    assert set(contracts.payloads({})) == {helpdesk.value for helpdesk in Helpdesk} == set(map(str, ADAPTERS))


class FakeServiceNow:
    """Rows by correlation_id, and what who runs an adapter keeps."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.revisions: dict[str, int] = {}

    def tell(self, payload: Payload) -> None:
        """As docs/helpdesk.md has it: pass over what is older; update what is there, else create."""
        if payload.revision <= self.revisions.get(payload.id, -1):
            return
        self.revisions[payload.id] = payload.revision
        name = payload.find[0].path.split("correlation_id=")[1].split("&")[0]
        for call in payload.update if name in self.rows else payload.create:
            self.rows.setdefault(name, {}).update(call.body or {})


@given(st.permutations(range(4)), st.lists(st.integers(0, 3), max_size=4))
def test_any_order_ends_the_same(order: list[int], again: list[int]) -> None:
    """A post, its edit, its move and its end, told in any order and twice: nothing of its text is left."""
    first = _example("urgent")
    edited = msgspec.structs.replace(first, revision=1, event_id="e1", text="now twelve cars")
    person = msgspec.structs.replace(first.classification, decided_by=Opinion.PERSON)
    moved = msgspec.structs.replace(edited, revision=2, event_id="e2", queue=Queue.PROACTIVE, classification=person)
    events = [first, edited, moved, read(retracted(moved, 0).value)]
    desk = FakeServiceNow()

    for number in [*order, *again]:
        desk.tell(servicenow(events[number]))

    assert {"x:1970000000000000009:lumotram": 3} == desk.revisions
    assert {""} >= {row["description"] for row in desk.rows.values()}


def test_an_edit_before_its_post() -> None:
    """The edit makes the incident, and the post that it changes comes too late to change it back."""
    desk, first = FakeServiceNow(), _example("urgent")

    for record in (msgspec.structs.replace(first, revision=1, event_id="e1", text="now twelve cars"), first):
        desk.tell(servicenow(record))

    [row] = desk.rows.values()
    assert "now twelve cars" in row["description"]
