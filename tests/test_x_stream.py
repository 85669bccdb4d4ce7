"""The filtered stream through the real tweepy, against the fake X; what tweepy does wrong does not bite."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from queue import Queue
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st
from x_reader import PATIENCE_S, HandClock, Reader, answers

from agents.fake_x import FakeX
from agents.fake_x_limits import STREAM
from agents.x_api import Access, How, Limit, Stream, XApi
from pipeline.decode import decode
from pipeline.posts import Post


def test_a_post_comes_as_x_sends_it(x: FakeX) -> None:
    """The line is a record of `tweets`: the post, what it refers to, and the rules that it matched."""
    with Reader(x) as reader:
        reader.connected()
        post = x.world.publish("hello @brand & all", author="anna")
        (found,) = decode([reader.line()], [0])

    assert isinstance(found, Post)
    assert (post.id, "hello @brand & all", "anna", ("brand",)) == (
        found.id,
        found.text,
        found.author.handle,
        found.rules,
    )


def test_keep_alives_are_told(x: FakeX, clock: HandClock) -> None:
    """One every 10 seconds."""
    with Reader(x) as reader:
        reader.connected()
        for _ in range(3):
            clock.sleep(10.0)
            reader.alive.get(timeout=PATIENCE_S)

    assert reader.lines.empty()


@pytest.mark.parametrize(
    ("fault", "how", "status"),
    [
        (lambda x: x.faults.close_clean(), How.CLOSED, 200),
        (lambda x: x.faults.drop(), How.NETWORK, 200),
        (lambda x: x.faults.drop(mid_line=True), How.NETWORK, 200),
        (lambda x: x.faults.slow_client_cut(), How.NETWORK, 200),
        (lambda x: x.faults.operational_disconnect(), How.OPERATIONAL, 200),
        (lambda x: x.faults.stall(), How.TIMEOUT, 200),
        (lambda x: x.faults.half_open(), How.TIMEOUT, 200),
    ],
    ids=["clean close", "drop", "drop mid-line", "slow client", "operational", "stall", "half-open"],
)
def test_a_connection_ends(
    x: FakeX, naps: list[float], fault: Callable[[FakeX], object], how: How, status: int
) -> None:
    """Each end is told at once, for what it is, and after one attempt (defects 1, 2, 4): nothing connects again."""
    with Reader(x, stall_after_s=1.0) as reader:
        reader.connected()
        x.world.publish("@brand before", author="anna")
        before = reader.texts(1)
        fault(x)
        ended = reader.ended()

    assert ["@brand before"] == before
    assert (how, status) == (ended.how, ended.status)
    assert 49 == ended.limit.remaining
    assert 1 == len(x.counts.connects)
    assert [] == naps


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (lambda x: x.faults.limit(), 429),
        (lambda x: x.faults.limit(with_reset=False), 429),
        (lambda x: x.faults.too_many_connections(), 429),
        (lambda x: x.faults.unavailable(), 503),
        (lambda x: x.faults.refuse(401), 401),
        (lambda x: x.faults.refuse(403), 403),
        (lambda x: [x.world.delete_rule(rule) for rule in list(x.world.rules)], 409),
    ],
    ids=["429", "429 without reset", "too many connections", "503", "401", "403", "409: no rules"],
)
def test_no_connection_is_made(x: FakeX, naps: list[float], fault: Callable[[FakeX], object], status: int) -> None:
    """Another status than 200 ends the one attempt: tweepy would sleep and ask for ever (defect 2)."""
    fault(x)

    with Reader(x) as reader:
        ended = reader.ended()

    assert (How.STATUS, status) == (ended.how, ended.status)
    assert not reader.opened.is_set()
    assert 1 == len(x.counts.connects)
    assert [] == naps


def test_a_limit_of_the_stream_says_when_it_ends(x: FakeX, clock: HandClock) -> None:
    """Tweepy's stream does not look at the headers; with 50 attempts a quarter of an hour they matter."""
    x.faults.limit(to=STREAM)

    with Reader(x) as reader:
        ended = reader.ended()

    assert Limit(50, 0, clock.now() + 900) == ended.limit


