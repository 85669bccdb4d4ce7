"""The fake X run by hand: the settings that it prints, its crowd, and what it can be told over HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from patience import PATIENCE
from x_reader import Reader, ask

from agents.fake_x import FakeX
from agents.fake_x_by_hand import settings_for
from agents.fake_x_crowd import Crowd
from agents.fake_x_world import World
from agents.x_api import Access, XApi
from pipeline.clocks import SystemClock
from pipeline.settings import Settings, load

SAMPLE = Path(__file__).parents[1] / "agents" / "sample"


def test_the_settings_point_at_it(x: FakeX, tmp_path: Path) -> None:
    """With them the API acts as the brand."""
    file = tmp_path / "fake-x.yaml"
    file.write_text(settings_for(x, load(SAMPLE / "settings.yaml").brands))
    settings = load(file)
    brand = settings.brands[0]
    api = XApi(Access(settings.x.bearer(), *settings.x.consumer(), *brand.x.tokens()), base_url=settings.x.base_url)

    api.create_post("hello")
    api.close()

    assert ["Brewbound"] == [post.author.handle for post in x.world.posts.values()]
    assert x.world.user("Brewbound").id in brand.ids


def test_the_crowd_writes_the_sample() -> None:
    """Every post that can be read, with its author; answers answer what they did."""
    world = World(SystemClock())
    crowd = Crowd(world, (SAMPLE / "posts.jsonl").read_bytes().splitlines())

    while crowd.publish_next() is not None:
        pass

    assert len(world.posts) > 700
    assert any(post.parent is not None for post in world.posts.values())
    assert any(post.author.followers > 0 for post in world.posts.values())


def test_it_can_be_told_what_happens(x: FakeX) -> None:
    """Publish, edit, delete, a private message, faults, counts."""
    post = ask(x, "POST", "/fake/publish", body={"text": "@brand helo", "author": "anna"})[2]["data"]
    edit = ask(x, "POST", "/fake/edit", body={"identity": post["id"], "text": "@brand hello"})[2]["data"]
    ask(x, "POST", "/fake/dm", body={"sender": "anna", "recipient": "brand", "text": "psst"})
    ask(x, "POST", "/fake/delete", body={"identity": edit["id"]})
    ask(x, "POST", "/fake/faults/refuse", body={"status": 403})
    status = ask(x, "GET", "/2/tweets?ids=1")[0]
    counts = ask(x, "GET", "/fake/counts")[2]

    assert [True, True] == [one.gone for one in x.world.posts.values()]
    assert ["psst"] == [message.text for message in x.world.messages]
    assert 403 == status
    assert {"GET /2/tweets": {"403": 1}} == {route: n for route, n in counts["requests"].items() if route != "control"}


def test_a_stream_is_dropped_by_hand(x: FakeX) -> None:
    """The answer says how many were hit."""
    with Reader(x) as reader:
        reader.connected()
        ask(x, "POST", "/fake/faults/malformed_line", body={"line": "no JSON"})
        heard = reader.line()
        hit = ask(x, "POST", "/fake/faults/drop", body={})[2]
        reader.ended()

    assert b"no JSON" == heard
    assert {"data": 1} == hit


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("POST", "/fake/nothing", {}, "publish, edit"),
        ("GET", "/fake/nothing", None, "publish, edit"),
        ("POST", "/fake/faults/opened", {}, "faults/drop"),
        ("POST", "/fake/publish", {"text": "a"}, "missing a required argument: 'author'"),
        ("POST", "/fake/publish", {"text": "a", "author": "b", "reply_to": "9"}, "KeyError"),
        ("POST", "/fake/publish", {"text": 7, "author": "b"}, "text: Expected `str`, got `int`"),
        ("POST", "/fake/publish", {"text": "a", "author": 7}, "author: Expected `str`, got `int`"),
        ("POST", "/fake/dm", {"sender": 7, "recipient": "b", "text": "a"}, "sender"),
        ("POST", "/fake/faults/refuse", {"status": "403"}, "status"),
        ("POST", "/fake/faults/refuse", {"status": 999}, "999"),
        ("POST", "/fake/faults/refuse", {"status": 200}, "200"),
        ("POST", "/fake/faults/limit", {"to": "GET /2/nothing"}, "GET /2/tweets/search/recent"),
        ("POST", "/fake/faults/malformed_line", {"line": 7}, "line"),
        ("POST", "/fake/edit", {"identity": "9", "text": "a"}, "KeyError"),
        ("POST", "/fake/faults/drop", {"hard": True}, "mid_line"),
    ],
)
def test_what_it_cannot_do_is_said(x: FakeX, method: str, path: str, body: object, says: str) -> None:
    """With what it can."""
    status, _, said = ask(x, method, path, body=body)

    assert status in {400, 404}
    assert says in said["detail"]


def test_what_it_refuses_by_hand_leaves_nothing_behind(x: FakeX) -> None:
    """A post or an edit that was half made broke every later search."""
    post = x.world.publish("@brand hello", author="anna")
    for what, body in (
        ("publish", {"text": "@brand", "author": 7}),
        ("dm", {"sender": 7, "recipient": "brand", "text": "a"}),
        ("edit", {"identity": post.id, "text": 7}),
    ):
        assert 400 == ask(x, "POST", f"/fake/{what}", body=body)[0]

    found = ask(x, "GET", f"/2/users/{x.world.user('brand').id}/mentions")[2]

    assert [post.id] == [one["id"] for one in found["data"]]
    assert ([post.id], []) == (post.chain, x.world.messages)


def _groups(settings: Settings) -> list[str]:
    return [part.group for part in (settings.worker, settings.responses, settings.poster, settings.listener)]


def test_the_command_serves_until_ctrl_c(tmp_path: Path) -> None:
    """The settings on standard output, how to use it on standard error, and the code of an interrupt.

    With topics and groups of their own: on the broker of another installation all that waits there would seem gone.
    """
    command = [sys.executable, "-m", "agents", "fake-x", "--port", "0", "--rate", "50"]
    out = tmp_path / "fake-x.yaml"
    with out.open("w") as file, subprocess.Popen(command, stdout=file, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = [process.stderr.readline() for _ in range(7)]
            settings, other = load(out), load(SAMPLE / "settings.yaml")
            url = settings.x.base_url
            with urlopen(f"{url}/fake/counts", timeout=5) as answer:
                counts = json.load(answer)
            process.send_signal(signal.SIGINT)
            code = process.wait(10 * PATIENCE)
        finally:
            process.kill()

    assert f"The fake X is at {url}" in said[0]
    assert {} == counts["requests"]
    assert 130 == code
    assert other.topics.prefix != settings.topics.prefix
    assert not {*_groups(settings)} & {*_groups(other)}


def test_it_can_be_elsewhere_than_on_this_machine_alone() -> None:
    """On another address, which its settings name."""
    with FakeX(host="127.0.0.2") as x, urlopen(f"{x.base_url}/fake/counts", timeout=5) as answer:
        counts = json.load(answer)

    assert x.base_url.startswith("http://127.0.0.2:")
    assert {} == counts["requests"]


def test_a_taken_port_is_named(x: FakeX) -> None:
    """With what to do."""
    port = x.base_url.rpartition(":")[2]
    command = [sys.executable, "-m", "agents", "fake-x", "--port", port]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert 2 == done.returncode
    assert "Address already in use" in done.stderr
