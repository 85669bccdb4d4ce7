"""`triage report` without files: how long customers waited, from the topic `responses`."""

from __future__ import annotations

import msgspec

from agents import clients
from pipeline.report import Books, Report
from pipeline.settings import Settings
from pipeline.told import Ledger
from pipeline.topics import RESPONSES
from pipeline.turns import NEVER


def report_topic(settings: Settings, *, since: int = 0, until: int = NEVER) -> Report:
    """The report of the turns that opened from `since` up to `until` (ms), as they stand now.

    Raises:
        TopicsError: there is no topic `responses`.
        BrokerError: the broker does not answer.
    """
    ledger, unreadable = Ledger(), 0
    consumer = clients.consumer(settings.kafka)
    try:
        for record in clients.stored(consumer, settings.topics.name(RESPONSES)):
            try:
                ledger.take(record.value or b"", record.partition, record.timestamp)
            except msgspec.DecodeError:
                unreadable += 1
    finally:
        consumer.close()
    books = Books(since, until)
    ledger.fill(books)
    report = books.report()
    report.unreadable = unreadable
    return report
