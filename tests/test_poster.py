"""The real poster on the real broker, with the real tweepy and the fake X."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import msgspec
import pytest

from agents.broker import Broker
from agents.fake_x import FakeX
from benchmarks.posting_place import Desk, Posting, pause, until
from pipeline import contracts, traces
from pipeline.clocks import ScaledClock
from pipeline.errors import SettingsError
from pipeline.facts import Fact, Kind
from pipeline.kept import Key
from pipeline.posting import decode
from pipeline.replies import Reply
from pipeline.topics import REPLIES_LOG, RESPONSES
from pipeline.turns import Conversation

FACTOR = 60.0


@pytest.fixture
def fast() -> ScaledClock:
    """A minute a second, for X and for the poster."""
    return ScaledClock(FACTOR)


@pytest.fixture
def fake(fast: ScaledClock) -> Iterator[FakeX]:
    """A fake X on that clock."""
    with FakeX(clock=fast) as fake:
        yield fake


@pytest.fixture
def desk(fake: FakeX, broker: Broker, prefix: str, tmp_path: Path) -> Iterator[Desk]:
    """A helpdesk on topics of its own."""
    desk = Desk(fake, broker.bootstrap, prefix, tmp_path)
    yield desk
    desk.close()


def test_a_reply_a_message_and_a_post_to_all(desk: Desk, fast: ScaledClock) -> None:
    """Each goes where it belongs, and its event keeps the contract and holds no text."""
    reply = desk.asked()
    message = msgspec.structs.replace(desk.asked("bob"), kind="dm", text="Your code is 17", post_id=None)
    to_all = msgspec.structs.replace(
        desk.asked(), kind="post", text="All is well again", post_id=None, customer=None, conversation_id=None
    )
    with Posting(desk.settings, clock=fast):
        for one in (reply, message, to_all):
            desk.send(one)
        outcomes = desk.wait_for(reply.id, message.id, to_all.id)

    assert {"reply_posted"} == set(outcomes.values())
    assert {reply.text: 1, "Your code is 17": 1, "All is well again": 1} == desk.on_x()
    made = next(post for post in desk.x.world.posts.values() if reply.text in post.text)
    assert made.parent is not None
    assert reply.parent == made.parent.id
    assert ["intent", "sending", "posted"] == desk.logged(reply.id)
    schema = jsonschema.Draft7Validator(contracts.response_schema())
    for record in desk.records(RESPONSES):
        value = json.loads(record.value)
        schema.validate(value)
        assert record.key.decode() == (value["customer"] or "acme")
        assert dict(record.headers)["ce_id"].decode() == value["event_id"]
        assert b"way" not in record.value
    assert made.id == desk.told()[reply.id]["reply"]["answer_id"]


def test_sent_twice_is_posted_once(desk: Desk, fast: ScaledClock) -> None:
    """Under one id, in whichever partitions, also after a restart; another text under the id is refused."""
    reply = desk.asked()
    with Posting(desk.settings, clock=fast):
        for partition in (0, 1, 1, 2):
            desk.send(reply, partition)
        desk.wait_for(reply.id)
    other = msgspec.structs.replace(reply, text="something else")
    with Posting(desk.settings, clock=fast):
        desk.send(reply, 2)
        desk.send(other)
        until(lambda: desk.outcomes()[other.id] == "reply_failed", "the other is dead")

    assert {reply.text: 1} == desk.on_x()
    assert b"id_taken" == dict(desk.dead()[0].headers)["dlq.reason"]


def test_a_lost_answer_is_looked_for(desk: Desk, fast: ScaledClock) -> None:
    """X took it, and the answer was lost: it is found, and not sent again; X shows it only after a while."""
    first, second = desk.asked("ann"), desk.asked("bob", "@acme https://acme.example/x is down")
    second = msgspec.structs.replace(second, text="Try https://acme.example/y &amp; <b>\u00e9</b>")
    desk.x.faults.hide_new_posts(20)
    desk.x.faults.lose_answer(times=2)
    with Posting(desk.settings, clock=fast):
        desk.send(first)
        desk.send(second)
        outcomes = desk.wait_for(first.id, second.id)

    assert {"reply_posted"} == set(outcomes.values())
    assert 2 == desk.on_x().total()
    assert 2 == desk.x.counts.of("POST /2/tweets")
    assert 2 == len({value["reply"]["answer_id"] for value in desk.told().values()})


@pytest.mark.parametrize("counted", [True, False])
def test_a_call_that_came_to_nothing_is_made_again(desk: Desk, fast: ScaledClock, counted: bool) -> None:
    """X drops the connection and did nothing, whether it counted the request or not, thrice: it is posted once."""
    reply = desk.asked()
    desk.x.faults.lose_answer(times=3, done=False, counted=counted)
    with Posting(desk.settings, clock=fast):
        desk.send(reply)
        outcomes = desk.wait_for(reply.id)

    assert ("reply_posted", 1) == (outcomes[reply.id], desk.on_x()[reply.text])
    assert 4 == desk.logged(reply.id).count("sending")


def test_what_turns_up_while_x_takes_no_more_is_not_sent_again(
    fast: ScaledClock, broker: Broker, prefix: str, tmp_path: Path
) -> None:
    """It is hidden for longer than X says, and X's limit is used up: right before it goes out again it is found."""
    with FakeX(clock=fast, rate_limits={"POST /2/tweets": (1, 300.0)}) as limited:
        desk = Desk(limited, broker.bootstrap, prefix, tmp_path)
        reply = desk.asked()
        limited.faults.hide_new_posts(200)
        limited.faults.unavailable(to="POST /2/tweets", done=True)
        with Posting(desk.settings, clock=fast):
            desk.send(reply)
            outcomes = desk.wait_for(reply.id)
        desk.close()

        assert ("reply_posted", 1) == (outcomes[reply.id], desk.on_x()[reply.text])


