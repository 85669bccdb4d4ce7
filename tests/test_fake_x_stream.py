"""The fake X's streams, and the faults that befall them."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty

from x_reader import HandClock, Reader

from agents.fake_x import FakeX
from agents.fake_x_limits import STREAM
from agents.x_api import How


def test_rules_hold_at_once(x: FakeX) -> None:
    """One that is added while the stream is open; a post that several match comes once, with all of them."""
    with Reader(x) as reader:
        reader.connected()
        x.world.publish("order", author="anna")
        x.world.add_rule("order", "orders")
        x.world.publish("@brand order", author="anna")
        post = reader.post()

    assert ["brand", "orders"] == [rule["tag"] for rule in post["matching_rules"]]
    assert reader.lines.empty()


def test_posts_can_come_twice(x: FakeX) -> None:
    """As many as were asked for."""
    x.faults.duplicate(2)
    with Reader(x) as reader:
        reader.connected()
        for number in range(3):
            x.world.publish(f"@brand {number}", author="anna")

        assert ["@brand 0", "@brand 0", "@brand 1", "@brand 1", "@brand 2"] == reader.texts(5)


def test_posts_can_come_in_another_order(x: FakeX) -> None:
    """The same posts, each once; what follows is in order."""
    x.faults.shuffle(10)
    with Reader(x) as reader:
        reader.connected()
        sent = [x.world.publish(f"@brand {number}", author="anna").text for number in range(15)]
        texts = reader.texts(15)

    assert sent != texts
    assert sorted(sent) == sorted(texts)


def test_too_few_to_shuffle_are_not_kept_for_ever(x: FakeX, clock: HandClock) -> None:
    """After two seconds they are sent."""
    x.faults.shuffle(10)
    with Reader(x) as reader:
        reader.connected()
        x.world.publish("@brand 1", author="anna")
        found = b""
        while not found:
            clock.sleep(1.0)
            with suppress(Empty):
                found = reader.lines.get(timeout=0.02)

    assert b"@brand 1" in found


def test_a_stalled_stream_goes_on(x: FakeX, clock: HandClock) -> None:
    """What was published meanwhile is in X's buffer."""
    with Reader(x) as reader:
        reader.connected()
        x.faults.stall(60.0)
        x.world.publish("@brand 1", author="anna")
        silent = reader.lines.empty()
        clock.sleep(61.0)

        assert ["@brand 1"] == reader.texts(1)
    assert silent


def test_keep_alives_may_come_without_posts(x: FakeX, clock: HandClock) -> None:
    """What is published meanwhile is lost to the stream: only the missing posts tell."""
    with Reader(x) as reader:
        reader.connected()
        x.faults.stall(60.0, keep_alives=True)
        lost = x.world.publish("@brand lost", author="anna")
        clock.sleep(10.0)
        reader.alive.get(timeout=5)
        clock.sleep(51.0)
        x.world.publish("@brand after", author="anna")
        texts = reader.texts(1)

    assert ["@brand after"] == texts
    assert () == lost.told


def test_a_client_that_does_not_read_is_cut_off(clock: HandClock) -> None:
    """When X's buffer for it is full, without a word."""
    gate = threading.Event()

    def slow(_: bytes) -> None:
        gate.wait(10)

    with FakeX(clock=clock, stream_buffer=100) as x:
        x.world.add_rule("@brand")
        with Reader(x, on_line=slow) as reader:
            reader.connected()
            (stream,) = x.faults.streams
            for number in range(100_000):
                x.world.publish(f"@brand {'a' * 1000} {number}", author="anna")
                if not x.faults.streams:
                    break
            gate.set()
            ended = reader.ended()

    assert How.NETWORK == ended.how
    assert stream not in x.faults.streams


def test_a_client_that_comes_back_at_once_is_let_in(x: FakeX) -> None:
    """A connection that has ended for one side is not counted against the next."""
    for fault in (x.faults.drop, x.faults.close_clean, x.faults.slow_client_cut, lambda: None) * 5:
        with Reader(x) as reader:
            reader.connected()
            if fault():
                reader.ended()

    assert {(STREAM, 200): 20} == dict(x.counts.by_route)


def test_two_connections_where_they_are_allowed(clock: HandClock) -> None:
    """Both hear everything."""
    with FakeX(clock=clock, most_streams=2) as x:
        x.world.add_rule("@brand")
        with Reader(x) as first, Reader(x) as second:
            first.connected()
            second.connected()
            x.world.publish("@brand hello", author="anna")

            assert ["@brand hello"] == first.texts(1) == second.texts(1)


def test_faults_without_a_stream_hit_nothing(x: FakeX) -> None:
    """They say how many streams they hit."""
    assert 0 == x.faults.drop()
    with Reader(x) as reader:
        reader.connected()
        assert 1 == x.faults.drop()
