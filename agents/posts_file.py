"""Reads posts from files, X's JSON Lines or CSV, each as a record of the topic `tweets`: key and wire format."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import msgspec

from agents.csv_posts import Columns, Links, envelope
from pipeline.brands import Brands
from pipeline.decode import decode
from pipeline.errors import TriageError
from pipeline.pages import split
from pipeline.posts import Post
from pipeline.route import customer

WINDOW = 10_000
"""So many rows of a CSV that cannot be read twice are looked at before and after a row."""

LOOKED_AT = 100
"""Without JSON in so many lines more a file is something else, and none of it is sent."""

_UNDATED = -(2**62)
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class UnreadableFile(TriageError):
    """Raised when a file is missing, damaged or of no form that is read here."""


class Item(NamedTuple):
    """A record of `tweets`: `key` is None where the record is broken, `created_at` (ms) where it says none."""

    key: bytes | None
    value: bytes
    created_at: int | None
    line: int


class PostsReader:
    """Reads files one after another and counts what it passed over.

    Forms, told apart by what is inside, plain or gzip: JSON Lines of X API v2 objects (an envelope, a bare post, or a
    page, which is split into envelopes), and CSV with a column `text` (see agents.csv_posts.Columns). A line that
    cannot be understood is given as it stands, for the dead letters; only empty lines are passed over.

    A CSV file is read twice, first for its reply links, so that a conversation is found however its rows are ordered.
    From standard input ("-") or a pipe it is read once: the links of a row are known from `window` rows before its
    block to `window` rows after it. A parent farther away than that counts as absent: its author is then guessed from
    the account that the text begins with, and the conversation gets the id of the last post that is known of it.
    """

    def __init__(self, brands: Brands, *, stdin: BinaryIO | None = None, window: int = WINDOW) -> None:
        self._brands = brands
        self._stdin = stdin
        self._window = window
        self._file: io.FileIO | None = None
        self._size = 0
        self.blank = 0
        """Empty lines passed over."""
        self.replies = 0
        """Rows of CSV files that answer a post."""
        self.linked = 0
        """Of these, rows whose parent stands in the file (or the window)."""
        self.tabular = False
        """Whether the file at hand is CSV."""

    def read(self, path: str | Path) -> Iterator[Item]:
        """The posts of one file, in its order; "-" is standard input.

        Raises:
            UnreadableFile: the file is missing, damaged, or a CSV without the column `text`.
        """
        line = 0
        try:
            for item in self._items(str(path)):
                line = item.line
                yield item
        except OSError as error:
            raise UnreadableFile(f"{path}: {error.strerror or error}{_after(line)}: check the file") from error
        except (EOFError, zlib.error) as error:
            raise UnreadableFile(f"{path}: the gzip data is damaged{_after(line)}: fetch the file again") from error
        except csv.Error as error:
            raise UnreadableFile(
                f"{path}: no CSV{_after(line)} ({error}): a quote there is probably never closed"
            ) from error

    def share_read(self) -> float | None:
        """How much of the file at hand is read, from 0 to 1; None where its size is not known."""
        if self._file is None or not self._size:
            return None
        return 1.0 if self._file.closed else min(1.0, self._file.tell() / self._size)

    def _items(self, path: str) -> Iterator[Item]:
        with self._open(path) as stream:
            first, before = self._first_line(stream)
            columns = Columns.of(first)
            self.tabular = columns is not None
            if columns is not None:
                yield from self._csv(path, stream, columns, before)
            elif first.lstrip()[:1] not in b"{[" and path.removesuffix(".gz").endswith((".csv", ".tsv")):
                raise UnreadableFile(f"{path}: no column is named `text`: name the column that holds the posts so")
            else:
                # What comes through a pipe is passed on as it comes.
                head = [first, *islice(stream, LOOKED_AT if path != "-" and Path(path).is_file() else 0)]
                if first and len(head) > 1 and not any(line.lstrip()[:1] in (b"{", b"[") for line in head):
                    raise UnreadableFile(
                        f"{path}: neither JSON Lines of X's API nor a CSV with a column `text`: its first line is "
                        f"{first[:40].decode(errors='replace').strip()!r}"
                    )
                yield from self._json_lines(chain(head, stream), before)

    @contextmanager
    def _open(self, path: str) -> Iterator[BinaryIO]:
        if path == "-":
            assert self._stdin is not None, "standard input is passed in by the command line"
            yield _unzipped(self._stdin)
            return
        with io.FileIO(path) as file:
            self._file, self._size = file, Path(path).stat().st_size
            yield _unzipped(file)

    def _first_line(self, stream: BinaryIO) -> tuple[bytes, int]:
        """The first line that is not empty, and how many lines stand before it."""
        before = 0
        for raw in stream:
            line = raw.removeprefix(_BOM) if before == 0 else raw
            if line.strip():
                return line, before
            before += 1
            self.blank += 1
        return b"", before

    # JSON Lines.

    def _json_lines(self, lines: Iterable[bytes], before: int) -> Iterator[Item]:
        for line, raw in enumerate(lines, before + 1):
            value = raw.rstrip(b"\r\n")
            if value.strip():
                item = self._item(value, line)
                page = split(value) if item.key is None else None
                yield from [item] if page is None else [self._item(one, line) for one in page]
            elif raw:
                self.blank += 1

    def _item(self, value: bytes, line: int) -> Item:
        post = decode([value], [_UNDATED])[0]
        if not isinstance(post, Post):
            return Item(None, value, None, line)
        key = customer(post, own=self._brands.own(post) is not None).encode()
        return Item(key, value, None if post.created_at == _UNDATED else post.created_at, line)

    # CSV.

    def _csv(self, path: str, stream: BinaryIO, columns: Columns, before: int) -> Iterator[Item]:
        rows = self._rows(stream, columns, before)
        if not columns.linked:
            yield from self._row_items(rows, columns, None)
        elif path != "-" and Path(path).is_file():
            yield from self._row_items(rows, columns, self._links(path, columns, before))
        else:
            for block, links in _windows(rows, columns, self._window):
                yield from self._row_items(block, columns, links)

    def _links(self, path: str, columns: Columns, before: int) -> Links:
        with io.FileIO(path) as file:
            stream = _unzipped(file)
            for _ in range(before + 1):
                stream.readline()
            links, blank = Links(), self.blank
            for _, cells in self._rows(stream, columns, before):
                links.add(columns, cells)
            self.blank = blank  # the second pass counts them
            return links

    def _rows(self, stream: BinaryIO, columns: Columns, before: int) -> Iterator[tuple[int, list[str]]]:
        """The rows after the header with the line that each begins at; bytes that are no UTF-8 stay in, escaped."""
        text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
        header = before + 1
        reader = csv.reader(text, delimiter=columns.delimiter)
        line = header + 1
        try:
            for cells in reader:
                if len(cells) > 1 or (cells and cells[0].strip()):
                    yield line, cells
                else:
                    self.blank += 1
                line = header + reader.line_num + 1
        finally:
            text.detach()  # else the end of the reading would close the stream, standard input too

    def _row_items(
        self, rows: Iterable[tuple[int, list[str]]], columns: Columns, links: Links | None
    ) -> Iterator[Item]:
        for line, cells in rows:
            made = envelope(columns, cells, line, links)
            if links is not None and "referenced_tweets" in made["data"]:
                self.replies += 1
                self.linked += links.has_row(made["data"]["referenced_tweets"][0]["id"])
            yield self._item(_encoded(made), line)


def _unzipped(raw: BinaryIO | io.RawIOBase) -> BinaryIO:
    """The bytes of a stream, unpacked where they begin as gzip does."""
    stream = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", raw))
    if stream.peek(2)[:2] != _GZIP:
        return stream
    return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=stream)))


def _windows(
    rows: Iterator[tuple[int, list[str]]], columns: Columns, size: int
) -> Iterator[tuple[list[tuple[int, list[str]]], Links]]:
    """Blocks of rows, each with the links of itself, the block before and the block after."""
    before: list[tuple[int, list[str]]] = []
    block = _take(rows, size)
    while block:
        after = _take(rows, size)
        links = Links()
        for _, cells in chain(before, block, after):
            links.add(columns, cells)
        yield block, links
        before, block = block, after


def _take(rows: Iterator[tuple[int, list[str]]], size: int) -> list[tuple[int, list[str]]]:
    return list(islice(rows, size))


def _encoded(made: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(made)
    except UnicodeEncodeError:  # bytes that were no UTF-8 go out as they came in, for the dead letters
        return json.dumps(made, ensure_ascii=False).encode("utf-8", "surrogateescape")


def require_files(paths: Iterable[str | Path]) -> None:
    """See to it that there are such files; "-" is standard input.

    Raises:
        UnreadableFile: one is missing.
    """
    for path in paths:
        if str(path) != "-" and not Path(path).exists():
            raise UnreadableFile(f"{path}: no such file: check the name")


def _after(line: int) -> str:
    return f" after line {line}" if line else ""