def test_what_stays_hidden_is_unknown(desk: Desk, fast: ScaledClock) -> None:
    """X refuses it as a double, so it has it: after the set time that is told, with what to do; others go on."""
    reply, other = desk.asked(), desk.asked("bob")
    desk.x.faults.hide_new_posts(10**6)
    desk.x.faults.lose_answer()
    with Posting(desk.settings, clock=fast):
        desk.send(reply)
        until(lambda: desk.x.counts.of("POST /2/tweets") == 1, "it is sent")
        desk.x.faults.hide_new_posts(0)
        desk.send(other)
        assert "reply_posted" == desk.wait_for(other.id)[other.id]
        outcomes = desk.wait_for(reply.id)
    with Posting(desk.settings, clock=fast):
        desk.send(reply)
        pause(1.0)

    assert "reply_unknown" == outcomes[reply.id]
    assert "look at X" in desk.told()[reply.id]["reply"]["detail"]
    assert 1 == desk.on_x()[reply.text]
    assert ["intent", "sending", "intent", "sending", "sending", "unknown"] == desk.logged(reply.id)


def test_limits_are_obeyed(fast: ScaledClock, broker: Broker, prefix: str, tmp_path: Path) -> None:
    """Two in a minute: five answers take until the third window, and X never has to say 429."""
    limited = FakeX(clock=fast, rate_limits={"POST /2/tweets": (2, 60.0)})
    with limited:
        desk = Desk(limited, broker.bootstrap, prefix, tmp_path)
        replies = [desk.asked(f"c{number}") for number in range(5)]
        with Posting(desk.settings, clock=fast):
            for one in replies:
                desk.send(one)
            outcomes = desk.wait_for(*[one.id for one in replies])
        desk.close()

        assert {"reply_posted"} == set(outcomes.values())
        assert 0 == limited.counts.by_route["POST /2/tweets", 429]
        times = sorted(post.at for post in limited.world.posts.values() if post.by_api)
        assert times[4] - times[0] > 60


