"""What the poster asks of X: to post, and whether something is there; as each brand's account, one attempt a call."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple

import msgspec

from agents.x_api import Access, Answer, XApi
from pipeline.clocks import Clock
from pipeline.errors import SettingsError, XRefused, XUnreachable
from pipeline.replies import Reply
from pipeline.settings import Brand, Settings
from pipeline.sightings import Wanted, in_messages, in_timeline, made, since_id, until_id, user_id

MOST_PAGES = 32
"""Of 100 posts: X shows 3,200 of an account, no more."""
IDLE_S = 5.0
"""A connection that lies idle for longer is made anew: one that X closes just then would leave a call in doubt."""
HOW = (
    "the poster acts as a brand's account, with the keys of your app: make a project with an app at "
    "https://developer.x.com, give it the right to read, write and send private messages, and set x.bearer_token, "
    "x.consumer_key, x.consumer_secret, and of each brand x.access_token and x.access_token_secret (or the same names "
    "with _file, for files that hold them)"
)


class Posted(NamedTuple):
    """X took it."""

    answer_id: str
    remaining: int | None
    reset_at: float | None
    limit: int | None = None


class Looked(NamedTuple):
    """What X shows; `whole`: all that there is was looked at."""

    answer_id: str | None
    whole: bool


class Account:
    """A brand's account on X.

    Raises (its methods): XError, as agents.x_api says.
    """

    def __init__(self, api: XApi, brand: Brand, token: str, clock: Clock) -> None:
        self._api = api
        self._brand = brand
        self._clock = clock
        self._used = clock.monotonic()
        head = token.partition("-")[0]  # X's access tokens begin with the user's id
        self._id = head if head.isdigit() else brand.ids[0] if len(brand.ids) == 1 else ""

    def post(self, reply: Reply) -> Posted:
        """Post it; raises XUnreachable where X takes it and does not say as what."""
        self._fresh()
        text = reply.outgoing()
        if reply.kind == "dm":
            answer = self._api.create_dm(reply.customer or "", text)
        else:
            answer = self._api.create_post(text, reply_to=reply.parent)
        answer_id = made(answer.body)
        if answer_id is None:
            raise XUnreachable("an answer without an id")
        return Posted(answer_id, answer.limit.remaining, answer.limit.reset_at, answer.limit.limit)

    def look(self, reply: Reply, window: tuple[int, int], taken: Container[str]) -> Looked:
        """Look for it among the account's own posts, or private messages, made between two times (ms)."""
        self._fresh()
        wanted = Wanted(reply, self._own_id(), *window)
        token: str | None = None
        for _ in range(MOST_PAGES):
            try:
                if reply.kind == "dm":
                    page = in_messages(self._api.dm_events(next_token=token).body, wanted, taken)
                else:
                    page = in_timeline(self._page(wanted, token).body, wanted, taken)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise XUnreachable(f"an answer that cannot be read: {error}") from error
            token = page.next_token
            if page.found is not None or token is None:
                return Looked(page.found, whole=True)
        return Looked(None, whole=False)

    def close(self) -> None:
        """Close its connections."""
        self._api.close()

    def _page(self, wanted: Wanted, token: str | None) -> Answer:
        after, before = since_id(wanted.since), until_id(wanted.until)
        return self._api.timeline(wanted.account, since_id=after, until_id=before, next_token=token)

    def _own_id(self) -> str:
        if not self._id:
            for handle in self._brand.handles:
                self._id = user_id(self._api.user(handle).body) or ""
        if not self._id:
            raise SettingsError(f"X knows no account of brand {self._brand.name}: set its ids in the settings")
        return self._id

    def _fresh(self) -> None:
        now = self._clock.monotonic()
        if now - self._used > IDLE_S:
            self._api.close()
        self._used = now


def accounts(settings: Settings, clock: Clock) -> Mapping[str, Account]:
    """The accounts of the brands that have tokens, by brand.

    Raises:
        SettingsError: there is none; it says what is missing, and how to get it.
    """
    key, key_secret = settings.x.consumer()
    bearer = settings.x.bearer()
    found = {
        brand.name: Account(
            XApi(
                Access(bearer, key, key_secret, *tokens),
                base_url=settings.x.base_url,
                timeout_s=settings.poster.call_timeout_s,
            ),
            brand,
            tokens[0],
            clock,
        )
        for brand in settings.brands
        if all(tokens := brand.x.tokens())
    }
    wanted = {"x.bearer_token": bearer, "x.consumer_key": key, "x.consumer_secret": key_secret}
    missing = [name for name, value in wanted.items() if not value]
    if not found:
        missing.append("brands[].x.access_token")
    if missing:
        raise SettingsError(f"nothing can be posted without credentials, {', '.join(missing)} is not set; {HOW}")
    return found


def no_access(brand: str, error: XRefused) -> SettingsError:
    """X does not let us act as a brand's account: no answer is to blame."""
    return SettingsError(f"X does not let us act as the account of brand {brand}: {error}; {HOW}")
