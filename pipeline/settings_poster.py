"""Settings of the poster: what an answer must and should keep to, when it is given up as unknown."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.settings_part import Cost, Part, Slug, Word

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Tone(Part):
    """How a brand speaks. What is not so is a warning, and hinders nothing."""

    vision: tuple[Word, ...] = ()
    """Two to five words that the brand wants to stand for: an answer should have one of them; empty: no matter."""
    avoid: tuple[Word, ...] = ()
    """Words and phrases that it does not say."""


class Poster(Part):
    """What goes out to X."""

    group: Slug = "poster"
    """Its consumer group."""
    max_length: Annotated[int, Field(ge=1, le=25_000)] = 280
    """The longest post, by X's own counting; accounts with X Premium may write more."""
    max_message_length: Annotated[int, Field(ge=1, le=10_000)] = 10_000
    """The longest private message."""
    price: Cost = 0.01
    """What a post costs ..."""
    price_with_link: Cost = 0.20
    """... and one with a link in it."""
    tone: Tone = Tone()
    """Of brands that have none of their own."""
    tones: dict[Slug, Tone] = {}
    """By brand."""
    call_timeout_s: Annotated[float, Field(gt=0, le=120)] = 30.0
    """So long one call may take."""
    shown_after_s: Seconds = 60.0
    """X may show a post so long after it took it: until then, that it is not seen says nothing."""
    unknown_after_s: Seconds = 900.0
    """An answer that may have been posted, and is not seen for so long, is unknown: a person must look."""
    trust_duplicate_check: bool = True
    """X refuses a post whose text the account has posted already: so what may be posted, and is not shown in time, is
    sent again, and a double refused. false: it becomes unknown. X refuses no private message like that."""
    again_after_s: Seconds | None = None
    """For those who would rather risk a double than look for themselves: what is not seen for so long after its call is
    sent again; null: it becomes unknown."""
    trust_request_count: bool = True
    """Send again what never came to X, as its count of requests (x-rate-limit-remaining) shows."""
    give_up_after_s: Seconds = 24 * 3600
    """An answer that X does not take for so long, for reasons of its own, has failed."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.shown_after_s <= self.unknown_after_s <= self.give_up_after_s:
            raise ValueError("shown_after_s <= unknown_after_s <= give_up_after_s must hold")
        return self

    def tone_of(self, brand: str) -> Tone:
        """How a brand speaks."""
        return self.tones.get(brand, self.tone)
