"""Posts looked up by id: gone, edited, or as they were."""

from __future__ import annotations

import json

import pytest

from pipeline.errors import BadMessage
from pipeline.lookups import looked

KNOWN = {"1": 0, "2": 0, "3": 1, "4": 0}


def _problem(identity: str, kind: str) -> dict[str, str]:
    return {"resource_id": identity, "value": identity, "type": f"https://api.twitter.com/2/problems/{kind}"}


def test_what_is_gone_and_what_is_newer() -> None:
    """A post that the answer does not speak of is left alone, and so is one that could only not be read now."""
    body = {
        "data": [
            {"id": "2", "text": "a", "edit_history_tweet_ids": ["2", "22"]},
            {"id": "3", "text": "b", "edit_history_tweet_ids": ["3", "33"]},
        ],
        "errors": [_problem("1", "resource-not-found"), _problem("4", "internal-error")],
    }

    assert (["1"], ["22"]) == looked(json.dumps(body).encode(), KNOWN)


@pytest.mark.parametrize("kind", ["resource-not-found", "resource-unavailable", "not-authorized-for-resource"])
def test_what_is_not_ours_to_keep_any_more(kind: str) -> None:
    """Deleted, withheld, protected; said twice it is still one."""
    body = {"errors": [_problem("1", kind), _problem("1", kind), _problem("99", kind)]}

    assert (["1"], []) == looked(json.dumps(body).encode(), KNOWN)


def test_a_broken_answer_is_an_error() -> None:
    """Nothing is retracted because of it."""
    with pytest.raises(BadMessage, match="cannot be read"):
        looked(b"<html>", KNOWN)
