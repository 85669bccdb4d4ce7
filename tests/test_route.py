"""From verdict to record: brands, queues, priority, deadline, ids, clean text."""

from __future__ import annotations

import json
import unicodedata
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.brands import OTHER, Brands
from pipeline.classify import Model, queue_for
from pipeline.clean import clean
from pipeline.posts import Attachment, Author, Link, Mention, Post, Priority, Queue, Stage, Verdict
from pipeline.route import Outgoing, Place, Router, customer, route_all, subject, utc
from pipeline.routed import NAMESPACE, RoutedPost, event_id
from pipeline.settings import Brand, Hours, Settings, Thresholds
from pipeline.triage import triage

ACME = Brand(name="acme", handles=("Acme", "AcmeHelp"), ids=("9",), aliases=("acme corp",))
OTTO = Brand(name="otto", handles=("Otto",), targets={Queue.REACTIVE: 60})
SETTINGS = Settings(brands=(ACME, OTTO), thresholds=Thresholds(reactive=0.6, proactive=0.5, engagement=0.5))
ROUTER = Router(SETTINGS, Model("m", "1", "0" * 64))
PLACE = Place("tweets", 3, 42, 1_000)


def _post(text: str = "@Acme hello", **other: Any) -> Post:
    fields: dict[str, Any] = {
        "id": "100",
        "first_id": "100",
        "text": text,
        "author": Author("7", "lena"),
        "created_at": 0,
        "conversation_id": "100",
        "mentions": (Mention("acme"),),
    }
    return Post(**(fields | other))


def _verdict(stage: Stage = Stage.REACTIVE, confidence: float = 0.9) -> Verdict:
    return Verdict(stage, confidence, (confidence, 0.0, 0.0))


def _route(post: Post, verdict: Verdict | None = None) -> list[Outgoing]:
    return ROUTER.route(post, verdict or _verdict(), PLACE, 5_000)


def _record(post: Post, verdict: Verdict | None = None) -> RoutedPost:
    [outgoing] = _route(post, verdict)
    return msgspec.json.decode(outgoing.value, type=RoutedPost)


def _strings(part: Any) -> list[str]:
    if isinstance(part, dict | list):
        return [text for inner in (part.values() if isinstance(part, dict) else part) for text in _strings(inner)]
    return [part] if isinstance(part, str) else []


def test_another_language_goes_to_review() -> None:
    """However sure the model is; the record still says what it thought."""
    [spanish] = _route(_post(lang="es"), _verdict(Stage.PROACTIVE, 0.99))

    assert (spanish.queue, spanish.stage) == (Queue.REVIEW, Stage.PROACTIVE)


@pytest.mark.parametrize(
    ("stage", "confidence", "expected"),
    [
        (Stage.REACTIVE, 0.6, Queue.REACTIVE),
        (Stage.REACTIVE, 0.59, Queue.REVIEW),
        (Stage.PROACTIVE, 0.55, Queue.PROACTIVE),
        (Stage.ENGAGEMENT, 0.2, Queue.REVIEW),
    ],
)
def test_the_threshold_is_the_stages_own(stage: Stage, confidence: float, expected: Queue) -> None:
    """Under its stage's threshold a verdict goes to review."""
    assert expected == queue_for(_verdict(stage, confidence), SETTINGS.thresholds_by_stage())


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        (_post(), ["acme"]),
        (_post(mentions=(Mention("ACMEHELP"),)), ["acme"]),
        (_post(mentions=(), rules=("otto",)), ["otto"]),
        (_post(mentions=(), rules=("otto:outage",)), ["otto"]),
        (_post(rules=("otto", "acme")), ["otto", "acme"]),
        (_post(mentions=(), parent_author_id="9"), ["acme"]),
        (_post(mentions=(), quoted_author_id="9"), ["acme"]),
        (_post("is Acme Corp closed", mentions=()), ["acme"]),
        (_post("acmes are acnes", mentions=()), ["other"]),
        (_post("hi", mentions=(Mention("Acme"), Mention("otto"))), ["acme", "otto"]),
    ],
)
def test_brands_concerned(post: Post, expected: list[str]) -> None:
    """Rules, mentions, answers, quotes, and words where nothing else tells; a record a brand."""
    assert expected == [outgoing.brand for outgoing in _route(post)]


