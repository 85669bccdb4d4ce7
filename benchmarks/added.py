"""What watching costs: the worker's work on a batch with it and without, in turns, as a ratio; build/bench/added.json.

The work is the worker's own from fetched records to packed batches (decode, judge, route, encode), on one thread and
without Kafka, whose part would only make the ratio smaller. Time is the thread's processor time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from time import thread_time

from prometheus_client import CollectorRegistry

from agents.classifiers import Counted
from agents.pack import SLICE, pack
from agents.spans import spans
from agents.transport import Fetched
from agents.worker import tune_interpreter
from benchmarks.arena import ROOT
from benchmarks.posts import brands, posts
from models import ngrams
from models.artifact import SHIPPED, load_weights
from models.classifier import StageClassifier, probabilities
from models.reference import Watch, load_reference
from pipeline.decode import decode
from pipeline.metrics import Metrics
from pipeline.posts import Post
from pipeline.route import Router
from pipeline.settings import Settings
from pipeline.settings_traces import Traces
from pipeline.topics import API_HEADER
from pipeline.traces import TRACE_HEADER, begin
from pipeline.triage import triage

REPORT = ROOT / "build" / "bench" / "added.json"
POSTS, BATCH, TURNS = 8_000, 1_000, 30
AT, NOW = 1_790_000_000_000, 1_790_000_000_123
SETTINGS = Settings.model_validate({"brands": brands(5)})
EXPORTING = SETTINGS.model_copy(update={"traces": Traces(otlp_endpoint="http://127.0.0.1:1/v1/traces")})
"""To nobody, which the worker does not notice."""
Headers = list[tuple[str, bytes]]
BY_STREAM: Headers = [(API_HEADER, b"stream")]
Work = list[Callable[[], object]]
"""By batch."""


def main() -> None:
    """Measure, print, write."""
    tune_interpreter()
    found = compared(works(POSTS), TURNS)
    alone = counting_alone(TURNS)
    found["drift, its own steps alone"] = {
        "us_a_post": round(alone, 3),
        "ratio": round(1 + alone / found["drift"]["without_us_a_post"], 4),
    }
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def works(count: int) -> dict[str, tuple[Work, Work]]:
    """By what is added: the work without it, and with it."""
    silent = StageClassifier.load()
    watched = StageClassifier.load(watcher=Counted(Metrics(CollectorRegistry())))
    records = _records(count, lambda: BY_STREAM)
    traced = _records(count, lambda: [*BY_STREAM, (TRACE_HEADER, begin(0.01))])
    return {
        "drift": (_work(records, silent), _work(records, watched)),
        "traces carried": (_work(records, watched), _work(traced, watched)),
        "traces exported": (_work(traced, watched), _work(traced, watched, EXPORTING)),
        "all but spans": (_work(records, silent), _work(traced, watched)),
    }


def compared(found: dict[str, tuple[Work, Work]], turns: int) -> dict[str, dict[str, float]]:
    """Of each pair the microseconds a post, and the one's over the other's."""
    return {name: _compare(without, added, turns) for name, (without, added) in found.items()}


def counting_alone(turns: int) -> float:
    """Microseconds a post of the steps that count for drift, on a slice as the worker judges it.

    The difference of two long times, as above, moves by more than these steps take where the machine is busy.
    """
    weights = load_weights()
    watch = Watch(Counted(Metrics(CollectorRegistry())), load_reference(SHIPPED, weights.model))
    values = [value for _, value in islice(posts(SLICE), SLICE)]
    texts = [post.text for post in decode(values, [AT] * SLICE) if isinstance(post, Post)]
    found = ngrams.words(texts)
    shares = probabilities(ngrams.scored(found, weights.pairs, weights.bias))

    def count() -> None:
        watch.judged(shares.argmax(axis=1), shares.max(axis=1))
        watch.read(found)

    def many() -> None:
        for _ in range(50):
            count()

    return min(_seconds(many) for _ in range(turns)) / 50 / SLICE * 1e6


def _compare(without: Work, added: Work, turns: int) -> dict[str, float]:
    """Batch by batch in turns; of each batch the quickest counts, for whatever else the machine does only adds."""
    pairs = list(zip(without, added, strict=True))
    best = [[float("inf")] * 2 for _ in pairs]
    for turn in range(turns):
        for place, pair in enumerate(pairs):
            for side in (0, 1) if turn % 2 else (1, 0):  # whoever goes second finds warm caches
                best[place][side] = min(best[place][side], _seconds(pair[side]))
    base, more = (sum(column) * 1e6 / (len(pairs) * BATCH) for column in zip(*best, strict=True))
    return {"without_us_a_post": round(base, 2), "with_us_a_post": round(more, 2), "ratio": round(more / base, 4)}


def _seconds(work: Callable[[], object]) -> float:
    began = thread_time()
    work()
    return thread_time() - began


def _work(records: Sequence[Fetched], classifier: StageClassifier, settings: Settings = SETTINGS) -> Work:
    step = partial(triage, classifier=classifier, router=Router(settings, classifier.model), now=NOW)
    made = spans(settings, "triage")

    def run(some: Sequence[Fetched]) -> None:
        pack(some, step, settings.topics.name, NOW)
        if made is not None:
            made.done(some, 1.0, 2.0)

    return [partial(run, records[start : start + BATCH]) for start in range(0, len(records), BATCH)]


def _records(count: int, headers: Callable[[], Headers]) -> list[Fetched]:
    return [
        Fetched("tweets", number % 12, number, AT, key, value, headers())
        for number, (key, value) in enumerate(islice(posts(count), count))
    ]


if __name__ == "__main__":
    main()
