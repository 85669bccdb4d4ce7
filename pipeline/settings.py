"""Settings: built once at the start from a YAML file and TRIAGE_ variables, then passed in; unknown keys fail."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfoNotFoundError

import yaml
from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as PydanticSettingsError

from pipeline.calendars import Calendar, read_holidays, read_week
from pipeline.costs import threshold
from pipeline.errors import SettingsError
from pipeline.posts import Queue, Stage
from pipeline.settings_kafka import Kafka
from pipeline.settings_listener import Listen, Listener
from pipeline.settings_part import Cost, Handle, Language, Part, Pattern, Share, Slug, Word
from pipeline.settings_poster import Poster
from pipeline.settings_sources import Environment, merged, read_file, readable, refuse_unknown_variables
from pipeline.settings_traces import Traces
from pipeline.settings_x import X, XAccount

Targets = dict[Queue, Annotated[int, Field(gt=0)] | None]

_HARM = """
fire smoke burning burned burnt explosion exploded injured injury hospital ambulance bleeding unconscious
poisoned poisoning allergic unsafe danger dangerous hazard electrocuted fraud fraudulent scammed stolen theft
hacked lawyer attorney lawsuit sue suing court police regulator ombudsman discrimination harassment assault
assaulted threatened suicide
"""
URGENT_WORDS = tuple(_HARM.split())
"""Safety, fraud, law, violence: the default of `urgent_words`."""

TARGETS: Targets = {Queue.REACTIVE: 1800, Queue.REVIEW: 1800, Queue.PROACTIVE: 7200, Queue.ENGAGEMENT: None}


class Hours(Part):
    """Business hours: opening times on the wall clock of a zone, by weekday (mon ... sun)."""

    zone: str = "UTC"
    """An IANA name, such as Europe/Madrid."""
    week: dict[str, tuple[str, ...]]
    """{"mon": ["09:00-12:30", "13:30-18:00"]}; a span that ends before it begins goes on past midnight."""
    holidays: tuple[Annotated[str, StringConstraints(pattern=r"^(\d{4}-)?\d\d-\d\d$")], ...] = ()
    """Dates (2026-12-25), or days of every year (12-25)."""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        try:
            calendar = self.calendar()
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(str(error).strip("'")) from error
        if calendar.after(0, 1) is None:
            raise ValueError("the hours are never open: name at least one span, such as mon: [09:00-17:00]")
        return self

    def calendar(self) -> Calendar:
        """The calendar of these hours."""
        return Calendar(self.zone, read_week(self.week), read_holidays(self.holidays))


class Brand(Part):
    """A brand that we listen for: its accounts on X and the words that name it."""

    name: Slug
    """What it is called in topics, metrics and reports."""
    handles: tuple[Handle, ...] = ()
    """Its accounts; what they write is the brand's own post and stops clocks."""
    ids: tuple[Word, ...] = ()
    """The accounts' user ids, where known: a reply may name only the id."""
    aliases: tuple[Word, ...] = ()
    """Words that name the brand where no rule and no handle does."""
    targets: Targets = {}
    """Seconds to the first answer by queue, where other than the general ones; null: no answer is due."""
    hours: Slug | dict[Queue, Slug] | None = None
    """Which of `hours` are its business hours, for all queues or by queue; null: the general ones."""
    bots: tuple[Handle, ...] = ()
    """Those of its accounts that are machines: what they write stops no clock."""
    to_dm: tuple[Pattern, ...] = ()
    """Regular expressions, beside our own, for an answer that invites to private messages."""
    to_email: tuple[Pattern, ...] = ()
    """The same for e-mail."""
    x: XAccount = XAccount()
    """As whom the brand answers on X."""
    listen: Listen = Listen()
    """What is listened for on its behalf."""


class Topics(Part):
    """Names and size of the topics."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    """Stands before each topic's name, so that several installations, with groups of their own, share a cluster."""
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 12
    """Of each topic that `triage topics create` makes; as many workers can share the work."""
    grown: bool = False
    """There were fewer once (`triage topics grow`): what says a partition may say an old one, and is hashed instead."""

    def name(self, topic: str) -> str:
        """A declared topic's name on the broker."""
        return f"{self.prefix}{topic}"


