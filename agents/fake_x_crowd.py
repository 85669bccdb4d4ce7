"""A crowd for the fake X: it publishes the posts of a file of X API v2 records, one after the other."""

from __future__ import annotations

from collections.abc import Iterable

from agents.fake_x_posts import FakePost
from agents.fake_x_world import World
from pipeline.decode import decode
from pipeline.errors import BadMessage
from pipeline.posts import Post


class Crowd:
    """Publishes a file's posts now, under new ids; who wrote them and what they answer stays."""

    def __init__(self, world: World, records: Iterable[bytes]) -> None:
        self._world = world
        self._records = iter(records)
        self._new_ids: dict[str, str] = {}

    def publish_next(self) -> FakePost | None:
        """Publish the next post that can be read; None where there is none left."""
        for record in self._records:
            (post,) = decode([record], [0])
            if not isinstance(post, BadMessage) and post.author.handle:
                return self._publish(post)
        return None

    def _publish(self, post: Post) -> FakePost:
        author = self._world.user(
            post.author.handle or "",
            identity=post.author.id,
            name=post.author.name,
            followers=post.author.followers or 0,
            verified=bool(post.author.verified),
        )
        reply_to = self._new_ids.get(post.parent_id or "")
        published = self._world.publish(post.text, author=author, reply_to=reply_to, lang=post.lang)
        self._new_ids[post.id] = published.id
        return published
