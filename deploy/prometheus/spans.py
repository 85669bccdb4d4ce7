"""Spans of time in rules: divided by a factor, so that a drill can go through days in minutes."""

from __future__ import annotations

_UNITS_MS = (("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_MS = dict(_UNITS_MS)


class Spans:
    """Writes spans as Prometheus reads them.

    Args:
        factor: so many times shorter than life is each span.
    """

    def __init__(self, factor: int = 1) -> None:
        self._factor = factor

    def __call__(self, span: str) -> str:
        """A span such as 90s or 3d, shortened, in the largest unit that says it exactly."""
        left = _ms(span) // self._factor
        unit, size = next((unit, size) for unit, size in _UNITS_MS if left % size == 0)
        return f"{left // size}{unit}"

    def seconds(self, span: str) -> str:
        """The same as a number of seconds, for comparing with an age."""
        return f"{_ms(span) / self._factor / 1000:g}"


def _ms(span: str) -> int:
    unit = span.lstrip("0123456789")
    return int(span.removesuffix(unit)) * _MS[unit]
