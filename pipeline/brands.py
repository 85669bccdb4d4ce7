"""Which of our brands a post concerns, and whether a brand wrote it itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.errors import UnknownBrand
from pipeline.posts import Post
from pipeline.rules import brands_of
from pipeline.settings import Brand

OTHER = Brand(name="other")
"""Stands for posts in which no configured brand is recognised."""


def require_brand(name: str | None, brands: Iterable[Brand], seen: Iterable[str]) -> None:
    """A slip of the pen must not look like a brand of which there is nothing; `seen` are those of the states.

    Raises:
        UnknownBrand: it is none of both; the text names those there are.
    """
    known = {OTHER.name, *(brand.name for brand in brands), *seen} - {""}
    if name is not None and name not in known:
        raise UnknownBrand(f"--brand: there is no brand {name!r}, only {', '.join(sorted(known))}")


class Brands:
    """The configured brands, looked up by account and by what a post names."""

    def __init__(self, brands: Sequence[Brand]) -> None:
        self.all: tuple[Brand, ...] = tuple(brands)
        self._by_name = {brand.name: brand for brand in brands}
        self._by_handle = {handle.lower(): brand for brand in brands for handle in brand.handles}
        self._by_id = {account: brand for brand in brands for account in brand.ids}
        named = {alias.lower(): brand for brand in brands for alias in (brand.name, *brand.handles, *brand.aliases)}
        self._by_word = named
        self._words = _any_of(named) if named else None

    def own(self, post: Post) -> Brand | None:
        """The brand whose account wrote the post, if one did."""
        author = post.author
        found = self._by_id.get(author.id)
        if found is None and author.handle is not None:
            found = self._by_handle.get(author.handle.lower())
        return found

    def concerned(self, post: Post) -> tuple[list[Brand], bool]:
        """The brands that a customer's post concerns, in the order found, and whether it addressed one.

        Rule tags come first, then mentioned, answered and quoted accounts; words of the text only where nothing else
        tells. With a single brand configured every post is that brand's.
        """
        found: list[Brand] = []
        for name in (name for tag in post.rules for name in brands_of(tag)):
            brand = self._by_name.get(name)
            if brand is not None and brand not in found:
                found.append(brand)
        addressed = self._addressed(post)
        for brand in addressed:
            if brand not in found:
                found.append(brand)
        return found or self._by_text(post), bool(addressed)

    def addressed(self, post: Post, brand: Brand) -> bool:
        """Whether the author mentioned, answered or quoted the brand: X lets only then an account answer by API."""
        return brand in self._addressed(post)

    def _addressed(self, post: Post) -> list[Brand]:
        found = []
        for mention in post.mentions:
            brand = self._by_handle.get(mention.username.lower())
            if brand is not None:
                found.append(brand)
        for account in (post.parent_author_id, post.quoted_author_id):
            if account is not None:
                brand = self._by_id.get(account)
                if brand is not None:
                    found.append(brand)
        return found

    def _by_text(self, post: Post) -> list[Brand]:
        found: list[Brand] = []
        for word in self._words.findall(post.text.lower()) if self._words is not None else ():
            brand = self._by_word[word]
            if brand not in found:
                found.append(brand)
        if not found:
            found.append(self.all[0] if len(self.all) == 1 else OTHER)
        return found


def _any_of(words: dict[str, Brand]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
