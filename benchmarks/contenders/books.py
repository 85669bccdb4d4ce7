"""The pure bookkeeping of response times, for peers that take one event at a time and keep the state their way."""

from __future__ import annotations

from time import time
from typing import NamedTuple

from pipeline import cloud_events
from pipeline.changes import advance
from pipeline.heard import Heard, routed
from pipeline.kept import Key, decode
from pipeline.kept import encode as encode_state
from pipeline.policies import Policies
from pipeline.responses import encode, response
from pipeline.settings import Settings
from pipeline.turns import Conversation


class Output(NamedTuple):
    """A record of `responses`."""

    key: bytes
    value: bytes
    headers: cloud_events.Headers


class Taken(NamedTuple):
    """What came of an event: the new state, and what there is to tell."""

    state: bytes
    outputs: list[Output]


class Books:
    """From a routed record and the state before to the state after, and the responses."""

    def __init__(self, settings: Settings) -> None:
        self._policies = Policies(settings)

    def heard(self, value: bytes, offset: int) -> tuple[Key, Heard]:
        """What a record says, and under which key the state of its conversation is kept."""
        heard = routed(value, offset, self._policies)
        assert heard is not None
        return Key(heard.customer, heard.brand, heard.conversation), heard

    def take(self, key: Key, heard: Heard, before: bytes | None) -> Taken:
        """Go on by one event."""
        conversation = Conversation() if before is None else decode(before)
        policy, now = self._policies(key.brand), int(time() * 1000)
        after = advance(conversation, [heard.fact], heard.fact.at, policy)
        outputs = []
        for told in after.told:
            said = response(key, told, conversation.version + 1, now, policy)
            subject = said.conversation_id if said.turn is None else said.turn.post_id
            headers = cloud_events.headers(cloud_events.RESPONSE, key.brand, said.event_id, subject, said.at)
            outputs.append(Output(key.customer.encode(), encode(said), headers))
        after.conversation.version = conversation.version + 1
        return Taken(encode_state(after.conversation), outputs)