@pytest.mark.parametrize("with_reset", [True, False])
def test_429_is_waited_out(desk: Desk, fast: ScaledClock, with_reset: bool) -> None:
    """With or without a word on when."""
    reply = desk.asked()
    desk.x.faults.limit(to="POST /2/tweets", with_reset=with_reset)
    with Posting(desk.settings, clock=fast):
        desk.send(reply)
        outcomes = desk.wait_for(reply.id)

    assert ("reply_posted", 1) == (outcomes[reply.id], desk.on_x()[reply.text])
    assert ["intent", "sending", "intent", "sending", "posted"] == desk.logged(reply.id)


@pytest.mark.parametrize("with_reset", [True, False])
def test_a_limit_holds_for_the_next_poster(desk: Desk, fast: ScaledClock, with_reset: bool) -> None:
    """Killed or restarted in the wait: the next one does not ask before X takes more."""
    reply = desk.asked()
    desk.x.faults.limit(to="POST /2/tweets", with_reset=with_reset)
    with Posting(desk.settings, clock=fast):
        desk.send(reply)
        until(lambda: ["intent", "sending", "intent"] == desk.logged(reply.id), "X says 429")
    [limited] = [one for value in desk.records(REPLIES_LOG) if (one := decode(value.value)).not_before]
    with Posting(desk.settings, clock=fast):
        desk.wait_for(reply.id)

    [posted] = [post.at for post in desk.x.world.posts.values() if post.by_api]
    assert limited.not_before <= 1000 * posted
    assert limited.at + 59_000 < limited.not_before


@pytest.mark.parametrize("done", [True, False])
def test_unavailable(desk: Desk, fast: ScaledClock, done: bool) -> None:
    """503: it is looked for, and sent again only if X does not have it."""
    reply = desk.asked()
    desk.x.faults.unavailable(to="POST /2/tweets", done=done)
    with Posting(desk.settings, clock=fast):
        desk.send(reply)
        outcomes = desk.wait_for(reply.id)

    assert ("reply_posted", 1) == (outcomes[reply.id], desk.on_x()[reply.text])


def test_refused_is_told_and_kept(desk: Desk, fast: ScaledClock) -> None:
    """What X refuses, and what cannot be posted at all, goes to replies.dead with the reason, and is told."""
    refused, long, quiet = desk.asked(), desk.asked(), desk.asked()
    long = msgspec.structs.replace(long, text="a" * 281)
    quiet = msgspec.structs.replace(quiet, reply_allowed=False)
    nobody = msgspec.structs.replace(desk.asked(), brand="nobody")
    last = msgspec.structs.replace(desk.asked(), text=" ")
    desk.x.faults.refuse(403, to="POST /2/tweets", detail="You are not permitted to perform this action.")
    with Posting(desk.settings, clock=fast):
        for one in (refused, long, quiet, nobody):
            desk.send(one)
        for value in (b"{", None, b'{"id":"z","brand":"acme","customer":"7","kind":"reply"}'):
            desk.send_raw(value)
        desk.send(last)
        desk.wait_for(refused.id, long.id, quiet.id, nobody.id, "z", last.id)

    reasons = sorted(dict(one.headers)["dlq.reason"].decode() for one in desk.dead())
    assert [
        "missing_text",
        "no_access",
        "not_allowed",
        "not_json",
        "refused",
        "tombstone",
        "too_long",
        "wrong_type",
    ] == reasons
    assert {"reply_failed"} == set(desk.outcomes().values())
    assert "281 by X's counting, 280 at most: take 1 away" == desk.told()[long.id]["reply"]["detail"]
    assert "403: Forbidden; You are not permitted to perform this action." == desk.told()[refused.id]["reply"]["detail"]
    assert not desk.on_x()
    for one in desk.dead():
        read = {key: value.decode() for key, value in one.headers}
        jsonschema.validate(read, contracts.dead_schema(), jsonschema.Draft7Validator)


