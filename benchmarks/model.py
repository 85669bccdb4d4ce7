"""The model alone, in one run: posts/s at batches of 1, 50 and 1,000, ours and stock; writes build/bench/model.json.

Texts come from the corpus in a fixed random order. A figure is the median of five passes that take turns.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

from benchmarks.arena import ROOT
from benchmarks.contenders.stock import pipeline
from models.classifier import StageClassifier
from models.corpora import read_corpus
from models.train import HERE
from pipeline.posts import Author, Post

REPORT = ROOT / "build" / "bench" / "model.json"
BATCHES = (1, 50, 1000)
PASSES, SECONDS = 5, 0.6
Judge = Callable[[Sequence[str]], object]

LOAD = """
import psutil, time
from models.classifier import StageClassifier
begun = time.perf_counter()
StageClassifier.load()
print(time.perf_counter() - begun, psutil.Process().memory_info().rss / 1e6)
"""


def main() -> None:
    """Measure, print, write."""
    corpus = read_corpus(HERE / "corpus" / "posts.csv")
    texts = corpus.texts[:]
    random.Random(20_11).shuffle(texts)
    judges = _judges(corpus.texts, corpus.stages.tolist())
    found: dict[str, dict[str, int]] = {name: {} for name in judges}
    for batch in BATCHES:
        passes = [{name: _rate(judge, texts, batch) for name, judge in judges.items()} for _ in range(PASSES)]
        for name in judges:
            found[name][str(batch)] = round(median(one[name] for one in passes))
    seconds, megabytes = map(float, subprocess.check_output([sys.executable, "-c", LOAD], cwd=ROOT, text=True).split())
    report = {"posts_per_s": found, "load_s": round(seconds, 3), "resident_mb": round(megabytes, 1)}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


def _judges(texts: list[str], stages: list[int]) -> dict[str, Judge]:
    ours = StageClassifier.load()
    words, letters = (pipeline(letters=letters) for letters in (False, True))
    words.fit(texts, stages)
    letters.fit(texts, stages)
    return {
        "ours": lambda batch: ours.classify([Post("0", "0", text, Author(""), 0, "0") for text in batch]),
        "ours, scores only": ours.scores,
        "stock, the same n-grams": letters.predict_proba,
        "stock, words only": words.predict_proba,
    }


def _rate(judge: Judge, texts: list[str], batch: int) -> float:
    """Posts a second, over at least SECONDS."""
    done, place, begun = 0, 0, perf_counter()
    while (spent := perf_counter() - begun) < SECONDS:
        judge(texts[place : place + batch])
        done += batch
        place = (place + batch) % (len(texts) - batch)
    return done / spent


if __name__ == "__main__":
    main()