def test_too_many_connections_are_named(x: FakeX) -> None:
    """A 429 of that kind is cured otherwise than one of too many attempts."""
    with Reader(x) as first:
        first.connected()
        with Reader(x) as second:
            ended = second.ended()

    assert "TooManyConnections" in ended.detail


def test_a_stuck_connection_can_be_ended(x: FakeX, api: XApi) -> None:
    """X counts it still; DELETE /2/connections/all, which tweepy does not know, lets the next one in."""
    with Reader(x) as first:
        first.connected()
        x.faults.half_open(stuck=True)
    with Reader(x) as second:
        second.ended()
    api.end_connections()

    with Reader(x) as third:
        assert third.connected().opened.is_set()


def test_an_error_at_once_after_200_is_no_hot_loop(x: FakeX, naps: list[float]) -> None:
    """X accepts, says an error and closes: tweepy would come back at once through all 50 attempts (defects 1, 4)."""
    x.faults.operational_at_connect(times=50)

    with Reader(x) as reader:
        ended = reader.ended()

    assert (How.OPERATIONAL, 200) == (ended.how, ended.status)
    assert "UpstreamOperationalDisconnect" in ended.detail
    assert 1 == len(x.counts.connects)
    assert [] == naps


@pytest.mark.parametrize("line", [b"{", b"\xff\xfe", b'{"data":', b"7", b'{"data":{"id":"1"}}', b'{"kind":"new"}'])
def test_a_line_that_cannot_be_read_ends_nothing(x: FakeX, line: bytes) -> None:
    """It is handed over as it came, and so is what follows it: tweepy would end without a word (defect 3)."""
    with Reader(x) as reader:
        reader.connected()
        x.faults.malformed_line(line)
        x.world.publish("@brand after", author="anna")
        found = reader.line()
        after = reader.texts(1)

    assert line == found
    assert ["@brand after"] == after


def test_a_rule_without_a_tag_ends_nothing(x: FakeX) -> None:
    """Tweepy's parser fails on it (defect 3); ours comes later."""
    x.faults.malformed_line(b"")
    with Reader(x) as reader:
        reader.connected()
        x.faults.malformed_line(b'{"data":{"id":"1","text":"a"},"matching_rules":[{"id":"2"}]}')
        x.world.publish("@brand after", author="anna")

        assert ["a", "@brand after"] == reader.texts(2)


def test_what_the_handler_raises_is_raised(x: FakeX, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours is not X's: it comes out of run, and nothing is connected again (defect 3)."""

    def broken(_: bytes) -> None:
        raise ZeroDivisionError("ours")

    with Reader(x, on_line=broken) as reader:
        reader.connected()
        x.world.publish("@brand hello", author="anna")
        reader.stream.close  # noqa: B018 # it ends by itself
        reader._thread.join(5)

    assert ["ours"] == [str(error) for error in reader.raised]
    assert 1 == len(x.counts.connects)
    assert [] == caplog.records


def test_a_slow_handler_holds_up_nothing_but_itself(x: FakeX) -> None:
    """Lines come one after the other (defect 6): the handler must only hand over; X cuts who lags too far behind."""
    gate = Event()
    seen: Queue[bytes] = Queue()

    def slow(line: bytes) -> None:
        gate.wait(5)
        seen.put(line)

    with Reader(x, on_line=slow) as reader:
        reader.connected()
        for number in range(500):
            x.world.publish(f"@brand {number}", author="anna")
        gate.set()
        texts = [json.loads(seen.get(timeout=5))["data"]["text"] for _ in range(500)]

    assert [f"@brand {number}" for number in range(500)] == texts


def test_a_line_may_be_long(x: FakeX) -> None:
    """Tweepy's asynchronous reader ends on a long line (defect 7); this one takes a megabyte."""
    line = b'{"data":{"id":"1","text":"' + b"a" * 2**20 + b'"}}'

    with Reader(x) as reader:
        reader.connected()
        x.faults.malformed_line(line)

        assert line == reader.line()


@given(st.data())
def test_lines_are_the_same_wherever_they_are_cut(data: st.DataObject) -> None:
    """X's chunks end in the middle of a line, of a character, of a line's end."""
    texts = data.draw(st.lists(st.text(alphabet="aé\u2028\u0085 ", max_size=5), min_size=1, max_size=4))
    lines = [json.dumps({"data": {"id": "1", "text": text}}, ensure_ascii=False).encode() for text in texts]
    body = b"\r\n".join([*lines, b""])
    cuts = sorted(data.draw(st.sets(st.integers(1, len(body) - 1), max_size=6)))
    chunks = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    sent = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])
    heard: list[bytes] = []

    with answers(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + sent) as url:
        ended = Stream(Access("token"), base_url=url).run(heard.append, lambda: None, lambda: None)

    assert How.CLOSED == ended.how
    assert lines == heard


