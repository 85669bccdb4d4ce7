"""Step 2: posts -> verdicts, and when a verdict is too unsure to act on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from pipeline.posts import Post, Queue, Stage, Verdict

_QUEUE_OF = {stage: Queue(stage.value) for stage in Stage}


class Model(msgspec.Struct, frozen=True):
    """Which model gave a verdict: on every routed record and in /metrics."""

    name: str
    version: str
    sha256: str


class Classifier(Protocol):
    """What the worker needs of a model: a batch of posts in, as many verdicts out, in the same order."""

    @property
    def model(self) -> Model:
        """Name, version and hash of the artifact that judges every post."""

    @property
    def second(self) -> Model | None:
        """The same of the model that is asked where the first is unsure, if there is one."""

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """Judge a batch; safe to call from another thread, one call at a time."""

    def explain(self, post: Post) -> list[tuple[str, float]]:
        """The words of one post with what each added to the winning stage's score, most telling first."""


NO_LANGUAGE = frozenset({"und", "qam", "qct", "qht", "qme", "qst", "zxx", "art"})
"""What X says where it sees no language: undetermined; mentions, cashtags, hashtags, links, very short texts only."""


def queue_for(verdict: Verdict, thresholds: Mapping[Stage, float]) -> Queue:
    """The stage's queue, or the review queue where the confidence is under the stage's threshold."""
    if verdict.confidence < thresholds[verdict.stage]:
        return Queue.REVIEW
    return _QUEUE_OF[verdict.stage]


def foreign(language: str, known: Collection[str]) -> bool:
    """Whether a post is in a language that the model is not trusted in; with none named it is trusted in all."""
    return bool(known) and language not in known and language not in NO_LANGUAGE
