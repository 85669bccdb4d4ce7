"""`triage report FILE`: the posts of files through the same state machine as the stream's, and what came of it."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

import msgspec
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.posts_file import PostsReader, UnreadableFile
from agents.shown import shown
from agents.span import span
from pipeline.brands import OTHER, Brands
from pipeline.classify import Classifier, foreign, queue_for
from pipeline.decode import decode
from pipeline.errors import TriageError
from pipeline.facts import QUEUES, Fact, Kind, known
from pipeline.heard import answer_marks, question_marks
from pipeline.policies import ASKING, Policies
from pipeline.posts import Post, Queue
from pipeline.report import Books, Report, Times, Waits
from pipeline.settings import Settings
from pipeline.turns import NEVER, Outcome, view

UNKNOWN = "unknown"
"""Stands for the brand of posts that nobody answered and that mention none."""
BATCH = 1000


class TableError(TriageError):
    """Raised when a table cannot be written to its file."""


def report_files(
    settings: Settings,
    files: Sequence[str | Path],
    classifier: Classifier,
    *,
    queues: Sequence[Queue] | None = None,
    since: int = 0,
    until: int = NEVER,
    stdin: BinaryIO | None = None,
) -> Report:
    """The report of the posts in files, as of the time of the last post.

    In a CSV file that says which rows are the brand's own (inbound), those who wrote them are the brands; the brand of
    a customer's conversation is the account that answered the customer first, else one that its posts mention.

    `queues` are those that want an answer; None: all of them for CSV, else what the settings say. Turns that opened
    before `since`, or from `until` on (ms), are left out.

    Raises:
        UnreadableFile: a file cannot be read, or there is no post with a time.
    """
    reader = PostsReader(Brands(settings.brands), stdin=stdin)
    read = list(_posts(reader, files))
    dated = [(post, tabular) for post, tabular in read if post is not None and post.created_at]
    posts, rows = [post for post, _ in dated], [post for post, tabular in dated if tabular]
    if not posts:
        raise UnreadableFile(
            f"{', '.join(map(str, files))}: no post with a time in it: a report needs when each was written"
        )
    accounts = _Accounts(settings, rows)
    policies = Policies(settings, ASKING if queues is None and rows else queues)
    conversations = _conversations(posts, accounts, _queues(settings, classifier, posts), policies)
    clock = max((post.created_at for post in posts), default=0)
    books = Books(since, until)
    for brand, facts in conversations:
        policy = policies(brand)
        seen = view(known(facts), clock, policy)
        books.add(brand, seen.turns, seen.settled, policy)
    report = books.report()
    report.unreadable = len(read) - len(posts)
    return report


def _posts(reader: PostsReader, files: Sequence[str | Path]) -> Iterator[tuple[Post | None, bool]]:
    """Each post, and whether it is a row of a CSV."""
    for file in files:
        for item in reader.read(file):
            [post] = decode([item.value], [0])
            yield post if isinstance(post, Post) else None, reader.tabular


class _Accounts:
    """Which accounts are the brands': a row of a CSV has its author's handle if it is a brand's own."""

    def __init__(self, settings: Settings, rows: Sequence[Post]) -> None:
        self._brands = Brands(settings.brands)
        self._own = {id(post): post.author.handle for post in rows if post.author.handle}
        self._rows = {id(post) for post in rows}
        self._found = {handle.lower(): handle for handle in self._own.values()}

    def of(self, post: Post) -> str | None:
        """The brand whose account wrote the post, if one did."""
        brand = self._brands.own(post)
        return self._own.get(id(post)) if brand is None else brand.name

    def named(self, post: Post) -> list[str]:
        """The settings' brands that a post concerns; a row none, for a conversation of a CSV is who answered it."""
        concerned = [] if id(post) in self._rows else self._brands.concerned(post)[0]
        return [brand.name for brand in concerned if brand is not OTHER]

    def mentioned(self, post: Post) -> str | None:
        """The brand that a customer's post concerns."""
        concerned, addressed = self._brands.concerned(post)
        if addressed:
            return concerned[0].name
        handles = (mention.username.lower() for mention in post.mentions)
        return next((self._found[handle] for handle in handles if handle in self._found), None)


def _queues(settings: Settings, classifier: Classifier, posts: Sequence[Post]) -> list[int]:
    """The place of the queue in which each post is."""
    thresholds, languages = settings.thresholds_by_stage(), frozenset(settings.model_languages)
    found: list[int] = []
    for start in range(0, len(posts), BATCH):
        some = posts[start : start + BATCH]
        for post, verdict in zip(some, classifier.classify(some), strict=True):
            queue = Queue.REVIEW if foreign(post.lang, languages) else queue_for(verdict, thresholds)
            found.append(QUEUES.index(queue))
    return found


