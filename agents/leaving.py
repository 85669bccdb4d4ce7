"""A static member leaves its group when it is stopped in order: the others need not wait until its session is over.

What static membership is for stays: a worker that was killed, or broke down, has its partitions again at once.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from threading import Thread

from kafka.admin import MemberToRemove
from kafka.errors import KafkaError

from agents import clients
from pipeline.errors import TriageError
from pipeline.settings import Settings

log = logging.getLogger(__name__)

WITHIN_S = 3.0
"""A broker that is away does not hold the stop up: then the session ends it."""


async def leave(settings: Settings, group: str) -> None:
    """Say that the member of this name is gone; to be called when it commits and polls no more."""
    thread = Thread(target=_leave, args=(settings, group), name="leaving", daemon=True)
    thread.start()
    await asyncio.to_thread(thread.join, WITHIN_S)


def _leave(settings: Settings, group: str) -> None:
    member = MemberToRemove(group_instance_id=settings.worker.instance_id, reason="stopped")
    try:
        with closing(clients.admin(settings.kafka)) as admin:
            admin.remove_group_members(group, [member])
    except (KafkaError, TriageError) as error:
        log.info("the group was not left, the session ends it: %r", error)