class Worker(Part):
    """How the triage worker takes and gives."""

    group: Slug = "triage"
    """Its consumer group."""
    instance_id: str | None = None
    """Static membership: a worker that was killed gets its partitions back at once."""
    batch_posts: Annotated[int, Field(ge=1, le=20_000)] = 8000
    """At most so many posts are judged at once."""
    linger_ms: Annotated[int, Field(ge=0, le=1000)] = 10
    """So long a batch waits for company when posts come one by one."""
    in_flight: Annotated[int, Field(ge=1, le=16)] = 4
    """So many batches are under way at once; offsets move in order all the same."""
    fetch_bytes: Annotated[int, Field(ge=65_536)] = 16 * 1024 * 1024
    """At most so much is fetched at once."""
    commit_interval_s: Annotated[float, Field(gt=0)] = 0.25
    """A kill repeats at most what was done since the last commit."""
    session_timeout_s: Annotated[float, Field(ge=6)] = 10.0
    """A worker that says nothing for so long loses its partitions."""
    produce_timeout_s: Annotated[float, Field(gt=0)] = 30.0
    """A batch that no broker acknowledges for so long is tried again."""
    stalled_after_s: Annotated[float, Field(gt=0)] = 60.0
    """/healthz fails when offsets stand still that long while there is lag and the broker answers."""
    dead_in_row: Annotated[int, Field(ge=1)] = 1000
    """The worker stops when so many records in a row are broken ..."""
    dead_share: Share = 0.5
    """... or more than this share of the last `dead_window` records."""
    dead_window: Annotated[int, Field(ge=100)] = 10_000
    """Records, the last ones."""


class Metrics(Part):
    """Where /metrics, /healthz and /readyz are served."""

    host: str = "127.0.0.1"
    """On which address; 0.0.0.0: on all of them."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 9464
    """0: any free port."""


class Costs(Part):
    """What a mistake costs, beside what a look by a person costs; the thresholds follow from it."""

    missed_reactive: Cost = 2.5
    """A customer with an issue waits in the wrong queue."""
    missed_proactive: Cost = 2.2
    """A broad issue is not seen as one."""
    missed_engagement: Cost = 1.5
    """A general post is answered, or told to many, for nothing."""
    review: Cost = 1.0
    """A person looks at the post and moves it."""

    def thresholds(self) -> dict[Stage, float]:
        """The confidence from which acting costs less than review, by stage."""
        cost_of = {stage: getattr(self, f"missed_{stage.value}") for stage in Stage}
        return {stage: threshold(stage, cost_of, self.review) for stage in Stage}


class Thresholds(Part):
    """Under this confidence a verdict for the stage goes to review; null: what the costs say."""

    reactive: Share | None = None
    """Of verdicts for reactive."""
    proactive: Share | None = None
    """Of verdicts for proactive."""
    engagement: Share | None = None
    """Of verdicts for engagement."""


class SecondOpinion(Part):
    """The slower and better model, which is asked where the first is unsure; needs the extra second-opinion."""

    enabled: bool = False
    """Ask it."""
    model: Path | None = None
    """Its artifact; null: the one that is shipped."""
    under: Share = 0.9
    """Asked where the first model is less sure than this."""
    posts_per_s: Annotated[float, Field(gt=0)] = 100.0
    """So many posts a second at most ..."""
    batch_ms: Annotated[float, Field(gt=0)] = 15.0
    """... and no longer than this a batch: over it, the first opinion stands, and is counted."""


class Responses(Part):
    """How waits are kept and judged."""

    group: Slug = "responses"
    """Its consumer group."""
    queues: tuple[Queue, ...] | None = None
    """The queues that want an answer; null: those with a target."""
    near: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """A turn is near its breach from this share of its target on."""
    resolved_after_s: Annotated[int, Field(gt=0)] = 24 * 3600
    """A conversation is resolved when the customer says nothing more for so long after an answer."""
    forgotten_after_s: Annotated[int, Field(gt=0)] = 7 * 24 * 3600
    """A conversation in which nothing happens for so long is over ..."""
    forgotten_open_after_s: Annotated[int, Field(gt=0)] = 30 * 24 * 3600
    """... or for so long, while somebody waits for an answer."""
    backlog: Annotated[int, Field(ge=1)] = 3
    """More than so many waiting in a queue of a brand are a backlog."""
    standby: bool = False
    """Read along the state of the other workers' partitions too, so that they can be taken over at once."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.resolved_after_s < self.forgotten_after_s <= self.forgotten_open_after_s:
            raise ValueError("resolved_after_s < forgotten_after_s <= forgotten_open_after_s must hold")
        return self


