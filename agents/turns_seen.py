"""The states of conversations, followed as the responses worker writes them: whose turn is answered already?"""

from __future__ import annotations

from kafka import KafkaConsumer
from kafka.errors import KafkaError

from agents import clients
from pipeline.answered import asked_in
from pipeline.brands import OTHER
from pipeline.errors import BadMessage, BrokerError
from pipeline.kept import TOLD, Key, decode, encode_id, head
from pipeline.replies import Reply, named_in
from pipeline.turns import Conversation


class TurnsSeen:
    """The newest state of every conversation, encoded as it lies in the topic.

    Args:
        consumer: without a group, and this one's alone.
        topic: the name of `conversations`.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic
        self._states: dict[bytes, tuple[int, bytes]] = {}

    def start(self) -> None:
        """Read all that stands in the topic.

        Raises:
            TopicsError, BrokerError: it cannot be read.
        """
        for record in clients.stored(self._consumer, self._topic):
            self._take(record.key, record.partition, record.value)

    def catch_up(self) -> None:
        """Take what came since; does not wait.

        Raises:
            BrokerError: it cannot be read.
        """
        try:
            fetched = self._consumer.poll(timeout_ms=0)
        except KafkaError as error:
            raise BrokerError(f"{self._topic} cannot be read ({error!r}): check the right to read it") from error
        for records in fetched.values():
            for record in records:
                self._take(record.key, record.partition, record.value)

    def whose(self, reply: Reply) -> Key:
        """The conversation of the brand in which the answered post is, whatever the answer says of whose it is.

        A helpdesk may be mistaken in customer or conversation, and X would take a second answer all the same. Where
        both are right no more than that state is read, else all are looked through: half a second for a million. Where
        only another brand was asked it is that one's: the customer must not hear twice because a helpdesk was mistaken
        in the brand. Where none has the post, it is what the answer says.
        """
        named, post = named_in(reply), reply.parent
        if post is None or self._has(named.encoded(), post):
            return named
        name = encode_id(post)  # with its length before it, or the digits of an id could be anywhere
        some = (key for key, (_, value) in self._states.items() if name in value and key != TOLD)
        found = [Key.of(key) for key in some if self._has(key, post)]
        return next((key for key in found if key.brand in (reply.brand, OTHER.name)), next(iter(found), named))

    def conversation(self, key: Key) -> Conversation | None:
        """The state of a conversation; None: it is not known (any more)."""
        found = self._state(key)
        return None if found is None else decode(found[1])

    def partition(self, key: Key) -> int | None:
        """Where the customer's records are, as far as the conversation is known."""
        found = self._state(key)
        return None if found is None else found[0]

    def revision(self, key: Key) -> int:
        """Of the conversation as it was told last; 0: none is known."""
        found = self._state(key)
        return 0 if found is None else head(found[1]).version

    def _has(self, key: bytes, post: str) -> bool:
        found = self._states.get(key)
        return found is not None and asked_in(decode(found[1]), post) is not None

    def _state(self, key: Key) -> tuple[int, bytes] | None:
        try:
            return self._states.get(key.encoded())
        except BadMessage:  # an answer that cannot be read may name anything
            return None

    def _take(self, key: bytes, partition: int, value: bytes | None) -> None:
        if value is not None:
            self._states[key] = partition, value
        elif key in self._states and self._states[key][0] == partition:  # else the state was moved away from there
            del self._states[key]
