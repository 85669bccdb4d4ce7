"""How long something took, as a person says it."""

from __future__ import annotations


def span(seconds: float | None) -> str:
    """Seconds as 45s, 12m05s, 3h07m or 2d04h; nothing where there are none.

    With their units, so that 12:05 is not taken for hours here and minutes there.
    """
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3_600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 172_800:
        return f"{whole // 3_600}h{whole // 60 % 60:02d}m"
    return f"{whole // 86_400}d{whole // 3_600 % 24:02d}h"
