"""How much of the traces is kept, and where."""

from __future__ import annotations

from pipeline.settings_part import Part, Share, Url


class Traces(Part):
    """Every post that the listener reads begins a trace, which all records that come of it name."""

    sampled: Share = 0.01
    """This share of them is marked: of those the programs that export spans export all."""
    otlp_endpoint: Url | None = None
    """Where spans go, such as http://collector:4318/v1/traces; null: nowhere. Needs the extra otel."""

    @property
    def exported(self) -> bool:
        """Whether this program makes spans."""
        return self.otlp_endpoint is not None
