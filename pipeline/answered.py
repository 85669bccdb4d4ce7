"""Whether the turn that an answer is meant for is answered already."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.facts import Fact, Kind
from pipeline.posting import Entry, State
from pipeline.replies import Reply
from pipeline.turns import Conversation, End


def answered(reply: Reply, conversation: Conversation | None, ours: Iterable[Entry]) -> str | None:
    """Why a reply comes too late: who answered its turn, as the state says, or which of ours did, that it may not show.

    Private messages and posts to all answer no turn in particular: None.

    Args:
        reply: the answer.
        conversation: the state of the one in which its post is; None: it is not known (any more).
        ours: what replies.log says of answers to the post, and of others in this conversation.
    """
    if reply.kind != "reply":
        return None
    asked = None if conversation is None else asked_in(conversation, reply.parent)
    if conversation is not None and asked is not None:
        past = [] if conversation.summed is None else conversation.summed.past
        for turn in (*past, *conversation.turns):
            if turn.end is End.ANSWERED and turn.opened <= asked.at <= turn.ended:
                who = turn.who or "the brand"
                return f"its turn is answered already, by {who} in {turn.answer}: force it, or leave it"
    for entry in ours:
        if (
            entry.state is State.POSTED
            and entry.kind == "reply"
            and entry.id != reply.id
            and _same(entry, reply, asked)
        ):
            return f"the answer {entry.id} was posted for it already ({entry.answer_id}): force it, or leave it"
    return None


def asked_in(conversation: Conversation, post: str | None) -> Fact | None:
    """The customer's post of that id in a conversation, also where its turn is summed up."""
    found = conversation.fact(post or "")
    return None if found is None or found.kind is not Kind.ASKED else found


def _same(entry: Entry, reply: Reply, asked: Fact | None) -> bool:
    """Whether one of ours answers the same turn: the same post, or a turn that the post was in by then."""
    return entry.post_id == reply.parent or (asked is not None and entry.at >= asked.at)