def test_nothing_is_backfilled_by_itself(x: FakeX) -> None:
    """What is published between two connections is not sent: it is a gap (defect 5)."""
    with Reader(x) as reader:
        reader.connected()
        x.faults.drop()
        reader.ended()
    missed = x.world.publish("@brand missed", author="anna")
    with Reader(x) as reader:
        reader.connected()
        x.world.publish("@brand after", author="anna")
        texts = reader.texts(1)

    assert ["@brand after"] == texts
    assert () == missed.told


def test_it_is_closed_from_another_thread(x: FakeX) -> None:
    """While it waits for the next line, and at once."""
    with Reader(x, stall_after_s=30.0) as reader:
        reader.connected()
        began = time.monotonic()
        reader.stream.close()
        ended = reader.ended()

    assert (How.ASKED, 200) == (ended.how, ended.status)
    assert time.monotonic() - began < 2.0


def test_it_is_closed_while_it_waits_for_an_answer(x: FakeX) -> None:
    """X has taken the request and says nothing."""
    x.faults.no_answer(STREAM)

    with Reader(x, stall_after_s=30.0) as reader:
        while not x.counts.of(STREAM):
            reader.opened.wait(0.01)
        reader.stream.close()
        ended = reader.ended()

    assert (How.ASKED, None) == (ended.how, ended.status)


def test_it_is_closed_before_it_runs(x: FakeX) -> None:
    """Then it asks nothing."""
    stream = Stream(x.access(), base_url=x.base_url)
    stream.close()

    ended = stream.run(lambda _: None, lambda: None, lambda: None)

    assert How.ASKED == ended.how
    assert [] == x.counts.connects


def test_a_stream_that_nobody_serves() -> None:
    """No connection can be made."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        stream = Stream(Access("token"), base_url=f"http://127.0.0.1:{taken.getsockname()[1]}")

        ended = stream.run(lambda _: None, lambda: None, lambda: None)

    assert (How.NETWORK, None) == (ended.how, ended.status)


def test_a_stream_whose_answer_does_not_come(x: FakeX) -> None:
    """A server that takes the request and is silent."""
    x.faults.no_answer(STREAM)

    with Reader(x, stall_after_s=0.5) as reader:
        ended = reader.ended()

    assert (How.TIMEOUT, None) == (ended.how, ended.status)


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        (b"", How.NETWORK),
        (b"no HTTP at all\r\n\r\n", How.NETWORK),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", How.STATUS),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", How.NETWORK),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd", How.NETWORK),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", How.CLOSED),
        (b"HTTP/1.1 503 No\r\ncontent-length: 100\r\n\r\nshort", How.STATUS),
    ],
    ids=["nothing", "no HTTP", "redirect", "no chunk", "no gzip", "empty", "short error"],
)
def test_nothing_that_a_server_says_is_raised(answer: bytes, how: How) -> None:
    """Whatever it is, it is an end."""
    with answers(answer) as url:
        ended = Stream(Access("token"), base_url=url, stall_after_s=5.0).run(lambda _: None, lambda: None, lambda: None)

    assert how == ended.how
