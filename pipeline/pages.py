"""Pages of X's API: many posts with one `includes`, split into records as the stream would have sent them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from pipeline.errors import BadMessage, Reason

_STRING = re.compile(rb'"([A-Za-z0-9_]{1,64})"')


class _Page(msgspec.Struct):
    """A page with posts on it."""

    data: list[msgspec.Raw]
    includes: dict[str, list[msgspec.Raw]] = {}


class _Meta(msgspec.Struct, frozen=True):
    next_token: str | None = None
    newest_id: str | None = None


class _Answer(msgspec.Struct):
    """Any answer; `data` is absent where nothing was found."""

    data: list[msgspec.Raw] = []
    includes: dict[str, list[msgspec.Raw]] = {}
    meta: _Meta = _Meta()


class _Included(msgspec.Struct):
    """What tells an included user, post or medium apart."""

    id: str | None = None
    media_key: str | None = None
    author_id: str | None = None


class Page(NamedTuple):
    """The posts of a page, newest first as X gives them, and how to go on."""

    envelopes: list[bytes]
    ids: list[str]
    """Of the posts, as X counts them; empty where one has none."""
    next_token: str | None
    newest_id: str | None


_page = msgspec.json.Decoder(_Page).decode
_answer = msgspec.json.Decoder(_Answer).decode
_included = msgspec.json.Decoder(_Included).decode


def split(line: bytes) -> list[bytes] | None:
    """The envelopes of a page, each with what it refers to of `includes`; None where it is no page."""
    try:
        page = _page(line)
        return _envelopes(page.data, page.includes, b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def page(body: bytes, tags: Sequence[str] = ()) -> Page:
    """An answer with posts, perhaps none; `tags` stand in each record as those of the rules that it matched.

    Raises:
        BadMessage: it is no such answer.
    """
    rules = b"" if not tags else msgspec.json.encode([{"tag": tag} for tag in tags])
    try:
        answer = _answer(body)
        envelopes = _envelopes(answer.data, answer.includes, rules)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(Reason.NOT_JSON, f"X's answer cannot be read: {error}") from error
    return Page(envelopes, [_identity(raw) for raw in answer.data], answer.meta.next_token, answer.meta.newest_id)


def _identity(raw: msgspec.Raw) -> str:
    try:
        return _included(raw).id or ""
    except msgspec.DecodeError:
        return ""


def _envelopes(data: list[msgspec.Raw], includes: dict[str, list[msgspec.Raw]], rules: bytes) -> list[bytes]:
    included = {kind: [(_included(raw), raw) for raw in raws] for kind, raws in includes.items()}
    return [_one_of_page(raw, included, rules) for raw in data]


def _one_of_page(raw: msgspec.Raw, included: dict[str, list[tuple[_Included, msgspec.Raw]]], rules: bytes) -> bytes:
    wanted = _strings(raw)
    tweets = [known for known, _ in included.get("tweets", ()) if known.id in wanted]
    wanted |= {known.author_id for known in tweets if known.author_id}
    chosen = {
        kind: [raw for known, raw in everything if (known.id or known.media_key) in wanted]
        for kind, everything in included.items()
    }
    envelope: dict[str, object] = {"data": raw}
    if included:
        envelope["includes"] = chosen
    if rules:
        envelope["matching_rules"] = msgspec.Raw(rules)
    return msgspec.json.encode(envelope)


def _strings(raw: bytes | msgspec.Raw) -> set[str]:
    """Whatever in the post could be the id of something in `includes`."""
    return {found.decode() for found in _STRING.findall(bytes(raw))}