def test_an_answers_trace_goes_on(desk: Desk, fast: ScaledClock) -> None:
    """What is told of an answer, and its dead letter, are of the trace that the helpdesk's record was of."""
    fine, broken = (b"00-%032x-00f067aa0ba902b7-00" % number for number in (1, 2))
    reply, bad = desk.asked(), msgspec.structs.replace(desk.asked(), text=" ")
    with Posting(desk.settings, clock=fast):
        desk.send(reply, trace=fine)
        desk.send(bad, trace=broken)
        desk.wait_for(reply.id, bad.id)

    told = {json.loads(one.value)["reply"]["id"]: traces.of(one.headers) for one in desk.records(RESPONSES)}
    assert {reply.id: fine, bad.id: broken} == told
    assert [broken] == [traces.of(one.headers) for one in desk.dead()]


def test_a_second_answer_is_held_unless_forced(desk: Desk, fast: ScaledClock) -> None:
    """To the same post: the first goes out, the second is held, the forced one goes out; in their order."""
    first = desk.asked()
    second = msgspec.structs.replace(first, id="second", text="And another thing")
    with Posting(desk.settings, clock=fast):
        desk.send(first, 0)
        desk.send(second, 0)
        held = desk.wait_for(first.id, second.id)[second.id]
        desk.send(msgspec.structs.replace(second, force=True), 1)
        until(lambda: desk.outcomes()[second.id] == "reply_posted", "it is forced")

    assert "reply_held" == held
    assert {first.text: 1, second.text: 1} == desk.on_x()
    assert desk.told()[second.id]["reply"]["forced"]


@pytest.mark.parametrize("wrong", [{"conversation_id": "77"}, {"customer": "78"}])
def test_a_second_answer_is_held_whatever_it_says_of_whose_it_is(
    desk: Desk, fast: ScaledClock, wrong: dict[str, str]
) -> None:
    """A helpdesk is mistaken in the conversation or the customer: by the post it is the second all the same."""
    first = desk.asked()
    second = msgspec.structs.replace(first, id="second", text="And another thing", **wrong)
    with Posting(desk.settings, clock=fast):
        desk.send(first, 0)
        desk.wait_for(first.id)
        desk.send(second, 0)
        held = desk.wait_for(second.id)[second.id]

    assert "reply_held" == held
    assert {first.text: 1} == desk.on_x()


@pytest.fixture
def known(desk: Desk) -> Reply:
    """An answer to the second of two posts of one conversation that the responses worker knows, in partition 2."""
    first, second = desk.asked(), desk.asked()
    key = Key(first.customer or "", "acme", first.conversation_id or "")
    facts = [Fact(number, Kind.ASKED, one.parent or "", 0) for number, one in enumerate((first, second), 1)]
    desk.keep(key, Conversation(facts=facts, version=7), 2)
    return msgspec.structs.replace(second, conversation_id=first.conversation_id)


def test_it_is_told_where_its_conversation_is(desk: Desk, fast: ScaledClock, known: Reply) -> None:
    """A helpdesk is mistaken in both: what came of it stands with the conversation's other records, and says whose."""
    wrong = msgspec.structs.replace(known, customer="78", conversation_id="77")
    with Posting(desk.settings, clock=fast):
        desk.send(wrong)
        desk.wait_for(wrong.id)

    [told] = desk.records(RESPONSES)
    value = json.loads(told.value)
    assert (2, known.customer, known.conversation_id) == (told.partition, value["customer"], value["conversation_id"])
    assert (7, (known.customer or "").encode()) == (value["revision"], told.key)


def test_a_second_answer_to_a_turn_is_held_after_one_that_was_mistaken(
    desk: Desk, fast: ScaledClock, known: Reply
) -> None:
    """The first names another conversation; the second answers another post of the same turn, also after a restart."""
    key = (known.customer or "", known.conversation_id or "")
    wrong = msgspec.structs.replace(known, customer="78", conversation_id="77")
    second = msgspec.structs.replace(known, id="second", text="And another thing", post_id=f"x:{key[1]}")
    with Posting(desk.settings, clock=fast):
        desk.send(wrong)
        desk.wait_for(wrong.id)
    with Posting(desk.settings, clock=fast):
        desk.send(second)
        held = desk.wait_for(second.id)[second.id]

    assert "reply_held" == held
    assert {known.text: 1} == desk.on_x()


