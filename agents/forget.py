"""`triage forget`: a post, or all that a customer wrote, is to be forgotten: a retraction goes to all who read ours."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError

from agents import clients
from agents.hashed import hashed
from agents.named_post import first_id
from agents.states import State, states
from pipeline.errors import BrokerError, TriageError
from pipeline.gone import EVERYTHING
from pipeline.heard import Retraction
from pipeline.route import utc
from pipeline.settings import Settings
from pipeline.topics import RETRACTIONS

_encode = msgspec.json.Encoder().encode


class WhoIsThat(TriageError):
    """Raised when an id is neither a customer's nor a post's that is known."""


class Forgotten(NamedTuple):
    """What was asked for: a retraction, and the partition to which it went."""

    retraction: Retraction
    partition: int

    def __str__(self) -> str:
        """A line for a person."""
        one = self.retraction
        what = f"all that {one.customer} wrote" if one.id == EVERYTHING else f"post {one.id} of {one.customer}"
        return f"{what}: to be forgotten; a retraction stands in `retractions`, partition {self.partition}"


def forget(settings: Settings, identity: str, *, user: bool, customer: str | None, now: int) -> Forgotten:
    """Write the retraction, acknowledged.

    Args:
        settings: names, broker.
        identity: the id of a customer or of a post, by its first edition or a later one.
        user: it is a customer's, whether one is known under it or not.
        customer: it is a post's, of this customer, whether one is known under it or not.
        now: ms.

    Raises:
        WhoIsThat: nothing is known of the id, and neither `user` nor `customer` is given.
        BrokerError: the broker did not take it.
    """
    consumer = clients.consumer(settings.kafka)
    try:
        known, identity = states(consumer, settings), identity.removeprefix("x:")
        if not user and not _is_known(known, identity):
            identity = first_id(consumer, settings, identity)
    finally:
        consumer.close()
    found = _retraction(known, identity, user=user, customer=customer, now=now)
    partition = _partition(known, found.customer, settings.topics.partitions)
    producer: KafkaProducer = clients.producer(settings.kafka)
    try:
        topic = settings.topics.name(RETRACTIONS)
        producer.send(topic, _encode(found), found.customer.encode(), partition=partition).get(timeout=30)
    except KafkaError as error:
        raise BrokerError(f"the retraction was not taken ({error!r}): try again, doubles do no harm") from error
    finally:
        producer.close()
    return Forgotten(found, partition)


def _is_known(known: list[State], identity: str) -> bool:
    return any(state.key.customer == identity or state.fact(identity) is not None for state in known)


def _retraction(known: list[State], identity: str, *, user: bool, customer: str | None, now: int) -> Retraction:
    if customer is not None:
        return Retraction(identity, customer, utc(now))
    if user or any(state.key.customer == identity for state in known):
        return Retraction(EVERYTHING, identity, utc(now))
    for state in known:
        if state.fact(identity) is not None:
            return Retraction(identity, state.key.customer, utc(now))
    raise WhoIsThat(
        f"nothing is known of {identity} (any more): say --user if it is a customer's id, or --customer ID if it is "
        "that of a post of theirs"
    )


def _partition(known: list[State], customer: str, partitions: int) -> int:
    """Where the customer's records are; as Kafka's clients hash keys, where none is known."""
    usual = hashed(customer.encode()) % partitions
    return next((state.partition for state in known if state.key.customer == customer), usual)