def test_a_single_brand_gets_every_post() -> None:
    """With one brand configured a post that names nobody is that brand's; with several it is nobody's."""
    assert [ACME] == Brands([ACME]).concerned(_post("hm", mentions=()))[0]
    assert [OTHER] == Brands([ACME, OTTO]).concerned(_post("hm", mentions=()))[0]


@pytest.mark.parametrize("author", [Author("1", "ACMEhelp"), Author("9", None)])
def test_a_brands_own_post(author: Author) -> None:
    """What an account of the brand writes goes to posts.own, keyed by the customer whom it answers."""
    [outgoing] = _route(_post(author=author, parent_author_id="7", parent_id="99"))

    assert (Queue.OWN, b"7", 3) == (outgoing.queue, outgoing.key, outgoing.partition)


def test_the_key_is_the_customer() -> None:
    """The author of a customer's post; of a brand's own the one answered, else the post."""
    assert ["7", "5", "100", "100"] == [
        customer(_post(), own=False),
        customer(_post(parent_author_id="5"), own=True),
        customer(_post(), own=True),
        customer(_post(author=Author("")), own=False),
    ]


@pytest.mark.parametrize(
    ("post", "stage", "expected"),
    [
        (_post(), Stage.REACTIVE, Priority.HIGH),
        (_post("acme corp", mentions=()), Stage.REACTIVE, Priority.NORMAL),
        (_post(), Stage.PROACTIVE, Priority.NORMAL),
        (_post(), Stage.ENGAGEMENT, Priority.LOW),
        (_post("my charger caught FIRE!"), Stage.ENGAGEMENT, Priority.URGENT),
        (_post("firefly"), Stage.ENGAGEMENT, Priority.LOW),
        (_post(author=Author("7", followers=100_001)), Stage.ENGAGEMENT, Priority.URGENT),
    ],
)
def test_priority(post: Post, stage: Stage, expected: Priority) -> None:
    """Words of harm and large followings are urgent; then the stage and whether the brand was addressed."""
    assert expected == _record(post, _verdict(stage)).priority


@pytest.mark.parametrize(
    ("post", "stage", "expected"),
    [
        (_post(), Stage.REACTIVE, "1970-01-01T00:30:00.000Z"),
        (_post(), Stage.PROACTIVE, "1970-01-01T02:00:00.000Z"),
        (_post(), Stage.ENGAGEMENT, None),
        (_post(mentions=(Mention("otto"),)), Stage.REACTIVE, "1970-01-01T00:01:00.000Z"),
    ],
)
def test_deadline(post: Post, stage: Stage, expected: str | None) -> None:
    """The target counts from created_at; a brand may have its own."""
    assert expected == _record(post, _verdict(stage)).deadline_at


def test_a_deadline_counts_business_hours() -> None:
    """Asked on a Thursday at midnight in UTC, which is one o'clock in Madrid: half an hour after opening."""
    office = Hours(zone="Europe/Madrid", week={"thu": ("09:00-17:00",)})
    settings = Settings(brands=(ACME.model_copy(update={"hours": "office"}), OTTO), hours={"office": office})

    [outgoing] = Router(settings, Model("m", "1", "0" * 64)).route(_post(), _verdict(), PLACE, 0)

    assert msgspec.json.decode(outgoing.value, type=RoutedPost).deadline_at == "1970-01-01T08:30:00.000Z"


def test_reply_is_allowed_only_to_who_addressed_the_brand() -> None:
    """A mention, an answer or a quote of this brand; another brand's does not do."""
    both = _post("acme corp", mentions=(Mention("otto"),), rules=("acme",))

    records = {outgoing.brand: msgspec.json.decode(outgoing.value, type=RoutedPost) for outgoing in _route(both)}

    assert {"acme": False, "otto": True} == {brand: record.reply_allowed for brand, record in records.items()}


