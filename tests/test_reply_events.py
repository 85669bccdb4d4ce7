"""What came of an answer, as records; and that reports pass over them."""

from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest

from pipeline.contracts import response_schema
from pipeline.errors import BadMessage, Reason
from pipeline.posting import FINAL, Entry, State
from pipeline.replies import Reply, Whose
from pipeline.reply_events import is_dead, outcome, refusal, why
from pipeline.report import Books
from pipeline.told import Ledger

REPLY = Reply("r1", "reply", "acme", "secret", "2026-01-01T00:00:00Z", "x:1", "5", "1", by="kim")
ENTRY = Entry("r1", State.POSTED, "h", "acme", "reply", 1, 2, "5", "1", "1", attempt=2, answer_id="900")
SCHEMA = jsonschema.Draft7Validator(response_schema())


@pytest.mark.parametrize("state", sorted(FINAL))
def test_each_outcome_keeps_the_contract(state: State) -> None:
    """And holds no text; told again it has the same id, opened again another."""
    entry = msgspec.structs.replace(ENTRY, state=state)
    event, again = outcome(REPLY, entry, ("link: costs",)), outcome(REPLY, entry, ())
    other = outcome(REPLY, msgspec.structs.replace(entry, since=9), ())
    value = json.loads(event.value)

    SCHEMA.validate(value)
    assert (f"reply_{state.value}", b"5", "kim") == (value["event_type"], event.key, value["by"])
    assert value["event_id"] == json.loads(again.value)["event_id"] != json.loads(other.value)["event_id"]
    assert b"secret" not in event.value
    assert ("ce_id", value["event_id"].encode()) in event.headers


def test_a_refusal() -> None:
    """Of what was never tried, as far as it could be read; the key is the brand's where no customer is known."""
    event = refusal(Whose("r1", "acme", "shout"), BadMessage(Reason.TOO_LONG, "281"), 5, "replies:0:7")
    value = json.loads(event.value)

    SCHEMA.validate(value)
    reply = value["reply"]
    assert ("reply_failed", b"acme") == (value["event_type"], event.key)
    assert ("too_long", "281", "reply") == (reply["reason"], reply["detail"], reply["kind"])


def test_what_failed_has_a_dead_letter() -> None:
    """With its reason."""
    failed = msgspec.structs.replace(ENTRY, state=State.FAILED, reason="refused", detail="403: no")

    assert (True, False) == (is_dead(failed), is_dead(ENTRY))
    assert (Reason.REFUSED, "403: no") == (why(failed).reason, why(failed).detail)


def test_reports_pass_over_them() -> None:
    """They are no turns and no outcomes of conversations."""
    ledger, books = Ledger(), Books()
    for state in sorted(FINAL):
        ledger.take(outcome(REPLY, msgspec.structs.replace(ENTRY, state=state), ()).value)
    ledger.fill(books)

    assert [] == list(ledger.turns())
    assert Books().report() == books.report()
