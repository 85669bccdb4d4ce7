"""What an id may be, X's or a helpdesk's: short, and nothing in it that cannot be seen.

X's ids are digits. Files of posts name authors and posts in their own ways, so no more is asked of an id than that a
key of `conversations` can be made of it, and that it can be shown.
"""

from __future__ import annotations

from pipeline.errors import BadMessage, Reason

LONGEST = 255


def check(**ids: str | None) -> None:
    """All of them, by the names that they have in the record.

    Raises:
        BadMessage: one is too long, or holds a control or another invisible character; says which.
    """
    for name, identity in ids.items():
        if identity is None or (identity.isprintable() and len(identity) <= LONGEST):
            continue
        raise BadMessage(
            Reason.WRONG_TYPE,
            f"{name} is no id: {len(identity)} characters, {LONGEST} at most"
            if len(identity) > LONGEST
            else f"{name} is no id: it holds a character that cannot be seen",
        )
