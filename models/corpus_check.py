"""Is the corpus what it claims to be? Rows complete, nothing written twice, no templates, nothing near a given file.

Near means: of the four-word runs (shingles, Broder 1997) of the shorter text, half stand in the other one too. A
template shows as a skeleton (the text with all but its commonest words left out) that several posts share.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import ModelError
from pipeline.posts import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

COLUMNS = ("id", "text", "stage", "industry", "kind", "language", "family")
RUN, SHARE = 4, 0.5
COMMON = 120
"""So many of the commonest words make the skeleton."""
LONGEST_FAMILY = 3
"""So many posts may share a skeleton of at least LEAST_SKELETON parts."""
LEAST_SKELETON = 9

_NOISE = re.compile(r"https?://\S+|[@#]\w+|&\w+;")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_TOKEN = re.compile(r"@\w+|https?://\S+|[^\W_]+(?:'[^\W_]+)?|[?!.,…#:;]")


class Complaint(NamedTuple):
    """One thing that is wrong, and with which rows."""

    what: str
    ids: tuple[str, ...]
    detail: str


def check(rows: Sequence[Mapping[str, str]], others: Sequence[str] = ()) -> list[Complaint]:
    """All that is wrong with a corpus; `others` are texts that nothing in it may be near to."""
    return [*_incomplete(rows), *_near_each_other(rows), *_templates(rows), *_near_others(rows, others)]


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a corpus; ModelError where the file is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    missing = [column for column in COLUMNS if not rows or column not in rows[0]]
    if missing:
        raise ModelError(f"{path} has no column {', '.join(missing)}")
    return rows


def runs(text: str) -> set[tuple[str, ...]]:
    """The four-word runs of a text, handles, links and hashtags left out; a short text is one run."""
    words = _WORD.findall(_NOISE.sub(" ", text.lower().replace("’", "'")))
    if len(words) <= RUN:
        return {tuple(words)} if words else set()
    return {tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)}


def skeleton(text: str, common: frozenset[str]) -> str:
    """The text with its rarer words as _, handles as @, links as /; neighbouring _ are one."""
    parts: list[str] = []
    for token in _TOKEN.findall(text.lower()):
        part = "@" if token[0] == "@" else "/" if token.startswith("http") else token
        if part.isalnum() and part not in common:
            part = "_"
        if not (part == "_" and parts and parts[-1] == "_"):
            parts.append(part)
    return " ".join(parts)


def _incomplete(rows: Sequence[Mapping[str, str]]) -> Iterator[Complaint]:
    stages = {stage.value for stage in STAGES}
    seen: set[str] = set()
    for row in rows:
        name = row["id"]
        if name in seen:
            yield Complaint("the id is given twice", (name,), "")
        seen.add(name)
        empty = [column for column in COLUMNS if not (row[column] or "").strip()]
        if empty:
            yield Complaint("empty", (name,), ", ".join(empty))
        if row["stage"] not in stages:
            yield Complaint("no such stage", (name,), row["stage"])


def _near_each_other(rows: Sequence[Mapping[str, str]]) -> Iterator[Complaint]:
    for left, right in _near(rows, rows):
        if left["id"] < right["id"]:
            yield Complaint("near-duplicates", (left["id"], right["id"]), right["text"])


def _near_others(rows: Sequence[Mapping[str, str]], others: Sequence[str]) -> Iterator[Complaint]:
    theirs = [{"id": f"line {number}", "text": text} for number, text in enumerate(others, start=2)]
    for row, other in _near(rows, theirs):
        yield Complaint("near a post of the other file", (row["id"], other["id"]), row["text"])


def _near(
    rows: Sequence[Mapping[str, str]], others: Sequence[Mapping[str, str]]
) -> Iterator[tuple[Mapping[str, str], Mapping[str, str]]]:
    """Pairs that share half of the shorter one's runs, at least two (or all words of a very short text)."""
    index: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    sizes = []
    for place, other in enumerate(others):
        found = runs(other["text"])
        sizes.append(len(found))
        for run in found:
            index[run].append(place)
    for row in rows:
        mine = runs(row["text"])
        shared = Counter(place for run in mine for place in index.get(run, ()))
        for place, count in shared.items():
            least = min(len(mine), sizes[place])
            long_enough = count >= 2 or max(map(len, mine)) == RUN - 1
            if row is not others[place] and count >= SHARE * least and long_enough:
                yield row, others[place]


def _templates(rows: Sequence[Mapping[str, str]]) -> Iterator[Complaint]:
    counts = Counter(word for row in rows for word in set(_WORD.findall(row["text"].lower())))
    common = frozenset(word for word, count in counts.most_common(COMMON) if count > LONGEST_FAMILY)
    families: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        bones = skeleton(row["text"], common)
        if bones.count(" ") + 1 >= LEAST_SKELETON:
            families[bones].append(row["id"])
    for bones, ids in families.items():
        if len(ids) > LONGEST_FAMILY:
            yield Complaint("a template", tuple(ids), bones)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the corpus and print what is wrong: 0 if nothing is, 1 if something is."""
    parser = argparse.ArgumentParser(prog="python -m models.corpus_check", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=Path(__file__).parent / "corpus" / "posts.csv")
    parser.add_argument("--against", type=Path, action="append", default=[], help="a CSV with a column text")
    chosen = parser.parse_args(arguments)
    rows = read_rows(chosen.corpus)
    found = check(rows, [text for path in chosen.against for text in _texts(path)])
    for complaint in found:
        print(f"{complaint.what}: {', '.join(complaint.ids)}: {complaint.detail}")
    print(f"{len(rows):,} posts, {len(found)} complaints")
    return 1 if found else 0


def _texts(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


if __name__ == "__main__":
    raise SystemExit(main())
