"""The report: from a file to how long customers waited, whatever the order of its rows."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agents.classifiers import load_first
from agents.command import ms
from agents.posts_file import UnreadableFile
from agents.report import as_json, report_files, show, write_csv
from agents.report_page import write_page
from pipeline.errors import PageError
from pipeline.policies import wanted_queues
from pipeline.posts import Queue
from pipeline.report import Report, Times, percentile
from pipeline.settings import Settings

HEADER = "tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id"
ROWS = (
    "1,c1,True,2026-03-02T10:00:00Z,@HeronAir where is my bag?,2,",
    "2,HeronAir,False,2026-03-02T10:05:00Z,@c1 so sorry please DM us,3,1",
    "3,c1,True,2026-03-02T10:06:00Z,@HeronAir thanks!,,2",
    "4,c1,True,2026-03-02T11:00:00Z,@HeronAir still nothing,5,3",
    "5,HeronAir,False,2026-03-02T11:00:30Z,@c1 found it,,4",
    "6,c2,True,2026-03-02T10:02:00Z,@HeronAir mine too,,1",
    "7,c3,True,2026-03-02T12:00:00Z,@LoaflyBread is the oven broken?,8,",
    "8,HeronAir,False,2026-03-02T12:01:00Z,@c3 not us but hi,,7",
    "9,c4,True,2026-03-02T12:00:00Z,does anybody know a good bakery?,,",
    "10,LoaflyBread,False,2026-03-02T13:00:00Z,Fresh bread today,,",
    "11,c5,True,2026-03-02T13:00:00Z,@LoaflyBread do you deliver on sundays?,,",
)


def report(rows: tuple[str, ...] | list[str], settings: Settings | None = None, **more: object) -> Report:
    """The report on what comes by standard input."""
    raw = "\n".join([HEADER, *rows]).encode() + b"\n"
    return report_files(settings or Settings(), ["-"], load_first(None), stdin=io.BytesIO(raw), **more)  # type: ignore[arg-type]


def test_files_beside_a_csv_change_nothing_of_it(tmp_path: Path) -> None:
    """Whose the rows are is said by each file, whatever the order of the files."""
    table, lines, empty = tmp_path / "a.csv", tmp_path / "b.jsonl", tmp_path / "c.csv"
    table.write_text("\n".join([HEADER, *ROWS]) + "\n", encoding="utf-8")
    lines.write_text('{"data": {"id": "90", "text": "hi", "author_id": "x", "created_at": "2026-03-02T10:00:00Z"}}\n')
    empty.write_text("")

    found = [
        report_files(Settings(), files, load_first(None))
        for files in ([table, lines], [lines, table], [table, empty, lines])
    ]

    assert found[0] == found[1] == found[2]
    assert 3 == found[0].brands["HeronAir"].answered


def test_two_brands_keep_their_clocks_apart(tmp_path: Path) -> None:
    """As on the stream: a post that names both waits for both, and each answer stops its own."""
    lines = tmp_path / "posts.jsonl"
    both = {"mentions": [{"username": "Zeta", "id": "70"}, {"username": "Acme", "id": "71"}]}
    asked = {"id": "1", "author_id": "5", "created_at": "2026-03-02T10:00:00Z", "text": "@Zeta @Acme it broke, help"}
    answer = {"id": "2", "author_id": "70", "created_at": "2026-03-02T10:05:00Z", "text": "@x on its way"}
    answer |= {"conversation_id": "1", "in_reply_to_user_id": "5"}
    answer["referenced_tweets"] = [{"type": "replied_to", "id": "1"}]  # type: ignore[assignment]
    lines.write_text("".join(json.dumps({"data": one}) + "\n" for one in (answer, asked | {"entities": both})))
    brands = [{"name": name.lower(), "handles": [name], "ids": [one]} for name, one in (("Zeta", "70"), ("Acme", "71"))]

    made = Settings.model_validate({"brands": brands})
    found = report_files(made, [lines], load_first(None), queues=[*Queue])

    assert {"zeta": (1, 1, 0), "acme": (1, 0, 1)} == {
        name: (one.turns, one.answered, one.waiting) for name, one in found.brands.items()
    }


def test_times_with_an_offset_are_taken_at_their_word() -> None:
    """Without one they are UTC."""
    there = timezone(timedelta(hours=2))

    assert ms(datetime(2026, 3, 2, 8, 30)) == ms(datetime(2026, 3, 2, 10, 30, tzinfo=there))  # noqa: DTZ001


def test_how_long_customers_waited() -> None:
    """By the account that answered; thanks wait for nothing; who is not answered waits, two customers apart."""
    found = report(ROWS)

    heron, loafly, unknown = (found.brands[name] for name in ("HeronAir", "LoaflyBread", "unknown"))
    assert (2, 180.0, 180.0) == (heron.first_response.n, heron.first_response.mean_s, heron.first_response.median_s)
    assert (1, 30.0) == (heron.next_response.n, heron.next_response.median_s)
    assert (3, 1) == (heron.answered, heron.waiting)
    assert (0, 1) == (loafly.answered, loafly.waiting)
    assert (0, 1) == (unknown.answered, unknown.waiting)
    assert (3, 3) == (found.all.answered, found.all.waiting)
    assert 6 == found.weekdays["mon"].turns
    assert 2 == found.hours["10"].turns


def test_order_and_repetition_change_nothing() -> None:
    """Shuffled, and every row twice: the same report."""
    shuffled = [*ROWS, *ROWS]
    random.Random(4).shuffle(shuffled)

    assert report(ROWS) == report(shuffled)


def test_queues_and_targets_are_those_of_the_settings() -> None:
    """With a target of a minute one answer came too late, and two wait too long; without queues nobody does."""
    strict = Settings(targets={queue: 60 for queue in Queue if queue is not Queue.OWN})

    assert 3 == report(ROWS, strict).all.breached
    assert 0 == report(ROWS, queues=()).all.waiting


def test_outcomes_are_counted_by_conversation() -> None:
    """A day later what was answered has settled: on X, or where the answer invited to."""
    later = "12,c9,True,2026-03-04T13:00:00Z,@HeronAir hello there,,"

    assert {"moved_to_dm": 1, "resolved_silent": 1} == report([*ROWS, later]).brands["HeronAir"].outcomes


def test_the_command_prints_json(tmp_path: Path) -> None:
    """The keys that readers rely on, and a table in a CSV file (CW #9747) without formulas."""
    file = tmp_path / "posts.csv"
    file.write_text("\n".join([HEADER, *ROWS]))
    command = [sys.executable, "-m", "agents", "report", str(file), "--json", "--csv", str(tmp_path / "report.csv")]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    found = json.loads(done.stdout)["brands"]["HeronAir"]
    assert {"n", "median_s", "mean_s", "p90_s"} <= set(found["first_response"])
    assert {"next_response", "answered", "waiting", "breached", "outcomes"} <= set(found)
    rows = list(csv.DictReader((tmp_path / "report.csv").read_text().splitlines()))
    assert {"brand", "queue", "weekday", "hour"} == {row["by"] for row in rows}


def test_a_page_stands_alone(tmp_path: Path) -> None:
    """Tables and plots in one file that loads nothing; a brand's name is text."""
    found = report(ROWS)
    found.brands["<b>"] = found.brands["HeronAir"]

    write_page(found, tmp_path / "page.html", "Waits <i>")

    text = (tmp_path / "page.html").read_text()
    assert "&lt;b&gt;" in text
    assert "<title>Waits &lt;i&gt;" in text
    assert text.count("<svg") == 3
    assert not re.search(r"<script|src=|href=\"http", text)


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(PageError, match="cannot be written"):
        write_page(report(ROWS), tmp_path / "none" / "page.html", "Waits")


def test_a_file_that_is_missing_is_said(tmp_path: Path) -> None:
    """The message names the file."""
    command = [sys.executable, "-m", "agents", "report", str(tmp_path / "none.csv")]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "none.csv" in done.stderr


def test_rows_that_are_no_post_are_counted() -> None:
    """Broken rows, and posts without a time, are in none of the figures, and that is said."""
    out = Console(file=io.StringIO(), width=80)

    found = report([*ROWS, "13,c9,True,yesterday,@HeronAir hm,,", "14,c9,True,,@HeronAir hm,,"])
    show(found, out)

    assert 2 == found.unreadable
    assert report(ROWS).all == found.all
    assert "2 rows are no post, or say no time" in out.file.getvalue()  # type: ignore[attr-defined]


def test_nothing_to_report_is_said() -> None:
    """An empty file is no report of zeros."""
    with pytest.raises(UnreadableFile, match="no post with a time in it"):
        report([])


def test_names_of_a_cell_are_no_formulas() -> None:
    """What a spreadsheet would run is made inert."""
    out = io.StringIO()
    found = report(ROWS)
    found.brands["=1+1"] = found.brands.pop("HeronAir")

    write_csv(found, out)

    assert "\r\nbrand,'=1+1," in out.getvalue()
    assert '"=1+1"' in as_json(found)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=50))
def test_percentiles_are_those_of_the_standard_library(values: list[int]) -> None:
    """Inclusive quantiles interpolate in the same way."""
    ordered = sorted(values)

    assert pytest.approx(quantiles(ordered, n=20, method="inclusive")) == [
        percentile(ordered, step / 20) for step in range(1, 20)
    ]


def test_no_waits_have_no_median() -> None:
    """Nothing is not zero."""
    assert Times(0, None, None, None, None) == Times.of([])


def test_queue_names() -> None:
    """All, some, and none of ours."""
    assert len(wanted_queues("all")) == 4
    assert (Queue.REACTIVE, Queue.REVIEW) == wanted_queues("reactive,review")
    with pytest.raises(Exception, match="'own' is no queue that customers' posts go to: all, or reactive"):
        wanted_queues("own")
