"""The record of `replies`: a helpdesk's answer; read, checked, and looked at for its tone."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from pipeline import identities
from pipeline.counting import cashtags, length, links
from pipeline.desk import Name
from pipeline.errors import BadMessage, Reason
from pipeline.heard import decoded, ms
from pipeline.kept import Key
from pipeline.settings_poster import Poster

Kind = Literal["reply", "dm", "post"]


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A helpdesk's answer: a reply to a post, a private message, or a post to all; names are the routed record's.

    `id` is the helpdesk's own: an answer that is sent twice under one id is posted once. What comes of it stands in
    `responses`: reply_posted, reply_failed, reply_held, or reply_unknown, which a person must look after.
    """

    id: Name
    kind: Kind
    brand: Name
    """As whom it is posted."""
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=65_535)]
    at: str
    """RFC 3339: when it was written."""
    post_id: Name | None = None
    """reply: the post that it answers, by `external_id`, with or without "x:"."""
    customer: Name | None = None
    """reply and dm: `author.external_id` of the customer's post."""
    conversation_id: Name | None = None
    """reply and dm: of the customer's post; a dm may leave it out."""
    reply_allowed: bool | None = None
    """reply: as the routed record has it; if left out, X decides."""
    by: Annotated[str, msgspec.Meta(max_length=255)] = ""
    """Who wrote it."""
    force: bool = False
    """Post it though the turn is answered already; or again, under the same id, what was held, failed or is unknown."""
    partition: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """`source.partition` of the routed record: where in `responses` it is told."""

    @property
    def parent(self) -> str | None:
        """The id on X of the post that it answers."""
        return None if self.post_id is None else self.post_id.removeprefix("x:")

    def hash(self) -> str:
        """Of what would be posted, and where: two answers that differ in it are not the same."""
        parts = (self.kind, self.brand, self.parent or "", self.customer or "", self.outgoing())
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()

    def outgoing(self) -> str:
        """The text as it goes to X."""
        return unicodedata.normalize("NFC", self.text.strip())


class Whose(msgspec.Struct, frozen=True, gc=False):
    """What can be told of an answer that cannot be read."""

    id: Name
    brand: Name
    kind: str = "reply"
    customer: str | None = None
    conversation_id: str | None = None
    post_id: str | None = None
    by: str = ""
    partition: int | None = None


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Reply).decode
_fields = msgspec.json.Decoder(dict[str, Any]).decode
_TOLD = {field for field in Whose.__struct_fields__ if field != "partition"}
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufeff\ufffe\uffff]")
"""X takes none of these."""
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
"""Letters of languages that write without spaces: Thai to Khmer, Japanese, Chinese."""


class Limits(NamedTuple):
    """What X takes."""

    post: int = 280
    message: int = 10_000


def named_in(reply: Reply) -> Key:
    """The conversation in which an answer says that it is."""
    return Key(reply.customer or "", reply.brand, reply.conversation_id or "")


def read_reply(value: bytes | None, limits: Limits) -> Reply:
    """An answer from its record, fit to be posted.

    Raises:
        BadMessage: it cannot be read, or X would not take it; the detail says what to do.
    """
    reply = decoded(_decode, value)
    ms(reply.at)
    identities.check(id=reply.id, brand=reply.brand, conversation_id=reply.conversation_id)
    _check_names(reply)
    _check_text(reply, limits)
    return reply


def whose(value: bytes | None) -> Whose | None:
    """Whose answer a record holds that could not be read, as far as it can be told."""
    try:
        said = {name: one for name, one in _fields(value or b"").items() if isinstance(one, str | int)}
        told = {name: str(one) for name, one in said.items() if name in _TOLD}
        partition = said.get("partition")
        return msgspec.convert(told | {"partition": partition if isinstance(partition, int) else None}, Whose)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _check_names(reply: Reply) -> None:
    if reply.kind == "reply" and not (reply.parent and reply.customer and reply.conversation_id):
        raise BadMessage(Reason.MISSING_FIELD, "a reply names post_id, customer and conversation_id")
    if reply.kind == "dm" and not reply.customer:
        raise BadMessage(Reason.MISSING_FIELD, "a private message names its customer")
    if reply.kind == "post" and reply.post_id is not None:
        raise BadMessage(Reason.WRONG_TYPE, "a post to all names no post_id: make it a reply, or leave post_id out")
    if reply.kind == "reply" and reply.reply_allowed is False:
        raise BadMessage(
            Reason.NOT_ALLOWED,
            "X lets nobody answer by API who was not mentioned or quoted (reply_allowed is false): answer in the X app",
        )
    for name, identity in (("post_id", reply.parent), ("customer", reply.customer)):
        if identity is not None and not (identity.isascii() and identity.isdigit()):
            raise BadMessage(Reason.WRONG_TYPE, f"{name} is no id of X: digits only")


def _check_text(reply: Reply, limits: Limits) -> None:
    text = reply.outgoing()
    if not text:
        raise BadMessage(Reason.MISSING_TEXT, "the text is empty")
    if _FORBIDDEN.search(text):
        raise BadMessage(Reason.WRONG_TYPE, "the text holds control characters, which X does not take")
    if reply.kind == "dm":
        if len(text) > limits.message:
            raise BadMessage(Reason.TOO_LONG, f"{len(text)} characters, a private message has {limits.message} at most")
        return
    found = length(text)
    if found > limits.post:
        raise BadMessage(
            Reason.TOO_LONG, f"{found} by X's counting, {limits.post} at most: take {found - limits.post} away"
        )
    if cashtags(text) > 1:
        raise BadMessage(Reason.REFUSED, "X takes one cashtag ($ABC) a post: take the others out")


def warnings(reply: Reply, settings: Poster) -> tuple[str, ...]:
    """What speaks against an answer and hinders nothing: what it costs, how it sounds."""
    text, tone = _plain(reply.outgoing()), settings.tone_of(reply.brand)
    found = [f"avoid: {word}" for word in tone.avoid if _phrase(word).search(text)]
    if tone.vision and not any(_phrase(word).search(text) for word in tone.vision):
        found.append(f"vision: none of {', '.join(tone.vision)}")
    if reply.kind != "dm" and links(text):
        found.append(f"link: costs {settings.price_with_link:.2f} instead of {settings.price:.2f}")
    return tuple(found)


def cost(reply: Reply, settings: Poster) -> float:
    """What posting it costs."""
    return settings.price_with_link if reply.kind != "dm" and links(reply.outgoing()) else settings.price


@lru_cache(maxsize=1024)
def _phrase(words: str) -> re.Pattern[str]:
    """A word or phrase as such, in any case, with any white space between its words."""
    parts = _plain(words).split()
    before = "" if _UNSPACED.match(parts[0][0]) else r"(?<!\w)"
    behind = "" if _UNSPACED.match(parts[-1][-1]) else r"(?!\w)"
    return re.compile(before + r"\s+".join(map(re.escape, parts)) + behind, re.IGNORECASE)


def _plain(text: str) -> str:
    """Letters put together, apostrophes alike."""
    return unicodedata.normalize("NFC", text).replace("\u2019", "'")


def kinds_of_warnings(found: Sequence[str]) -> list[str]:
    """The kinds of warnings, for counting: avoid, vision, link."""
    return sorted({warning.partition(":")[0] for warning in found})
