"""Step 3: post and verdict -> the records that helpdesks read: queue, priority, deadline, clean text; encoded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

import msgspec

from pipeline import cloud_events
from pipeline.brands import OTHER, Brands
from pipeline.classify import Model, foreign, queue_for
from pipeline.clean import clean
from pipeline.post_times import believed, first_made
from pipeline.posts import Attachment, Author, Link, Mention, Opinion, Post, Priority, Queue, Stage, Verdict
from pipeline.routed import (
    SCHEMA_VERSION,
    Classification,
    RoutedAuthor,
    RoutedPost,
    Scores,
    Source,
    event_id,
)
from pipeline.settings import Brand, Settings
from pipeline.topics import QUEUE_TOPICS
from pipeline.traces import TRACE_HEADER, onward

_QUEUES = tuple(Queue)
_TOPIC_OF = dict(zip(_QUEUES, QUEUE_TOPICS, strict=True))
_LETTERS_AND_DIGITS = bytes(code if code > 127 or chr(code).isalnum() else 32 for code in range(256))
MOST = 50
"""At most so many mentions, hashtags and links are passed on; X allows fewer."""
_encode = msgspec.json.Encoder().encode


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a post stood in Kafka: `timestamp` is Kafka's, in ms; `api` says how it got there, `trace` with which."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    api: str = "stream"
    attempt: int = 1
    trace: bytes | None = None


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """One record to be produced: to its queue's topic, in the partition that it came in."""

    queue: Queue
    brand: str
    stage: Stage
    partition: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Router:
    """Makes routed records; settings are read once, so that a post costs little."""

    def __init__(self, settings: Settings, model: Model, second: Model | None = None) -> None:
        self.brands = Brands(settings.brands)
        self._thresholds = settings.thresholds_by_stage()
        self._languages = frozenset(settings.model_languages)
        self._targets = settings.targets
        self._calendars = {
            (brand.name, queue): hours.calendar()
            for brand in (*settings.brands, OTHER)
            for queue in Queue
            if (hours := settings.hours_of(brand, queue)) is not None
        }
        self._urgent_words = frozenset(word.lower().encode() for word in settings.urgent_words)
        self._urgent_followers = settings.urgent_followers
        self._models = {Opinion.FIRST: model, Opinion.SECOND: second or model}
        self._onward = onward("triage", exporting=settings.traces.exported)

    def route(self, post: Post, verdict: Verdict, place: Place, now: int) -> list[Outgoing]:
        """The records of one post, one for each brand that it concerns; `now` in ms is stated as routed_at."""
        own = self.brands.own(post)
        if own is not None:
            return [self._outgoing(post, verdict, place, now, own, Queue.OWN, addressed=False)]
        brands, addressed = self.brands.concerned(post)
        queue = Queue.REVIEW if foreign(post.lang, self._languages) else queue_for(verdict, self._thresholds)
        if len(brands) == 1:
            return [self._outgoing(post, verdict, place, now, brands[0], queue, addressed=addressed)]
        return [
            self._outgoing(post, verdict, place, now, brand, queue, addressed=self.brands.addressed(post, brand))
            for brand in brands
        ]

    def _outgoing(
        self, post: Post, verdict: Verdict, place: Place, now: int, brand: Brand, queue: Queue, *, addressed: bool
    ) -> Outgoing:
        routed = self._record(post, verdict, place, now, brand, queue, addressed)
        headers = cloud_events.headers(cloud_events.ROUTED, brand.name, routed.event_id, post.id, routed.routed_at)
        if place.trace is not None:
            headers.append((TRACE_HEADER, self._onward(place.trace)))
        key = customer(post, own=queue is Queue.OWN).encode()
        return Outgoing(queue, brand.name, verdict.stage, place.partition, key, _encode(routed), headers)

    def _record(
        self, post: Post, verdict: Verdict, place: Place, now: int, brand: Brand, queue: Queue, addressed: bool
    ) -> RoutedPost:
        text = clean(post.text)
        author = _clean_author(post.author)
        stage = verdict.stage
        return RoutedPost(
            SCHEMA_VERSION,
            event_id(post.first_id, brand.name, "routed", post.revision),
            "routed",
            "x:" + post.first_id,
            post.revision,
            "x",
            brand.name,
            queue,
            self._priority(post, stage, addressed),
            self._deadline(_since(post, place), brand, queue),
            addressed,
            post.conversation_id,
            post.parent_id,
            post.parent_author_id,
            author,
            subject(author.handle or author.external_id, text),
            text,
            post.lang,
            _clean_mentions(post.mentions),
            tuple(map(clean, post.hashtags[:MOST])) if post.hashtags else (),
            _safe_links(post.links) if post.links else (),
            _clean_attachments(post.attachments) if post.attachments else (),
            _url(post.id),
            utc(post.created_at),
            _utc_again(place.timestamp),
            _utc_again(now),
            self._classification(verdict, queue),
            (brand.name, queue, stage),
            Source(place.topic, place.partition, place.offset, place.api),
            place.attempt,
            place.api == "replay" or place.attempt > 1,
        )

    def _classification(self, verdict: Verdict, queue: Queue) -> Classification:
        return Classification(
            verdict.stage,
            verdict.confidence,
            Scores(*verdict.scores),
            queue is Queue.REVIEW,
            verdict.decided_by,
            self._models[verdict.decided_by],
        )

    def _priority(self, post: Post, stage: Stage, addressed: bool) -> Priority:
        words = post.text.lower().encode().translate(_LETTERS_AND_DIGITS).split()
        if not self._urgent_words.isdisjoint(words) or (post.author.followers or 0) > self._urgent_followers:
            return Priority.URGENT
        return usual_priority(stage, addressed=addressed)

    def _deadline(self, since: int, brand: Brand, queue: Queue) -> str | None:
        target = brand.targets[queue] if queue in brand.targets else self._targets.get(queue)
        if target is None:
            return None
        calendar = self._calendars.get((brand.name, queue)) if self._calendars else None
        at = since + target * 1000 if calendar is None else calendar.after(since, target * 1000)
        return None if at is None else utc(at)


