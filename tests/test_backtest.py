"""The backtest: the whole pipeline from file to queues, with every row in exactly one place."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agents.backtest import Report, backtest, show
from pipeline.classify import Model
from pipeline.posts import Post, Queue, Stage, Verdict
from pipeline.settings import Brand, Settings

SETTINGS = Settings(
    brands=(Brand(name="northwind", handles=("NorthwindAir",)), Brand(name="contoso", handles=("ContosoCare",)))
)
ROWS = (
    "tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id\n"
    "1,c1,True,2026-03-01T10:00:00Z,@NorthwindAir where is my bag?,2,\n"
    "2,NorthwindAir,False,2026-03-01T10:05:00Z,@c1 so sorry,,1\n"
    "3,c2,True,2026-03-01T10:06:00Z,@NorthwindAir @ContosoCare both down?,,\n"
    "4,c3,True,2026-03-01T10:07:00Z,@ContosoCare love you,,\n"
    "4,c3,True,2026-03-01T10:07:00Z,@ContosoCare love you,,\n"
    "5,c4,True,2026-03-01T10:08:00Z,@ContosoCare hm,,\n"
    "6,c4,True,yesterday,@ContosoCare hm,,\n"
    ",c4,True,2026-03-01T10:08:00Z,@ContosoCare hm,,\n"
    "\n"
)


class ByWords:
    """Judges by a word: `down` is proactive, `love` engagement, `hm` unsure, everything else reactive."""

    model = Model("words", "1", "0" * 64)
    second = None

    def __init__(self) -> None:
        self.batches: list[int] = []

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """One verdict a post."""
        self.batches.append(len(posts))
        return [self._judge(post.text) for post in posts]

    def explain(self, post: Post) -> list[tuple[str, float]]:
        """Nothing to tell."""
        return [(post.text, 0.0)]

    def _judge(self, text: str) -> Verdict:
        if "down" in text:
            return Verdict(Stage.PROACTIVE, 0.9, (0.05, 0.9, 0.05))
        if "love" in text:
            return Verdict(Stage.ENGAGEMENT, 0.8, (0.1, 0.1, 0.8))
        return Verdict(Stage.REACTIVE, 0.3 if "hm" in text else 0.7, (0.7, 0.2, 0.1))


def run(rows: str | bytes, write: Path | None = None) -> Report:
    """The report on what comes by standard input."""
    raw = rows.encode() if isinstance(rows, str) else rows
    return backtest(SETTINGS, ["-"], ByWords(), write=write, stdin=io.BytesIO(raw))


def test_every_row_is_in_exactly_one_place() -> None:
    """A queue, the brand's own posts, or the dead letters; a post that names two brands makes two records."""
    report = json.loads(run(ROWS).as_json())

    assert report.pop("seconds") > 0
    assert report.pop("posts_per_s") > 0
    expected = {
        "rows": 8,
        "queues": {"reactive": 1, "proactive": 1, "engagement": 2, "review": 1},
        "own": 1,
        "dead": {"wrong_type": 1, "missing_id": 1},
        "records": 7,
        "duplicates": 1,
        "brands": {"contoso": 4, "northwind": 3},
        "stages": {"reactive": 2, "proactive": 1, "engagement": 2},
        "confidence": {"p5": 0.3, "p25": 0.7, "p50": 0.8, "p75": 0.8, "p95": 0.8},
        "blank_lines": 1,
        "replies": 1,
        "replies_linked": 1,
        "adds_up": True,
    }
    assert expected == report


def test_the_records_can_be_written_one_file_a_queue(tmp_path: Path) -> None:
    """What a helpdesk would read, and beside it what is broken, where and why."""
    run(ROWS, tmp_path / "out")

    lines = {path.stem: path.read_bytes().splitlines() for path in (tmp_path / "out").iterdir()}
    counts = {name: len(found) for name, found in lines.items()}
    assert {"reactive": 1, "proactive": 2, "engagement": 2, "review": 1, "own": 1, "dead": 2} == counts
    [own] = map(json.loads, lines["own"])
    assert ("northwind", "1", "replay", True) == (
        own["brand"],
        own["conversation_id"],
        own["source"]["api"],
        own["replayed"],
    )
    first = json.loads(lines["dead"][0])
    assert ("-", 8, "wrong_type", "yesterday") == (
        first["file"],
        first["line"],
        first["reason"],
        json.loads(first["value"])["data"]["created_at"],
    )


def test_dead_letters_that_are_no_text_are_written_as_base64(tmp_path: Path) -> None:
    """The original bytes are there, whatever they are."""
    run(b"\xff\xfe\n", tmp_path)

    [dead] = map(json.loads, (tmp_path / "dead.jsonl").read_bytes().splitlines())
    assert ("not_utf8", "//4=") == (dead["reason"], dead["value_base64"])


def test_posts_are_judged_in_batches_of_a_thousand(tmp_path: Path) -> None:
    """Several files are one run; the offsets go on from file to file, so rows are told apart."""
    files = [tmp_path / name for name in ("a.csv", "b.csv")]
    for file in files:
        file.write_text("text\n" + "".join(f"hello {number}\n" for number in range(1300)))
    classifier = ByWords()

    report = backtest(SETTINGS, files, classifier)

    assert [1000, 1000, 600] == classifier.batches
    assert (2600, 2600, 1300) == (report.rows, report.queues[Queue.REACTIVE], report.duplicates)


@given(st.lists(st.sampled_from([*ROWS.splitlines()[1:], "{}", "\x00", '"', "a,b,c"]), max_size=30))
def test_whatever_the_rows_the_sum_is_right(rows: list[str]) -> None:
    """Rows, broken ones among them, are each counted once."""
    report = run("\n".join([ROWS.splitlines()[0], *rows]))

    assert report.adds_up


def test_the_report_for_people_names_every_place() -> None:
    """The table, the sum, and the lines under it."""
    out = io.StringIO()

    show(run(ROWS), Console(file=out, width=120))

    shown = out.getvalue()
    assert "8 rows = 6 routed + 2 dead: every row is in one place" in shown
    for place in ("queue.reactive", "queue.review", "posts.own", "dead: wrong_type", "brands: contoso 4, northwind 3"):
        assert place in shown


@pytest.mark.parametrize("rows", ["", "\n\n"])
def test_nothing_in_nothing_out(rows: str) -> None:
    """An empty file is no error."""
    report = run(rows)
    show(report, Console(file=io.StringIO()))

    assert (0, True, {}) == (report.rows, report.adds_up, report.quantiles())
