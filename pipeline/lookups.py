"""Posts looked up by id: which are gone, and which were edited since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from pipeline.errors import BadMessage, Reason

MOST_IDS = 100
_GONE = ("resource-not-found", "resource-unavailable", "not-authorized-for-resource")
"""Deleted; withheld or suspended; protected: the text is not ours to keep. The last parts of X's problem types."""


class _Post(msgspec.Struct):
    id: str
    edit_history_tweet_ids: list[str] = []


class _Problem(msgspec.Struct):
    resource_id: str | None = None
    value: str | None = None
    type: str = ""
    title: str = ""


class _Answer(msgspec.Struct):
    data: list[_Post] = []
    errors: list[_Problem] = []


class Looked(NamedTuple):
    """What came of it."""

    gone: list[str]
    """The ids asked for whose posts are gone."""
    newer: list[str]
    """The newest ids of posts that were edited since."""


_answer = msgspec.json.Decoder(_Answer).decode


def looked(body: bytes, known: Mapping[str, int]) -> Looked:
    """Read the answer to a look-up; `known` are the ids asked for with the revisions that we have.

    A post of which the answer says nothing is left alone.

    Raises:
        BadMessage: it is no such answer.
    """
    try:
        answer = _answer(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessage(Reason.NOT_JSON, f"X's answer cannot be read: {error}") from error
    there = {post.id for post in answer.data}
    gone = [
        identity
        for problem in answer.errors
        if (identity := problem.resource_id or problem.value or "") in known.keys() - there and _is_gone(problem)
    ]
    newer = [
        post.edit_history_tweet_ids[-1]
        for post in answer.data
        if len(post.edit_history_tweet_ids) - 1 > known.get(post.id, 0)
    ]
    return Looked(list(dict.fromkeys(gone)), newer)


def _is_gone(problem: _Problem) -> bool:
    kind = problem.type.rsplit("/", 1)[-1]
    return kind in _GONE
