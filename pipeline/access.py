"""Who may do what with which topic, by program: from this and the table of topics access lists are made."""

from __future__ import annotations

import msgspec

from pipeline.settings import Settings
from pipeline.topics import (
    CONVERSATIONS,
    DEAD,
    DESK,
    HEARD_TOPICS,
    KEYED,
    LISTENER_LEASE,
    LISTENER_STATE,
    MESSAGES,
    QUEUE_TOPICS,
    REPLIES,
    REPLIES_DEAD,
    REPLIES_LOG,
    RESPONSES,
    RETRACTIONS,
    TOPICS,
    TWEETS,
    WAITING,
)


class Group(msgspec.Struct, frozen=True):
    """A consumer group: the section of the settings that names it, its default, whether the topics' prefix leads."""

    section: str
    default: str
    prefixed: bool = False


class Access(msgspec.Struct, frozen=True):
    """What one program, or one kind of person, needs; reading and writing let see that a topic is there, too."""

    name: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    any_group: str | None = None
    """May use every group whose name begins so."""
    sees: tuple[str, ...] = ()
    """May only see that they are there, and how far they go."""
    creates: bool = False


_DEFAULTS = Settings()
TRIAGE_GROUP = Group("worker", _DEFAULTS.worker.group)
RESPONSES_GROUP = Group("responses", _DEFAULTS.responses.group)
LISTENER_GROUP = Group("listener", _DEFAULTS.listener.group, prefixed=True)
POSTER_GROUP = Group("poster", _DEFAULTS.poster.group)

ACCESS: tuple[Access, ...] = (
    Access("triage", (TWEETS,), (*QUEUE_TOPICS, DEAD), (TRIAGE_GROUP,)),
    Access(
        "responses",
        (*HEARD_TOPICS, RESPONSES, CONVERSATIONS, WAITING),
        (*QUEUE_TOPICS, KEYED, RESPONSES, CONVERSATIONS, WAITING, DEAD),
        (RESPONSES_GROUP,),
    ),
    Access(
        "listener",
        (TWEETS, CONVERSATIONS, LISTENER_STATE, LISTENER_LEASE),  # of tweets what came before: each post once
        (TWEETS, MESSAGES, RETRACTIONS, LISTENER_STATE),
        (LISTENER_GROUP,),
    ),
    Access("poster", (REPLIES, REPLIES_LOG, CONVERSATIONS), (REPLIES_DEAD, REPLIES_LOG, RESPONSES), (POSTER_GROUP,)),
    Access("helpdesk", (*QUEUE_TOPICS, RESPONSES), (DESK, REPLIES), any_group="helpdesk"),
    Access("operator", tuple(topic.name for topic in TOPICS), (TWEETS, *HEARD_TOPICS, REPLIES), creates=True),
    Access("scaler", groups=(TRIAGE_GROUP, RESPONSES_GROUP), sees=(TWEETS, *HEARD_TOPICS)),
)
"""The programs; who reads the queues; who makes topics and replays; what looks how far behind the workers are."""
