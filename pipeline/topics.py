"""The table of topics: what each is for, how it is keyed, how long it is kept. Everything else is made from it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

DAY_MS = 24 * 3600 * 1000
HOUR_MS = 3600 * 1000
TWEETS = "tweets"
DEAD = "tweets.dead"
OWN = "posts.own"
QUEUE_TOPICS = ("queue.reactive", "queue.proactive", "queue.engagement", "queue.review", OWN)
"""In the order of pipeline.posts.Queue."""
API_HEADER = "triage_api"
"""On a record of `tweets`: how it got there (stream, search, backfill, replay); without it: stream."""
ATTEMPT_HEADER = "triage_attempt"
"""On a record of `tweets`: the how-manieth time it goes through, from 1; more after `triage dead replay`."""


class Topic(msgspec.Struct, frozen=True):
    """One topic as declared; `partitions` None means: as many as `tweets` has."""

    name: str
    key: str
    purpose: str
    days: int = 7
    partitions: int | None = None
    compact: bool = False
    expires: bool = True

    def config(self) -> dict[str, str]:
        """The topic's settings on the broker, as Kafka names them."""
        policy = ("compact,delete" if self.expires else "compact") if self.compact else "delete"
        config = {"cleanup.policy": policy, "max.message.bytes": str(2 * 1024 * 1024)}
        if self.expires:
            config["retention.ms"] = str(self.days * DAY_MS)
        if self.compact:  # so long what two writers wrote that did not know of each other can be united
            config["min.compaction.lag.ms"] = str(HOUR_MS)
        return config


TOPICS: tuple[Topic, ...] = (
    Topic(TWEETS, "customer", "posts as X sent them"),
    Topic("queue.reactive", "customer", "one customer's issue: a personal answer"),
    Topic("queue.proactive", "customer", "a broad issue: one message to many"),
    Topic("queue.engagement", "customer", "general posts"),
    Topic("queue.review", "customer", "what the model is unsure of"),
    Topic(OWN, "customer replied to, else post", "the brand's own posts"),
    Topic(DEAD, "as it came", "what could not be read, with the reason"),
    Topic("messages", "customer", "private messages; access of its own"),
    Topic("retractions", "customer", "posts that are gone", days=30),
    Topic("desk", "any", "a helpdesk's words: resolve, handoff, assign, note, move"),
    Topic("desk.keyed", "customer", "desk, keyed by us"),
    Topic("responses", "customer", "turns opened, answered, moved, resolved, breached, retracted", days=90),
    Topic(
        "conversations", "customer/brand/conversation", "the state of open conversations", compact=True, expires=False
    ),
    Topic(
        "waiting",
        "partition, or brand/queue",
        "how many wait, by partition; backlogs",
        partitions=1,
        compact=True,
        expires=False,
    ),
    Topic("replies", "any", "answers to be posted"),
    Topic("replies.dead", "any", "answers that could not be posted"),
    Topic("replies.log", "reply id", "intent and result of each answer", days=30, compact=True),
    Topic("listener.state", "name", "checkpoints and gaps", compact=True, expires=False),
    Topic("listener.lease", "-", "who is assigned its one partition, listens", partitions=1),
)

MESSAGES = "messages"
RETRACTIONS = "retractions"
DESK = "desk"
KEYED = "desk.keyed"
RESPONSES = "responses"
CONVERSATIONS = "conversations"
REPLIES = "replies"
REPLIES_DEAD = "replies.dead"
REPLIES_LOG = "replies.log"
LISTENER_STATE = "listener.state"
LISTENER_LEASE = "listener.lease"
WAITING = "waiting"
HEARD_TOPICS = (*QUEUE_TOPICS, MESSAGES, RETRACTIONS, DESK, KEYED)
"""What the responses worker reads; partition p of all of them belongs to one worker."""
RESPONSES_TOPICS = (*HEARD_TOPICS, RESPONSES, CONVERSATIONS, WAITING, DEAD)
"""What it reads and writes."""
POSTER_TOPICS = (REPLIES, REPLIES_DEAD, REPLIES_LOG, CONVERSATIONS, RESPONSES)
"""What the poster reads and writes."""
TRIAGE_TOPICS = (TWEETS, *QUEUE_TOPICS, DEAD)
"""What the triage worker reads and writes, and so checks before its first record."""


def differences(
    declared: Topic, name: str, partitions: int, actual_partitions: int, actual: Mapping[str, str]
) -> list[str]:
    """What of a topic on the broker is not as declared, a sentence each; what is not known of it is passed over."""
    problems = []
    if actual_partitions != partitions:
        cure = _cure(declared, partitions, actual_partitions)
        problems.append(f"{name} has {actual_partitions} partitions, it should have {partitions}: {cure}")
    for key, wanted in declared.config().items():
        found = actual.get(key)
        if found is not None and set(found.split(",")) != set(wanted.split(",")):
            problems.append(f"{name} has {key}={found}, it should be {wanted}")
    return problems


def _cure(declared: Topic, partitions: int, actual: int) -> str:
    """Kafka takes no partition away again."""
    if actual < partitions:
        return "see `triage topics grow`"
    if declared.partitions is None:
        return f"set topics.partitions to {actual}"
    return "delete it, then `triage topics create`"