def route_all(
    router: Router, posts: Sequence[Post], verdicts: Sequence[Verdict], places: Sequence[Place], now: int
) -> list[Outgoing]:
    """The records of a whole batch, in its order."""
    return [
        outgoing
        for post, verdict, place in zip(posts, verdicts, places, strict=True)
        for outgoing in router.route(post, verdict, place, now)
    ]


def usual_priority(stage: Stage, *, addressed: bool) -> Priority:
    """The priority of a post without any harm in it; `addressed`: it mentions the brand."""
    if stage is Stage.REACTIVE:
        return Priority.HIGH if addressed else Priority.NORMAL
    return Priority.LOW if stage is Stage.ENGAGEMENT else Priority.NORMAL


def customer(post: Post, *, own: bool) -> str:
    """The key of a post's records: its author; of a brand's own post the one replied to, else the post itself."""
    return (post.parent_author_id if own else post.author.id) or post.id


def topic_of(queue: Queue) -> str:
    """The declared topic of a queue."""
    return _TOPIC_OF[queue]


def _since(post: Post, place: Place) -> int:
    """Since when the customer waits, in ms: an edit keeps the clock of what it replaces."""
    return believed(first_made(post.created_at, post.first_id, post.revision), place.timestamp)


def subject(handle: str, text: str) -> str:
    """One line of at most 150 characters: who wrote, and the beginning of what."""
    line = f"@{handle}: {text}"
    if len(line) <= 150 and line.isprintable():
        return line
    line = " ".join(line[:400].split())
    return line if len(line) <= 150 else line[:149].rstrip() + "…"


def utc(milliseconds: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return _to_the_second(milliseconds // 1000) + _MILLISECONDS[milliseconds % 1000]


@lru_cache(maxsize=65_536)
def _to_the_second(seconds: int) -> str:
    within = max(_FIRST_SECOND, min(seconds, _LAST_SECOND))  # a clock far off must not fail its batch
    return (_EPOCH + timedelta(seconds=within)).isoformat()[:19]


_MILLISECONDS = tuple(f".{rest:03d}Z" for rest in range(1000))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""The years 0001 to 9999, which are all that RFC 3339 can write."""
_utc_again = lru_cache(maxsize=4096)(utc)
"""For times that many records of a batch share."""


def _clean_author(author: Author) -> RoutedAuthor:
    name, handle = author.name, author.handle
    if name is not None and not (name.isascii() and name.isprintable()):
        name = clean(name).replace("\n", " ")
    if handle is not None:
        handle = clean(handle)
    return RoutedAuthor(author.id, handle, name, author.followers, author.verified, author.avatar_url)


def _clean_mentions(mentions: tuple[Mention, ...]) -> tuple[Mention, ...]:
    for mention in mentions:
        if clean(mention.username) != mention.username:
            return tuple(Mention(clean(one.username), one.id) for one in mentions[:MOST])
    return mentions[:MOST]


def _clean_attachments(attachments: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
    return tuple(Attachment(one.type, one.url, one.alt_text and clean(one.alt_text)) for one in attachments[:10])


def _safe_links(links: tuple[Link, ...]) -> tuple[Link, ...]:
    """Links that a helpdesk's page may show as they are: javascript: and the like are left out."""
    web = ("https://", "http://")
    return tuple(
        link if not link.expanded_url or link.expanded_url.startswith(web) else Link(link.url)
        for link in links[:MOST]
        if link.url.startswith(web)
    )


def _url(post_id: str) -> str:
    """Where the post stands on X; ids are digits there, and whatever else comes cannot leave its place in the path."""
    return "https://x.com/i/web/status/" + (post_id if post_id.isalnum() else quote(post_id, safe=""))
