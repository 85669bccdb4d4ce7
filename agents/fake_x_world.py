"""The fake X's world: who is there, what is written, edited and deleted, and who hears of it. Safe between threads."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from threading import RLock

from agents.fake_x_posts import MENTION, NO_LINKS, FakeMessage, FakePost, Rule, User, look, snowflake
from agents.fake_x_rules import Match, compile_rule
from pipeline.clocks import Clock
from pipeline.counting import places

Hear = Callable[[FakePost, tuple[Rule, ...]], None]
_FIRST_USER = 1001
_MOST_EDITS = 5
_EDIT_WITHIN_S = 1800.0
_RECENT_S = 86400.0  # X compares a new post with the author's "recent" ones, and does not say more


class World:
    """Everything that the fake X knows. What is published is heard by the streams before `publish` returns."""

    def __init__(self, clock: Clock, *, visible_after_s: float = 0.0) -> None:
        self.lock = RLock()
        self.visible_after_s = visible_after_s
        self.hide_new_s = 0.0
        """What POST /2/tweets makes is found only after so many seconds, and not streamed; 0: like all else."""
        self.posts: dict[str, FakePost] = {}
        """Every post and edit by id, oldest first; deleted ones too."""
        self.messages: list[FakeMessage] = []
        """Oldest first."""
        self.rules: dict[str, Rule] = {}
        self._matches: dict[str, Match] = {}
        self._clock = clock
        self._users: dict[str, User] = {}
        self._by_id: dict[str, User] = {}
        self._in_order: list[FakePost] = []
        self._by_api: dict[tuple[str, str], FakePost] = {}
        """By author and text, as it was before its links were shortened: the newest that POST /2/tweets made."""
        self._user_ids = count(_FIRST_USER)
        self._tco = count(1)
        self._last_id = 0
        self._streams: list[Hear] = []

    def user(
        self,
        handle: str,
        *,
        identity: str | None = None,
        name: str | None = None,
        followers: int = 0,
        verified: bool = False,
    ) -> User:
        """The account of a handle; made where there is none yet."""
        with self.lock:
            found = self._users.get(handle.lower())
            if found is None:
                identity = identity or str(next(self._user_ids))
                found = User(identity, handle, name or handle, followers, verified, self._clock.now())
                self._users[handle.lower()] = self._by_id[identity] = found
            return found

    def find_user(self, handle: str) -> User | None:
        """The account of a handle, if there is one."""
        return self._users.get(handle.lower())

    def user_by_id(self, identity: str) -> User | None:
        """The account of an id, if there is one."""
        return self._by_id.get(identity)

    def publish(
        self,
        text: str,
        *,
        author: User | str,
        reply_to: str | None = None,
        quotes: str | None = None,
        retweets: str | None = None,
        lang: str = "en",
        photo: str | None = None,
        by_api: bool = False,
    ) -> FakePost:
        """Publish a post now; links in it become t.co's.

        Raises:
            KeyError: it refers to a post that never was.
        """
        writer = self.user(author) if isinstance(author, str) else author
        with self.lock:
            parent, quoted, retweeted = (self.posts[other] if other else None for other in (reply_to, quotes, retweets))
            at = self._clock.now()
            identity = str(self._next_id(at))
            shown, links = self._shortened(text)
            delay = (self.hide_new_s if by_api else 0.0) or self.visible_after_s
            post = FakePost(
                identity, shown, writer, at, at + delay, [identity], parent.conversation_id if parent else identity,
                parent, quoted, retweeted, lang, links, photo, self._named(shown), by_api=by_api,
            )  # fmt: skip
            if by_api:
                self._by_api[writer.id, text] = post
            self._add(post, streamed=not (by_api and self.hide_new_s))
            return post

    def has_already(self, author: User, text: str) -> bool:
        """Whether the author has posted the text in the last day, and it stands, to be found or not."""
        post = self._by_api.get((author.id, text))
        return post is not None and not post.gone and post.at > self._clock.now() - _RECENT_S

    def may_edit(self, post: FakePost) -> bool:
        """Whether X lets its author edit it now: half an hour, five times, and no reply."""
        too_late = self._clock.now() > self.posts[post.chain[0]].at + _EDIT_WITHIN_S
        return post.parent is None and len(post.chain) <= _MOST_EDITS and not post.gone and not too_late

    def edit(self, identity: str, text: str) -> FakePost:
        """Edit a post: a new id in the same chain.

        Raises:
            KeyError: there is no such post.
            ValueError: it answers another, was edited five times, is gone, or older than half an hour.
        """
        with self.lock:
            old = self.posts[identity]
            if not self.may_edit(old):
                raise ValueError(
                    "X lets nobody edit a reply, a post that is gone, one a sixth time, or after 30 minutes"
                )
            at = self._clock.now()
            new = str(self._next_id(at))
            old.chain.append(new)
            shown, links = self._shortened(text)
            post = FakePost(
                new, shown, old.author, at, at + self.visible_after_s, old.chain, old.conversation_id,
                None, old.quoted, None, old.lang, links, old.photo, self._named(shown), by_api=old.by_api,
            )  # fmt: skip
            self._add(post, streamed=True)
            return post

    def delete(self, identity: str) -> None:
        """Delete a post with all of its edits.

        Raises:
            KeyError: there is no such post.
        """
        with self.lock:
            for edition in self.posts[identity].chain:
                self.posts[edition].gone = True

    def send_dm(
        self, sender: User | str, recipient: User | str, text: str, *, kind: str = "MessageCreate"
    ) -> FakeMessage:
        """Send a private message now; `kind` may also be ParticipantsJoin or ParticipantsLeave."""
        by, to = (self.user(who) if isinstance(who, str) else who for who in (sender, recipient))
        with self.lock:
            at = self._clock.now()
            message = FakeMessage(str(self._next_id(at)), by, to, text, at, kind)
            self.messages.append(message)
            return message

    def add_rule(self, value: str, tag: str | None = None) -> Rule:
        """Add a rule of the filtered stream; it holds at once.

        Raises:
            BadRule: it cannot be read.
        """
        match = compile_rule(value)
        with self.lock:
            rule = Rule(str(self._next_id(self._clock.now())), value, tag)
            self.rules[rule.id] = rule
            self._matches[rule.id] = match
            return rule

    def delete_rule(self, identity: str) -> bool:
        """Delete a rule; whether there was one."""
        with self.lock:
            self._matches.pop(identity, None)
            return self.rules.pop(identity, None) is not None

    def listen(self, hear: Hear) -> None:
        """Have a stream hear what is published from now on; it is called by whoever publishes, and must be quick."""
        with self.lock:
            self._streams.append(hear)

    def unlisten(self, hear: Hear) -> None:
        """Have a stream hear no more."""
        with self.lock:
            if hear in self._streams:
                self._streams.remove(hear)

    def newest_first(self, *, since_id: int = 0, until_id: int | None = None) -> Iterator[FakePost]:
        """The posts that can be found now, between two ids, neither included."""
        now = self._clock.now()
        with self.lock:
            at = len(self._in_order) if until_id is None else bisect_left(self._in_order, until_id, key=_number)
        while at > 0 and int((post := self._in_order[at - 1]).id) > since_id:
            at -= 1
            if self.can_be_found(post, now) and self._is_newest(post, now):
                yield post

    def _is_newest(self, post: FakePost, now: float) -> bool:
        """Whether no later edit can be found yet."""
        if post.chain[-1] == post.id:
            return True
        later = post.chain[post.chain.index(post.id) + 1 :]
        return not any(self.can_be_found(self.posts[one], now) for one in later)

    def can_be_found(self, post: FakePost, now: float) -> bool:
        """Whether searches, timelines and look-ups give it."""
        return not post.gone and post.visible_at <= now

    def find(self, ids: Iterable[str]) -> tuple[list[FakePost], list[str]]:
        """Posts by id, and the ids that cannot be found."""
        now, wanted = self._clock.now(), list(ids)
        found = [post for one in wanted if (post := self.posts.get(one)) is not None and self.can_be_found(post, now)]
        missing = set(wanted) - {post.id for post in found}
        return found, [one for one in wanted if one in missing]

    def _add(self, post: FakePost, *, streamed: bool) -> None:
        self.posts[post.id] = post
        self._in_order.append(post)
        if not streamed or not self._streams or not self._matches:
            return
        seen = look(post)
        rules = tuple(self.rules[one] for one, matches in self._matches.items() if matches(seen))
        if rules:
            for hear in tuple(self._streams):
                hear(post, rules)

    def _named(self, text: str) -> tuple[User, ...]:
        if "@" not in text:
            return ()
        handles = dict.fromkeys(MENTION.findall(text.lower()))
        return tuple([found for handle in handles if (found := self._users.get(handle)) is not None])

    def _next_id(self, at: float) -> int:
        self._last_id = max(snowflake(at), self._last_id + 1)
        return self._last_id

    def _shortened(self, text: str) -> tuple[str, dict[str, str]]:
        if "." not in text:
            return text, NO_LINKS
        links: dict[str, str] = {}
        shown, at = "", 0
        for start, end in places(text):
            short = f"https://t.co/{next(self._tco):010d}"
            links[short] = text[start:end]
            shown, at = f"{shown}{text[at:start]}{short}", end
        return shown + text[at:], links


def _number(post: FakePost) -> int:
    return int(post.id)