def test_the_record_as_a_whole() -> None:
    """Times, ids, classification and source as the contract has them; CloudEvents attributes in the headers."""
    post = _post(first_id="98", revision=1, author=Author("7", "lena", "Le\u202ena\n"))

    [outgoing] = _route(post, _verdict(confidence=0.5))
    record = msgspec.json.decode(outgoing.value, type=RoutedPost)

    assert ("x:98", event_id("98", "acme", "routed", 1), 1) == (record.external_id, record.event_id, record.revision)
    assert ("1970-01-01T00:00:01.000Z", "1970-01-01T00:00:05.000Z") == (record.ingested_at, record.routed_at)
    assert (Queue.REVIEW, True, "first") == (
        record.queue,
        record.classification.abstained,
        record.classification.decided_by,
    )
    assert ("tweets", 3, 42, "stream") == tuple(msgspec.to_builtins(record.source).values())
    assert "Lena " == record.author.name
    assert {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_type": b"tweet-triage.post.routed.v1",
        "ce_source": b"/x/acme",
        "ce_id": record.event_id.encode(),
        "ce_subject": b"100",
        "ce_time": b"1970-01-01T00:00:05.000Z",
    } == dict(outgoing.headers)


def test_neither_queue_nor_model_is_part_of_the_id() -> None:
    """The same post judged otherwise keeps its event id, so that a replay makes no second ticket."""
    other = Router(SETTINGS, Model("another", "2", "1" * 64))

    [first] = _route(_post())
    [second] = other.route(_post(), _verdict(Stage.ENGAGEMENT), PLACE, 9_000)

    assert dict(first.headers)["ce_id"] == dict(second.headers)["ce_id"]


def test_a_batch_keeps_its_order() -> None:
    """Records come out in the order of the posts."""
    posts = [_post(id=str(number)) for number in range(5)]

    found = route_all(ROUTER, posts, [_verdict()] * 5, [PLACE] * 5, 0)

    assert [b"0", b"1", b"2", b"3", b"4"] == [dict(outgoing.headers)["ce_subject"] for outgoing in found]


@given(st.text(max_size=30), st.text(max_size=10), st.integers(0, 99))
def test_event_id_is_uuid5(first_id: str, brand: str, revision: int) -> None:
    """The fast version gives what the standard library gives."""
    name = f"{first_id}:{brand}:routed:{revision}"

    assert str(uuid.uuid5(NAMESPACE, name)) == event_id(first_id, brand, "routed", revision)


@given(st.text())
@example("e\u200b\u0301")
@example("\u1100\u2060\u1161")
def test_clean_text_hides_nothing(text: str) -> None:
    """No control character but the line feed, no bidirectional override, NFC, and the same when cleaned again."""
    found = clean(text)

    assert not [c for c in found if unicodedata.category(c) == "Cc" and c != "\n"]
    assert not set(found) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff")
    assert clean(found) == found


def test_clean_keeps_what_scripts_need() -> None:
    """Line feeds and the joiners of emoji and Persian stay."""
    text = "می\u200cخواهم 👩\u200d💻\nthanks"

    assert text == clean(text)


@pytest.mark.parametrize(
    "post",
    [
        _post(author=Author("7", "le\u202ena")),
        _post(author=Author("7", None, "le\u202ena")),
        _post(mentions=(Mention("acme"), Mention("ot\u202eto"))),
        _post(hashtags=("gn\u202eihton",)),
        _post(attachments=(Attachment("photo", None, "a\x07 bag\u202e"),)),
    ],
    ids=["handle", "name", "mention", "hashtag", "alt text"],
)
def test_nothing_that_is_shown_turns_the_text_around(post: Post) -> None:
    """Text is not the only thing that people write: what else a helpdesk shows has no control characters either."""
    [outgoing] = _route(post)

    assert not [text for text in _strings(msgspec.json.decode(outgoing.value)) if set(text) & {"\u202e", "\x07"}]


