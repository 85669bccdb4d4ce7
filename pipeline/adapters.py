"""Routed records as helpdesks take them: pure functions from a record to the requests that it comes to.

None of them sends anything, and none keeps a state: who runs one asks `find` whether the helpdesk has the post, makes
the requests of `create` or `update`, and keeps the ids that come back. docs/helpdesk.md shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from pipeline.adapter_chatwoot import chatwoot
from pipeline.adapter_parts import Payload
from pipeline.adapter_servicenow import servicenow
from pipeline.adapter_zammad import zammad
from pipeline.adapter_zendesk import zendesk, zendesk_push
from pipeline.heard import decoded
from pipeline.routed import RoutedPost


class Helpdesk(StrEnum):
    """The helpdesks that there is an adapter for; zendesk-push is Zendesk's Channel framework."""

    ZENDESK = "zendesk"
    ZENDESK_PUSH = "zendesk-push"
    ZAMMAD = "zammad"
    CHATWOOT = "chatwoot"
    SERVICENOW = "servicenow"


ADAPTERS: Mapping[Helpdesk, Callable[[RoutedPost], Payload]] = {
    Helpdesk.ZENDESK: zendesk,
    Helpdesk.ZENDESK_PUSH: zendesk_push,
    Helpdesk.ZAMMAD: zammad,
    Helpdesk.CHATWOOT: chatwoot,
    Helpdesk.SERVICENOW: servicenow,
}


class _Kind(msgspec.Struct):
    event_type: str


EVENT_TYPES = frozenset({"routed", "retracted"})
encode = msgspec.json.Encoder().encode
_kind = msgspec.json.Decoder(_Kind).decode
_record = msgspec.json.Decoder(RoutedPost).decode


def adapt(helpdesk: Helpdesk, value: bytes) -> Payload | None:
    """What a record's value comes to in a helpdesk; None of an event of a type that is newer than we are.

    Raises:
        BadMessage: it is no routed record.
    """
    if decoded(_kind, value).event_type not in EVENT_TYPES:
        return None
    return ADAPTERS[helpdesk](decoded(_record, value))
