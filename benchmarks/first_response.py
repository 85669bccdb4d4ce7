"""First responses by brand as pandas computes them, with nothing of ours: `python -m benchmarks.first_response FILE`.

Run by hand in an environment with pandas, on a CSV of customer support (see agents.csv_posts.Columns); `--against`
names what `triage report FILE --json` printed, and every difference is listed.

A customer's conversation belongs to the account that answered that customer in it first. Its first response is the time
from the customer's first post to that account's first reply to that customer at or after it. One in which nothing
happens for 7 days, or 30 while the customer waits, is over, and what comes later begins another (not so with
`--asleep 0 0`).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]


def first_responses(path: Path, asleep: tuple[float, float]) -> Any:
    """A frame: customer, conversation, brand, seconds; `asleep`: days after an answer, and while somebody waits."""
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows["at"] = pd.to_datetime(rows["created_at"], utc=True)
    parent = {row.tweet_id: row.in_response_to_tweet_id for row in rows.itertuples() if row.in_response_to_tweet_id}
    for row in rows.itertuples():
        for answer in filter(None, row.response_tweet_id.split(",")):
            parent.setdefault(answer, row.tweet_id)
    author = dict(zip(rows["tweet_id"], rows["author_id"], strict=True))
    rows["conversation"] = [_root(one, parent) for one in rows["tweet_id"]]
    first_mention = rows["text"].str.extract(r"^\s*[@＠]([A-Za-z0-9_]{1,30})")[0]
    rows["to"] = [
        author.get(parent.get(one, "")) or mention for one, mention in zip(rows["tweet_id"], first_mention, strict=True)
    ]
    rows = _split(rows, asleep) if any(asleep) else rows
    asked = (
        rows[rows["inbound"] == "True"].groupby(["author_id", "conversation"])["at"].min().rename("asked").reset_index()
    )
    replies = rows[rows["inbound"] == "False"].sort_values(["at", "tweet_id"])
    both = asked.merge(replies, left_on=["author_id", "conversation"], right_on=["to", "conversation"])
    both["brand"] = both.groupby(["author_id_x", "conversation"])["author_id_y"].transform("first")
    own = both[(both["author_id_y"] == both["brand"]) & (both["at"] >= both["asked"])]
    first = (
        own.groupby(["author_id_x", "conversation", "brand"])
        .agg(asked=("asked", "first"), at=("at", "min"))
        .reset_index()
    )
    first["seconds"] = (first["at"] - first["asked"]).dt.total_seconds()
    return first


def _split(rows: Any, asleep: tuple[float, float]) -> Any:
    """The posts of customers and of those who answered them first, each conversation cut where it slept too long."""
    rows = rows.assign(customer=rows["author_id"].where(rows["inbound"] == "True", rows["to"]))
    rows = rows.sort_values(["at", "inbound", "tweet_id"], ascending=[True, False, True])
    after_answer, waiting = (pd.Timedelta(days=days) for days in asleep)
    brand: dict[tuple[str, str], str] = {}
    state: dict[tuple[str, str], tuple[Any, bool, int]] = {}
    for row in rows[rows["inbound"] == "False"].itertuples():
        brand.setdefault((row.customer, row.conversation), row.author_id)
    kept = []
    for row in rows.itertuples():
        name, asks = (row.customer, row.conversation), row.inbound == "True"
        if asks or brand[name] == row.author_id:
            last, waits, number = state.get(name, (row.at, asks, 0))
            number += row.at - last > (waiting if waits else after_answer)
            state[name] = row.at, asks, number
            kept.append((row.Index, f"{row.conversation}#{number}"))
    return rows.loc[[index for index, _ in kept]].assign(conversation=[cut for _, cut in kept])


def _root(post: str, parent: dict[str, str]) -> str:
    seen = set()
    while post in parent and post not in seen:
        seen.add(post)
        post = parent[post]
    return post


def main() -> None:
    """Print counts and medians, or the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--against", type=Path, help="what `triage report FILE --json` printed")
    parser.add_argument("--asleep", type=float, nargs=2, default=(7.0, 30.0), metavar="DAYS")
    chosen = parser.parse_args()
    found = first_responses(chosen.file, tuple(chosen.asleep)).groupby("brand")["seconds"].agg(["count", "median"])
    if chosen.against is None:
        print(found.sort_values("count", ascending=False).to_string())
        return
    said = {
        brand: (waits["first_response"]["n"], waits["first_response"]["median_s"])
        for brand, waits in json.loads(chosen.against.read_text())["brands"].items()
        if waits["first_response"]["n"]
    }
    expected = {brand: (int(row["count"]), float(row["median"])) for brand, row in found.iterrows()}
    differ = [name for name in sorted({*said, *expected}) if said.get(name) != expected.get(name)]
    for name in differ:
        print(f"{name}: pandas {expected.get(name)}, triage {said.get(name)}")
    total = sum(count for count, _ in expected.values())
    print(f"{len(expected)} brands, {total} first responses, {len(differ)} differences")
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