@given(st.text(), st.text(max_size=400))
def test_a_subject_is_one_short_line(text: str, handle: str) -> None:
    """At most 150 characters, no line break, whatever the handle."""
    found = subject(clean(handle), clean(text))

    assert len(found) <= 150
    assert "\n" not in found


@given(st.integers(min_value=-(10**13), max_value=10**14))
def test_utc_round_trip(milliseconds: int) -> None:
    """The text says the same millisecond, before 1970 too."""
    found = datetime.fromisoformat(utc(milliseconds))

    assert milliseconds == round((found - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)


def test_years_have_four_digits() -> None:
    """RFC 3339 has years from 0001 to 9999, all in four digits."""
    found = [utc(-62_135_596_800_000), utc(253_402_300_799_999)]

    assert ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"] == found


class Sure:
    """A classifier that takes all for reactive."""

    model = Model("sure", "1", "0" * 64)
    second = None

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """A verdict a post."""
        return [_verdict() for _ in posts]

    def explain(self, post: Post) -> list[tuple[str, float]]:
        """Nothing to say."""
        return [(post.text, 1.0)]


@pytest.mark.parametrize(
    ("created_at", "timestamp"),
    [
        ("0001-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00+14:00", 0),
        ("9999-12-31T23:59:59Z", 0),
        ("2026-03-02T08:00:00Z", 2**63 - 1),
        ("2026-03-02T08:00:00Z", -1),
    ],
)
def test_a_clock_far_off_does_not_fail_its_batch(created_at: str, timestamp: int) -> None:
    """Whatever time a clock says, the record is routed or dead, and so is its neighbour."""
    values = [
        json.dumps({"data": {"id": "1", "text": "x", "created_at": at}}) for at in (created_at, "2026-01-01T00:00:00Z")
    ]
    records = [
        SimpleNamespace(topic="t", partition=0, offset=offset, timestamp=at, key=None, value=value.encode(), headers=())
        for offset, (value, at) in enumerate(zip(values, (timestamp, 0), strict=True))
    ]

    triaged = triage(records, Sure(), ROUTER, 0)

    assert 2 == len(triaged.outgoing) + len(triaged.dead)
    assert b"1" in [outgoing.key for outgoing in triaged.outgoing]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Place("tweets", 3, 42, 0), ("stream", 1, False)),
        (Place("tweets", 3, 42, 0, "replay"), ("replay", 1, True)),
        (Place("tweets", 3, 42, 0, "backfill", 2), ("backfill", 2, True)),
    ],
)
def test_how_it_got_here(place: Place, expected: tuple[str, int, bool]) -> None:
    """What was replayed, or goes through again, says so: a helpdesk may want to leave it."""
    [outgoing] = ROUTER.route(_post(), _verdict(), place, 0)
    record = msgspec.json.decode(outgoing.value, type=RoutedPost)

    assert expected == (record.source.api, record.attempt, record.replayed)


def test_long_lists_are_cut() -> None:
    """X allows fewer mentions, hashtags, links and pictures than we pass on; a forged record may have more."""
    many = _post(mentions=(Mention("acme"),) * 60, hashtags=("x",) * 60, attachments=(Attachment("photo"),) * 60)

    record = _record(many)

    assert (50, 50, 10) == (len(record.mentions), len(record.hashtags), len(record.attachments))


def test_links_are_safe_to_show() -> None:
    """A forged record may name a script for a link or break out of the post's address: neither reaches a helpdesk."""
    links = (Link("https://t.co/a", "https://acme.example"), Link("https://t.co/b", "javascript:x"), Link("data:x"))

    record = _record(_post(id="../9?x", links=links))

    assert (Link("https://t.co/a", "https://acme.example"), Link("https://t.co/b")) == record.links
    assert record.url == "https://x.com/i/web/status/..%2F9%3Fx"