class Settings(Part):
    """All settings, checked together."""

    brands: tuple[Brand, ...] = ()
    """Those that we listen for; posts that name none of them are of the brand `other`."""
    kafka: Kafka = Kafka()
    topics: Topics = Topics()
    worker: Worker = Worker()
    metrics: Metrics = Metrics()
    traces: Traces = Traces()
    costs: Costs = Costs()
    thresholds: Thresholds = Thresholds()
    targets: Targets = TARGETS
    """Seconds to the first answer by queue; null: no answer is due. Queues that are not named keep their default."""
    hours: dict[Slug, Hours] = {}
    """Business hours by name, for brands to refer to."""
    general_hours: Slug | None = None
    """Which of `hours` hold for brands that name none; null: always open."""
    responses: Responses = Responses()
    urgent_words: tuple[str, ...] = URGENT_WORDS
    """Single words of harm that make a post urgent."""
    urgent_followers: Annotated[int, Field(ge=0)] = 100_000
    """An author whom so many follow makes a post urgent."""
    model: Path | None = None
    """The model's artifact; null: the one that is shipped. A name that ends in .skops: any scikit-learn Pipeline."""
    model_languages: tuple[Language, ...] = ("en",)
    """Posts that X takes for another language go to review, for the model knows too little of it; empty: none do."""
    second_opinion: SecondOpinion = SecondOpinion()
    challenger: Path | None = None
    """Another artifact that scores every batch beside the model and decides nothing: see triage_shadow_total."""
    x: X = X()
    listener: Listener = Listener()
    poster: Poster = Poster()

    def thresholds_by_stage(self) -> dict[Stage, float]:
        """The thresholds that hold: those of the settings, else what the costs say."""
        said = {stage: getattr(self.thresholds, stage.value) for stage in Stage}
        return self.costs.thresholds() | {stage: share for stage, share in said.items() if share is not None}

    @field_validator("targets")
    @classmethod
    def _keep_defaults(cls, targets: Targets) -> Targets:
        return {**TARGETS, **targets}

    def hours_of(self, brand: Brand, queue: Queue) -> Hours | None:
        """The business hours of a brand's queue; None: always open."""
        named = brand.hours.get(queue) if isinstance(brand.hours, dict) else brand.hours
        name = named or self.general_hours
        return None if name is None else self.hours[name]

    @model_validator(mode="after")
    def _hours_known(self) -> Self:
        named = [brand.hours.values() if isinstance(brand.hours, dict) else [brand.hours] for brand in self.brands]
        for name in [self.general_hours, *(name for some in named for name in some)]:
            if name is not None and name not in self.hours:
                raise ValueError(
                    f"hours: {name!r} is referred to and not given; known: {', '.join(self.hours) or 'none'}"
                )
        return self

    @model_validator(mode="after")
    def _brands_differ(self) -> Self:
        names = [brand.name for brand in self.brands]
        handles = [handle.lower() for brand in self.brands for handle in brand.handles]
        aliases = [alias for brand in self.brands for alias in {alias.lower() for alias in brand.aliases}]
        ids = [account for brand in self.brands for account in brand.ids]
        for what, values in (("name", names), ("handle", handles), ("alias", aliases), ("id", ids)):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"brands: the {what} {twice[0]!r} is given twice")
        return self


class _Variables(Settings, BaseSettings):
    """The same settings as pydantic-settings reads them from TRIAGE_KAFKA__SASL_USERNAME and the like."""

    model_config = SettingsConfigDict(env_prefix="TRIAGE_", env_nested_delimiter="__", frozen=True)


def load(path: Path | None, **overrides: Any) -> Settings:
    """The settings from a YAML file (else $TRIAGE_SETTINGS, else none), TRIAGE_ variables and overrides, last wins.

    Raises:
        SettingsError: a key is unknown or a value is wrong; the message names each.
    """
    path = path or (Path(named) if (named := os.environ.get("TRIAGE_SETTINGS")) else None)
    if path is not None and not path.is_file():
        raise SettingsError(f"no settings file at {path}: check --settings and TRIAGE_SETTINGS")
    refuse_unknown_variables(set(Settings.model_fields))
    file = read_file(path) if path is not None else {}
    try:
        return Settings.model_validate(merged(merged(file, Environment(_Variables)()), overrides))
    except ValidationError as error:
        raise SettingsError(readable(error)) from error
    except PydanticSettingsError as error:
        raise SettingsError(
            f"a TRIAGE_ variable cannot be read: {error}; what is more than one value is written as JSON, as in "
            """TRIAGE_BRANDS='[{"name": "acme", "handles": ["Acme"]}]', or stands in the settings file"""
        ) from error


def redacted(settings: Settings) -> str:
    """The effective settings as YAML; secrets show as stars."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
