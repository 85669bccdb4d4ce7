"""Whether a contender wrote what it should: every record there, and each equal to the one that the worker makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from pipeline.classify import Classifier
from pipeline.decode import decode
from pipeline.errors import BadMessage
from pipeline.posts import Verdict
from pipeline.route import Place, Router, topic_of
from pipeline.routed import RoutedPost
from pipeline.settings import Settings

Headers = Sequence[tuple[str, bytes]]
_routed = msgspec.json.Decoder(RoutedPost).decode


class Output(NamedTuple):
    """One record that a contender wrote."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers


ROUNDING = 0.00015
"""Scores are stated with four digits."""


class Checked(NamedTuple):
    """How many records there are, of how many different events, and how many are not as they should be."""

    records: int
    unique: int
    wrong: int
    first_wrong: str


class Expected:
    """The record that ought to stand for a post, given what the contender's model said of it."""

    def __init__(
        self, settings: Settings, inputs: Mapping[tuple[int, int], tuple[bytes, int]], ours: Classifier | None
    ) -> None:
        self._name = settings.topics.name
        self._settings = settings
        self._inputs = inputs
        self._ours = ours
        self._routers: dict[str, Router] = {}

    def problem(self, output: Output) -> str:
        """What is wrong with a record; nothing, as a rule. Only the verdict and routed_at are taken from it."""
        found = _routed(output.value)
        value, timestamp = self._inputs[found.source.partition, found.source.offset]
        [post] = decode([value], [timestamp])
        if isinstance(post, BadMessage):
            return f"{found.event_id}: made from a broken post"
        verdict = _verdict(found)
        if self._ours is not None and not _alike(verdict, *self._ours.classify([post])):
            return f"{found.event_id}: {verdict} is not what the model says of {post.text!r}"
        place = Place(found.source.topic, found.source.partition, found.source.offset, timestamp)
        now = round(datetime.fromisoformat(found.routed_at).timestamp() * 1000)
        made = self._router(found).route(post, verdict, place, now)
        wanted = [
            (self._name(topic_of(one.queue)), one.partition, one.key, _routed(one.value), one.headers)
            for one in made
            if one.brand == found.brand
        ]
        got = (output.topic, output.partition, output.key, found, list(output.headers))
        return "" if wanted == [got] else f"{got} should be {wanted}"

    def _router(self, found: RoutedPost) -> Router:
        model = found.classification.model
        if model.sha256 not in self._routers:
            self._routers[model.sha256] = Router(self._settings, model)
        return self._routers[model.sha256]


def check(expected: Expected, outputs: Iterable[Output]) -> Checked:
    """Look at all outputs of a contender: each value, key, place and header."""
    ids: Counter[bytes] = Counter()
    wrong, first_wrong = 0, ""
    for output in outputs:
        ids[dict(output.headers)["ce_id"]] += 1
        problem = expected.problem(output)
        wrong += bool(problem)
        first_wrong = first_wrong or problem
    return Checked(ids.total(), len(ids), wrong, first_wrong)


def _alike(one: Verdict, other: Verdict) -> bool:
    """Whether two verdicts are the same but for the order in which floating point numbers were summed."""
    apart = max(abs(mine - yours) for mine, yours in zip(one.scores, other.scores, strict=True))
    return apart <= ROUNDING and abs(one.confidence - other.confidence) <= ROUNDING


def _verdict(found: RoutedPost) -> Verdict:
    said, scores = found.classification, found.classification.scores
    return Verdict(said.stage, said.confidence, (scores.reactive, scores.proactive, scores.engagement))
