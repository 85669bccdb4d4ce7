"""What comes from outside is shown as text: no escape sequence and no markup of it acts on a terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

from agents import report as reports
from agents import waiting
from agents.__main__ import app
from agents.report import TableError, save_csv
from agents.shown import shown
from agents.states import State, taken
from agents.tail import line
from agents.transport import Fetched
from pipeline.classify import Model
from pipeline.facts import Fact, Kind
from pipeline.heard import Heard
from pipeline.kept import Key, decode, encode, head
from pipeline.posts import Author, Post, Queue, Stage, Verdict
from pipeline.posts_clock import PostsClock
from pipeline.report import Books, Report
from pipeline.route import Place, Router
from pipeline.settings import Brand, Settings
from pipeline.turns import Policy, view
from pipeline.waits import Waits

HOSTILE = "\x1b[31m[/bold]<img src=x>\x9b2J\u202e\r\nnext"
AT = 1_500_000_000_000
MINUTE = 60_000
POLICY = Policy(frozenset({0}), {0: 30 * MINUTE})


def console() -> Console:
    """A terminal that is a string."""
    return Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)


def printed(out: Console) -> str:
    """What it shows."""
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def harmless(text: str) -> bool:
    """Whether no control or turning character is left, line feeds aside."""
    return not set("\x1b\x9b\u202e\r") & set(text)


def report_of(brand: str) -> Report:
    """A report with one turn of a brand."""
    books, seen = Books(), view([Fact(AT, Kind.ASKED, "q", 0)], AT, POLICY)
    books.add(brand, seen.turns, seen.settled, POLICY)
    return books.report()


def states(*heard: Heard) -> list[State]:
    """The states after some facts."""
    books = Waits(lambda _: POLICY)
    found = books.hear(heard, AT).states
    return [State(Key.of(key), decode(value), 0) for key, value in found.items() if value is not None]


def asked(customer: str, brand: str = "heron", at: int = 0) -> Heard:
    """A question."""
    return Heard(customer, brand, "7", Fact(AT + at, Kind.ASKED, "q" + customer, 0))


def test_shown_is_one_harmless_line() -> None:
    """Escape codes lose their escape, line feeds become spaces; what can be seen stays."""
    assert "[31m[/bold]<img src=x>2J next" == shown(HOSTILE)


def test_a_report_shows_hostile_names() -> None:
    """An author that is called like the end of a style neither ends the report nor colours it."""
    out = console()

    reports.show(report_of("[/bold]<img\x1b[31m"), out)

    assert "[/bold]<img" in printed(out)
    assert harmless(printed(out))


def test_waiting_shows_hostile_words() -> None:
    """Whom a desk word names, who answered, and what was written."""
    assigned = Heard("5", "heron", "7", Fact(AT, Kind.ASSIGNED, "w", who=HOSTILE))
    answer = Heard("5", "heron", "7", Fact(AT - 1, Kind.ANSWERED, "a", who=HOSTILE, place=3))
    found = waiting.chosen(
        states(asked("5"), answer, assigned), lambda *_: HOSTILE, brand=None, queue=None, limit=9, now=AT
    )
    out = console()

    waiting.show(found, 9, out)

    assert "with [31m[/bold]" in printed(out)
    assert harmless(printed(out))


def test_tail_shows_hostile_records() -> None:
    """Whoever wrote them into the queue."""
    verdict = Verdict(Stage.REACTIVE, 0.9, (0.9, 0.05, 0.05))
    router = Router(Settings(brands=(Brand(name="heron"),)), Model("m", "1", "0" * 64))
    post = Post("7", "7", "where is my bag", Author("5"), AT, "7", lang="en", rules=("heron",))
    routed = json.loads(router.route(post, verdict, Place("tweets", 0, 1, AT), AT)[0].value)

    text = line(msgspec.json.encode(routed | {"subject": HOSTILE, "brand": HOSTILE}))

    assert harmless(text)
    assert "\n" not in text


@pytest.mark.parametrize("name", ["missing/x.csv", "."])
def test_a_table_that_cannot_be_written_is_said(tmp_path: Path, name: str) -> None:
    """With its path and why, as the page of plots says it."""
    with pytest.raises(TableError, match="cannot be written"):
        save_csv(report_of("heron"), tmp_path / name)


def test_the_command_says_it_too(tmp_path: Path) -> None:
    """A line and no traceback."""
    posts = tmp_path / "posts.csv"
    posts.write_text(
        "tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id\n"
        "1,c1,True,2026-03-02T10:00:00Z,@HeronAir where is my bag?,,\n"
    )

    found = CliRunner().invoke(app, ["report", str(posts), "--csv", "/nonexist/x.csv"])

    assert found.exit_code
    assert isinstance(found.exception, SystemExit | TableError)


def test_the_clock_of_waiting_is_that_of_the_posts() -> None:
    """A replay of an old year: by the states' records it is still that year, and nobody is late."""
    clock, wall = PostsClock(), AT + 3 * 365 * 86_400_000
    records = [
        Fetched("c", 0, number, wall + at, Key(one.key.customer, "heron", "7").encoded(), encode(one.conversation), [])
        for number, (at, one) in enumerate((at, one) for at in (0, 5) for one in states(asked("5"), asked("6")))
    ]

    found = taken(records, clock)
    now = clock.at(wall + 10 * MINUTE)
    shown_ones = waiting.chosen(found, lambda *_: None, brand=None, queue=None, limit=9, now=now)

    assert AT == head(records[0].value or b"").clock
    assert AT + 10 * MINUTE == now
    assert [(600.0, False)] * 2 == [(one.waits_s, one.late) for one in shown_ones.waiters]
    assert json.loads(waiting.as_json(shown_ones, 3))["clock"] == "2017-07-14T02:50:00.000Z"


def test_waiting_of_a_brand_says_nothing_of_others() -> None:
    """Neither in the list nor in the lines of backlogs."""
    crowd = [asked(str(number), "otto") for number in range(5)]

    found = waiting.chosen(
        states(asked("5"), *crowd), lambda *_: None, brand="heron", queue=Queue.REACTIVE, limit=9, now=AT
    )

    assert 1 == found.number
    assert [] == list(waiting.backlogs(found.counts, 3))
    assert {("heron", "reactive")} == set(found.counts)