def test_order_of_a_conversation(desk: Desk, fast: ScaledClock) -> None:
    """While the first waits for X, the second of its conversation waits too; other conversations go on."""
    first, other = desk.asked(), desk.asked("bob")
    second = msgspec.structs.replace(first, id="second", text="second", force=True)
    desk.x.faults.limit(to="POST /2/tweets")
    desk.x.faults.lose_answer()
    desk.x.faults.hide_new_posts(30)
    with Posting(desk.settings, clock=fast):
        for one in (first, second, other):
            desk.send(one, 0)
        desk.wait_for(first.id, second.id, other.id)

    order = [post.text for post in desk.x.world.posts.values() if post.by_api]
    assert order.index(f"@ann {first.text}") < order.index("@ann second")
    assert order.index(f"@bob {other.text}") < order.index("@ann second")
    assert 3 == desk.on_x().total()


def test_an_account_that_x_does_not_know_stops_it(desk: Desk, fast: ScaledClock) -> None:
    """401 is no fault of an answer: a clear word, and the answer stays to be posted by the next one."""
    reply = desk.asked()
    desk.x.faults.refuse(401, to="POST /2/tweets")
    desk.send(reply)
    posting = Posting(desk.settings, clock=fast, ends_by_itself=True)
    with pytest.raises(SettingsError, match="access_token_secret"), posting:
        pass
    with Posting(desk.settings, clock=fast):
        outcomes = desk.wait_for(reply.id)

    assert ("reply_posted", 1) == (outcomes[reply.id], desk.on_x()[reply.text])


def test_one_posts_the_others_stand_by(desk: Desk, fast: ScaledClock) -> None:
    """Of two, one has the work; when it ends, the other takes over, and nothing is posted twice."""
    replies = [desk.asked(f"c{number}") for number in range(30)]
    with Posting(desk.settings, clock=fast) as one:
        for reply in replies[:10]:
            desk.send(reply)
        desk.wait_for(replies[0].id)
        with Posting(desk.settings, clock=fast):
            for reply in replies[10:20]:
                desk.send(reply)
            desk.wait_for(*[reply.id for reply in replies[:20]])
            one.end()
            for reply in replies[20:]:
                desk.send(reply)
            outcomes = desk.wait_for(*[reply.id for reply in replies])

    assert {"reply_posted"} == set(outcomes.values())
    assert {reply.text: 1 for reply in replies} == desk.on_x()


def test_metrics(desk: Desk, fast: ScaledClock) -> None:
    """What was posted, what it cost, what X still takes; and the probes."""
    reply = msgspec.structs.replace(desk.asked(), text="See https://acme.example/help")
    with Posting(desk.settings, clock=fast) as posting:
        desk.send(reply)
        desk.wait_for(reply.id)
        address = next(re.findall(r"http://\S+", line)[0] for line in posting.said if "metrics http" in line)
        until(lambda: "triage_reply_cost_total" in _read(address), "it is counted")
        text, ready = _read(address), _read(address.replace("metrics", "readyz"))

    assert 'triage_replies_total{brand="acme",kind="reply",outcome="posted"} 1.0' in text
    assert 'triage_reply_cost_total{brand="acme"} 0.2' in text
    assert 'triage_x_remaining{brand="acme",what="post"} 99.0' in text
    assert 'triage_reply_warnings_total{brand="acme",warning="link"} 1.0' in text
    assert "posting\n" == ready


def _read(address: str) -> str:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return str(answer.read().decode())


def test_without_credentials(desk: Desk, fast: ScaledClock) -> None:
    """It says what is missing, and how to get it."""
    bare = desk.settings.model_copy(update={"brands": ()})

    with pytest.raises(SettingsError, match=re.escape("brands[].x.access_token")), Posting(bare, clock=fast):
        pass
