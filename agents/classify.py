"""`triage classify`: one text, its stage, how sure the model is, and the words that spoke for it."""

from __future__ import annotations

import msgspec

from agents.classifiers import Silent, load_classifier
from pipeline.classify import queue_for
from pipeline.posts import STAGES, Author, Opinion, Post
from pipeline.settings import Settings


def classify_text(settings: Settings, text: str, *, as_json: bool) -> str:
    """A few lines for a reader, or one JSON object."""
    classifier = load_classifier(settings, Silent())
    post = Post("0", "0", text, Author(""), 0, "0")
    [verdict] = classifier.classify([post])
    words = classifier.explain(post)[:8]
    queue = queue_for(verdict, settings.thresholds_by_stage())
    if as_json:
        scores = dict(zip(STAGES, verdict.scores, strict=True))
        found = {"stage": verdict.stage, "confidence": verdict.confidence, "scores": scores, "queue": queue}
        found |= {"decided_by": verdict.decided_by, "words": words, "model": classifier.model}
        return msgspec.json.encode(found | {"second_model": classifier.second}).decode()
    return "\n".join(
        [
            f"{verdict.stage.value}, confidence {verdict.confidence:.2f}, queue {queue.value}"
            + (", by the second opinion; the words are the first's" if verdict.decided_by is Opinion.SECOND else ""),
            *(f"  {weight:+.2f}  {word}" for word, weight in words),
        ]
    )
