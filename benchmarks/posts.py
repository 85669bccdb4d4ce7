"""Made-up posts for measuring: X API v2 envelopes of about a kilobyte, as varied as real ones, from a seed.

The shares are those of real support posts: 68% begin with a mention, 87% contain one, 17% have a link, 23% a hashtag,
6% an emoji; the median length is 112 characters, and 80% have between 50 and 175.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import numpy as np

from benchmarks.words import EMOJI, Author, Words
from pipeline.settings import Brand

SEED = 2013
FIRST_ID = 1_900_000_000_000_000_000
_BRANDS = ("northwind", "contoso", "fabrikam", "tailspin", "litware", "proseware", "wingtip", "adatum", "margies",
           "woodgrove", "lucerne", "humongous")  # fmt: skip
_BRAND_ID = 2_000_000_000
_START = datetime(2026, 10, 1, tzinfo=UTC)
_QUANTILES = (0.0, 0.1, 0.5, 0.9, 0.97, 1.0)
_LENGTHS = (12.0, 50.0, 112.0, 175.0, 250.0, 280.0)
_HIDDEN = ("\u200b", "\u202e", "\u2066")
Json = dict[str, Any]


class Made(NamedTuple):
    """One record for the topic `tweets`."""

    key: bytes
    value: bytes


def brands(count: int = 12) -> tuple[Brand, ...]:
    """Invented brands with two accounts each."""
    names = [*_BRANDS, *(f"brand{number}" for number in range(len(_BRANDS), count))][:count]
    return tuple(
        Brand(
            name=name,
            handles=(name.title(), f"{name.title()}Help"),
            ids=(str(_BRAND_ID + 2 * number), str(_BRAND_ID + 2 * number + 1)),
            aliases=(f"{name} card",),
        )
        for number, name in enumerate(names)
    )


def made(count: int, *, brand_count: int = 12, first: int = 0, seed: int = SEED) -> Iterator[Made]:
    """So many posts, numbered from `first`; the same arguments make the same bytes."""
    factory = Factory(brands(brand_count), seed + first)
    return (factory.post(first + number) for number in range(count))


class Factory:
    """Makes posts one after the other."""

    def __init__(self, of: tuple[Brand, ...], seed: int) -> None:
        self._random = random.Random(seed)
        self._words = Words(seed)
        self._authors = self._words.authors()
        self._brands = of
        lengths = np.interp(np.random.default_rng(seed).random(100_003), _QUANTILES, _LENGTHS)
        self._lengths: list[int] = lengths.astype(int).tolist()
        self._encode = msgspec.json.Encoder().encode

    def post(self, number: int) -> Made:
        """The post of a number: its id, its length and its time follow from it."""
        chance = self._random.random
        brand_number = int(len(self._brands) * chance() ** 2)
        brand = self._brands[brand_number]
        own = chance() < 0.1
        author = self._authors[int(len(self._authors) * chance())]
        data: Json = {"id": str(FIRST_ID + number * 1009), "author_id": author.id}
        data["created_at"] = (_START + timedelta(milliseconds=37 * number)).isoformat(timespec="milliseconds")[:23] + "Z"
        user, other = author, self._other(brand, brand_number, own)
        if own:
            user = _account(brand, brand_number)
            data["author_id"] = user.id
        text, entities = self._text(number, other, brand)
        data |= {"text": text, "lang": "en", "possibly_sensitive": False, "reply_settings": "everyone"}
        self._threaded(data, other, replies=0.9 if own else 0.5)
        data["edit_history_tweet_ids"] = [str(int(data["id"]) - 5), data["id"]] if number % 101 == 7 else [data["id"]]
        envelope = {"data": data | entities, "includes": {"users": [_user(user)]}, "matching_rules": self._rules(brand)}
        self._extras(envelope, number)
        key = data.get("in_reply_to_user_id") or data["id"] if own else data["author_id"]
        return Made(key.encode(), self._encode(envelope))

    def _other(self, brand: Brand, number: int, own: bool) -> Author:
        """Whom the post mentions or answers: the brand, or for the brand's own post a customer."""
        if own or self._random.random() < 0.06:
            return self._authors[int(len(self._authors) * self._random.random())]
        return _account(brand, number)

    def _text(self, number: int, other: Author, brand: Brand) -> tuple[str, Json]:
        """The text with the entities that X finds in it."""
        chance, entities = self._random.random, dict[str, list[Json]]()
        length = self._lengths[number % len(self._lengths)]
        words = self._body(length)
        mentioned = chance()
        if mentioned < 0.87:
            words.insert(0 if mentioned < 0.68 else len(words) // 2, f"@{other.handle}")
            entities["mentions"] = [{"username": other.handle, "id": other.id}]
        if chance() < 0.01 and len(self._brands) > 1:
            second = next(one for one in self._brands if one is not brand).handles[0]
            words.append(f"@{second}")
            entities.setdefault("mentions", []).append({"username": second, "id": "1"})
        if chance() < 0.23:
            tag = self._words.take(1)[0].strip("#.,!?’'\"“”()…-").title() or "news"
            words.append(f"#{tag}")
            entities["hashtags"] = [{"tag": tag}]
        if chance() < 0.17:
            code = f"{number * 7_919_777 % 60_466_176:010x}"
            words.append(f"https://t.co/{code}")
            entities["urls"] = [self._link(code)]
        if chance() < 0.06:
            words.append(self._random.choice(EMOJI))
        text = " ".join(words)
        return text, {"entities": {kind: _placed(text, found) for kind, found in entities.items()}} if entities else {}

    def _body(self, length: int) -> list[str]:
        """Words with the punctuation, numbers, capitals, scripts and oddities of posts."""
        chance = self._random.random
        words = self._words.take(max(1, length - 18)) or ["ok"]
        kind = chance()
        if kind < 0.03:
            words = self._words.accented(words)
        elif kind < 0.04:
            words = self._words.foreign(words)
        elif kind < 0.10:
            words[0] = words[0].replace("'", "’") + "…"
        elif kind < 0.12:
            words[-1] += " &amp; more"
        elif kind < 0.15:
            words[len(words) // 2] += "\n"
        elif kind < 0.153:
            words[0] += self._random.choice(_HIDDEN)
        elif kind < 0.25:
            words[-1] += f" {self._random.randrange(10, 10_000_000)}"
        if chance() < 0.6:
            words[0] = words[0].capitalize()
        return [*words[:-1], words[-1] + self._random.choice(("", "", ".", ".", "!", "?", "?", "??", "…"))]

    def _link(self, code: str) -> Json:
        path = "/".join(self._words.take(10))
        return {"url": f"https://t.co/{code}", "expanded_url": f"https://www.example.com/{path}",
                "display_url": f"example.com/{path[:12]}…"}  # fmt: skip

    def _threaded(self, data: Json, other: Author, *, replies: float) -> None:
        """Which conversation the post stands in."""
        data["conversation_id"] = data["id"]
        chance = self._random.random()
        if chance < replies:
            parent = str(int(data["id"]) - self._random.randrange(1009, 10_000_000))
            data["conversation_id"] = parent
            data["in_reply_to_user_id"] = other.id
            data["referenced_tweets"] = [{"type": "replied_to", "id": parent}]
        elif chance < replies + 0.04:
            data["referenced_tweets"] = [{"type": "quoted", "id": str(int(data["id"]) - 2018)}]

    def _rules(self, brand: Brand) -> list[Json]:
        tag = "industry:travel" if self._random.random() < 0.03 else f"{brand.name}:mentions"
        return [{"id": "1166916266197536768", "tag": tag}]

    def _extras(self, envelope: Json, number: int) -> None:
        """What few posts have: a quoted post's author, a picture, a long text."""
        data, includes = envelope["data"], envelope["includes"]
        for reference in data.get("referenced_tweets", ()):
            if reference["type"] == "quoted":
                quoted = {"id": reference["id"], "author_id": self._brands[0].ids[0], "text": "we are on it"}
                includes["tweets"] = [quoted]
        if number % 17 == 3:
            data["attachments"] = {"media_keys": [f"3_{number}"]}
            url = f"https://pbs.example.com/media/{number}.jpg"
            includes["media"] = [{"media_key": f"3_{number}", "type": "photo", "url": url, "alt_text": "a picture"}]
        if number % 97 == 11:
            text = f"{data['text']} {' '.join(self._words.take(400))}"
            data["note_tweet"] = {"text": text} | ({"entities": data["entities"]} if "entities" in data else {})
            data["text"] = text[:276] + "…"


def _account(brand: Brand, number: int) -> Author:
    which = number % 2
    return Author(brand.ids[which], brand.handles[which], f"{brand.name.title()} Support", 54_321, True)


def _user(author: Author) -> Json:
    return {
        "id": author.id,
        "name": author.name,
        "username": author.handle,
        "created_at": "2011-03-21T20:50:14.000Z",
        "verified": author.verified,
        "profile_image_url": f"https://pbs.example.com/profile_images/{author.id}/photo_normal.jpg",
        "public_metrics": {
            "followers_count": author.followers,
            "following_count": author.followers // 3,
            "tweet_count": 7 * author.followers,
            "listed_count": author.followers // 100,
        },
    }


def _placed(text: str, found: list[Json]) -> list[Json]:
    """Entities with start and end, as X gives them."""
    placed = []
    for entity in found:
        shown = entity.get("url") or f"@{entity.get('username')}" if "tag" not in entity else f"#{entity['tag']}"
        start = text.find(shown)
        placed.append({"start": start, "end": start + len(shown), **entity})
    return placed
