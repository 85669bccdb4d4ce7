"""Settings of the listener: what it listens for, how much it may hold, when it looks for what it missed."""

from __future__ import annotations

from pathlib import Path
from tempfile import gettempdir
from typing import Annotated

from pydantic import Field

from pipeline.settings_part import Cost, Language, Part, Slug, Word

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Listen(Part):
    """What is listened for on behalf of a brand, beside its handles (care handles among them) and its aliases."""

    keywords: tuple[Word, ...] = ()
    """Words, phrases and hashtags of the industry, which name no brand."""
    languages: tuple[Language, ...] = ()
    """Of posts found by aliases and keywords; none: all. Who names a handle is heard in every language."""
    exclude: tuple[Word, ...] = ()
    """Words and phrases that make a post found by aliases or keywords unwanted."""
    retweets: bool = False
    """Hear retweets too."""
    own_posts: bool = True
    """Hear what the brand's own accounts write: it stops clocks."""


class Prices(Part):
    """What reading one post, or one private message, costs, in dollars, by how it is read."""

    stream: Cost = 0.005
    """A post by the filtered stream."""
    search: Cost = 0.005
    """By recent search."""
    mentions: Cost = 0.001
    """By the mentions timeline."""
    timeline: Cost = 0.001
    """By the brand's own timeline."""
    posts: Cost = 0.005
    """Looked up by its id."""
    dm: Cost = 0.010
    """A private message."""


class Spill(Part):
    """Where posts wait on disk while Kafka is away; for a time only: checkpoints live in Kafka."""

    folder: Path = Path(gettempdir()) / "tweet-triage-spill"
    """Where to: a folder of each cluster, `topics.prefix` and `listener.group` in it."""
    bytes: Annotated[int, Field(ge=0)] = 1024**3
    """So much at most; what comes then is counted, and looked for again when there is room. 0: nothing is spilled."""
    kept_s: Seconds = 24 * 3600
    """What an ended listener left there is taken up again unless it is older."""


class Listener(Part):
    """What comes in from X."""

    group: Slug = "listener"
    """Who of this consumer group is assigned the one partition of `listener.lease`, listens."""
    session_timeout_s: Annotated[float, Field(ge=6)] = 6.0
    """A listener that says nothing for so long is replaced by the next one."""
    in_flight_bytes: Annotated[int, Field(ge=65_536)] = 32 * 1024 * 1024
    """Posts handed to the producer and not acknowledged; kafka-python itself has no limit."""
    hand_over_bytes: Annotated[int, Field(ge=65_536)] = 8 * 1024 * 1024
    """Posts read and not yet taken by the sending thread; beyond it the reading waits."""
    slow_for_s: Annotated[float, Field(ge=0)] = 1.0
    """With the budget used up the listener slows down for so long, then it spills to disk."""
    linger_ms: Annotated[int, Field(ge=0, le=1000)] = 2
    """So long a post waits for company on its way to Kafka."""
    spill: Spill = Spill()
    stall_after_s: Seconds = 21.0
    """No byte for so long: the connection is dead, though nobody said so. X sends one every 20 s."""
    quiet_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Fewer posts than this share of the usual: the stream is broken, though it lives."""
    quiet_posts: Annotated[float, Field(ge=5)] = 30.0
    """It is judged over a time in which so many posts are usual, a minute at least."""
    late_s: Seconds = 30.0
    """So long after its creation a post may still come by the stream: a gap begins so much before the end."""
    second_sweep_s: Annotated[float, Field(ge=60)] = 60.0
    """What was missed is looked for at once, and again so long after: search does not know the last half minute."""
    checkpoint_s: Seconds = 5.0
    """How often it is noted in Kafka how far was read."""
    remembered_posts: Annotated[int, Field(ge=1000)] = 300_000
    """So many posts are known again when they come twice."""
    connects_per_15_min: Annotated[int, Field(ge=1)] = 45
    """X takes 50."""
    dm_every_s: Annotated[float, Field(ge=60)] = 65.0
    """Private messages: X takes 15 looks in 15 minutes."""
    timeline_every_s: Seconds = 60.0
    """How often the brand's own posts are asked for, beside the stream."""
    first_look_back_s: Annotated[float, Field(ge=0)] = 24 * 3600.0
    """A first start reads private messages and the brand's own posts so far back."""
    check_every_s: Seconds = 3600.0
    """Posts of open conversations are looked up so often: are they gone, were they edited?"""
    check_all: bool = False
    """Also those of conversations in which nobody waits, until they are forgotten."""
    prices: Prices = Prices()