def _conversations(
    posts: Sequence[Post], accounts: _Accounts, queues: Sequence[int], policies: Policies
) -> Iterator[tuple[str, list[Fact]]]:
    """(brand, facts) of each customer's conversation."""
    asked: dict[tuple[str, str], list[tuple[Post, int]]] = defaultdict(list)
    answers: dict[tuple[str, str], list[tuple[Post, str]]] = defaultdict(list)
    for post, queue in zip(posts, queues, strict=True):
        brand = accounts.of(post)
        if brand is None:
            asked[post.author.id, post.conversation_id].append((post, queue))
        elif post.parent_author_id is not None:
            answers[post.parent_author_id, post.conversation_id].append((post, brand))
    for whose, questions in asked.items():
        replies = sorted(answers.get(whose, []), key=lambda reply: (reply[0].created_at, reply[0].id))
        questions.sort(key=lambda one: (one[0].created_at, one[0].id))
        for brand, some in _by_brand(questions, accounts, replies[0][1] if replies else None).items():
            facts = [_question(post, queue) for post, queue in some]
            yield brand, [*facts, *(_answer(post, brand, policies) for post, by in replies if by == brand)]


def _by_brand(
    questions: Sequence[tuple[Post, int]], accounts: _Accounts, answered_by: str | None
) -> dict[str, list[tuple[Post, int]]]:
    """As on the stream: a post is of each brand that it names; one that names none of who answered first."""
    found: dict[str, list[tuple[Post, int]]] = {}
    unnamed = [one for one in questions if not accounts.named(one[0])]
    for one in questions:
        for name in accounts.named(one[0]):
            found.setdefault(name, []).append(one)
    if unnamed:
        mentioned = (accounts.mentioned(post) for post, _ in unnamed)
        brand = answered_by or next((name for name in (*found, *mentioned) if name), UNKNOWN)
        found.setdefault(brand, []).extend(unnamed)
    return found


def _question(post: Post, queue: int) -> Fact:
    marks = question_marks(post.text, engagement=QUEUES[queue] is Queue.ENGAGEMENT)
    return Fact(post.created_at, Kind.ASKED, post.first_id, queue, marks, post.revision)


def _answer(post: Post, brand: str, policies: Policies) -> Fact:
    account = post.author.handle or post.author.id
    marks = answer_marks(post.text, account, brand, policies)
    return Fact(post.created_at, Kind.ANSWERED, post.first_id, -1, marks, post.revision, account, post.parent_id or "")


# How it is shown.


def as_json(report: Report) -> str:
    """One JSON object."""
    return msgspec.json.encode(report).decode()


def show(report: Report, out: Console) -> None:
    """Tables for a person: by brand, queue, weekday and hour."""
    if not report.all.turns and not report.all.outcomes:
        out.print("nobody asked in this period")
        _show_unreadable(report, out)
        return
    parts = {"brand": report.brands, "queue": report.queues, "weekday": report.weekdays, "hour (UTC)": report.hours}
    for title, rows in parts.items():
        table = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column(title, min_width=15, max_width=20, no_wrap=True)
        for name in ("first", "median", "mean", "p90", "p95", "next", "median", "wait", "late"):
            table.add_column(name, justify="right", no_wrap=True)
        for name, waits in rows.items():
            if waits.turns:
                table.add_row(Text(shown(name)), *_cells(waits))
        out.print(table)
    shares = Table("outcome", "conversations", "share")
    outcomes = report.all.outcomes
    for name, count in outcomes.items():
        shares.add_row(name.replace("_", " "), f"{count:,}", f"{count / sum(outcomes.values()):.1%}")
    out.print(shares if outcomes else "no conversation has come to rest yet")
    answered, turns = report.all.answered, report.all.turns
    if turns:
        out.print(f"{turns:,} turns, {answered:,} answered ({answered / turns:.1%}); late: the target was missed")
    _show_unreadable(report, out)


def _show_unreadable(report: Report, out: Console) -> None:
    if report.unreadable:
        out.print(
            f"{report.unreadable:,} rows are no post, or say no time: they are not counted (`triage backtest` says why)"
        )


def save_csv(report: Report, path: Path) -> None:
    """Write the rows to a file.

    Raises:
        TableError: it cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            write_csv(report, file)
    except OSError as error:
        raise TableError(f"{path} cannot be written: {error.strerror}") from error


def write_csv(report: Report, file: TextIO) -> None:
    """One row a brand, queue, weekday and hour; seconds."""
    names = Times.__struct_fields__
    kinds = ("first_response", "next_response", "first_response_business", "next_response_business")
    counts = ("turns", "answered", "waiting", "breached")
    outcomes = [outcome.name.lower() for outcome in Outcome]
    writer = csv.writer(file)
    writer.writerow(["by", "name", *(f"{kind}_{name}" for kind in kinds for name in names), *counts, *outcomes])
    for by in ("brands", "queues", "weekdays", "hours"):
        for name, waits in getattr(report, by).items():
            times = [getattr(getattr(waits, kind), field) for kind in kinds for field in names]
            numbers = [getattr(waits, count) for count in counts] + [waits.outcomes.get(one, 0) for one in outcomes]
            writer.writerow([by.removesuffix("s"), _inert(name), *times, *numbers])


def _inert(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _cells(waits: Waits) -> list[str]:
    first, following = waits.first_response, waits.next_response
    return [
        f"{first.n:,}", *map(span, (first.median_s, first.mean_s, first.p90_s, first.p95_s)), f"{following.n:,}",
        span(following.median_s), f"{waits.waiting:,}", f"{waits.breached:,}",
    ]  # fmt: skip
