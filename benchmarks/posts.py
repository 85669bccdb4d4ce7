"""Posts for measuring: made up, seeded, as varied in their surface as real ones."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

BRANDS = ("northwind", "volta", "pebble", "fern", "loafly")
AUTHORS = 50_000
LETTERS = "etaoinshrdlucmfwypvbgkjqxz"


def brands(count: int) -> list[dict[str, object]]:
    """Settings for so many brands; the first five are the ones that are written about."""
    names = [*BRANDS, *(f"brand{number}" for number in range(count))][:count]
    return [{"name": name, "handles": [name.capitalize(), f"{name.capitalize()}Help"]} for name in names]


def posts(count: int, *, brands: int = 5, seed: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """(key, value): the customer and an X API v2 object of some 900 bytes."""
    rnd = random.Random(seed)
    vocabulary, weights = _vocabulary(rnd)
    names = BRANDS[: min(brands, len(BRANDS))]
    for number in range(count):
        author = str(10_000_000 + rnd.randrange(AUTHORS))
        words = rnd.choices(vocabulary, cum_weights=weights, k=max(3, int(rnd.gauss(17, 6))))
        yield author.encode(), _envelope(rnd, number, author, words, rnd.choice(names)).encode()


def _vocabulary(rnd: random.Random) -> tuple[list[str], list[float]]:
    """20,000 words whose frequencies fall as Zipf found them to."""
    shape = [1 / (place + 1) for place in range(len(LETTERS))]
    words = ["".join(rnd.choices(LETTERS, shape, k=1 + min(11, int(rnd.expovariate(0.25))))) for _ in range(20_000)]
    total, weights = 0.0, []
    for place in range(len(words)):
        total += 1 / (place + 2)
        weights.append(total)
    return words, weights


def _envelope(rnd: random.Random, number: int, author: str, words: list[str], brand: str) -> str:
    handle = brand.capitalize() + ("Help" if rnd.random() < 0.5 else "")
    entities: dict[str, list[dict[str, object]]] = {"mentions": [{"start": 0, "end": 9, "username": handle, "id": "7"}]}
    if rnd.random() < 0.17:
        words.append("https://t.co/" + "".join(rnd.choices(LETTERS, k=10)))
        entities["urls"] = [{"start": 1, "end": 2, "url": words[-1], "expanded_url": "https://example.com/a"}]
    if rnd.random() < 0.23:
        words.append("#" + words[0])
        entities["hashtags"] = [{"start": 1, "end": 2, "tag": words[0]}]
    if rnd.random() < 0.06:
        words.append(rnd.choice("😀😡🙏🎉"))
    if rnd.random() < 0.05:
        words.append("für señor çok 日本")
    text = f"@{handle} {' '.join(words)}" + ("?" if rnd.random() < 0.3 else "")
    post = str(1_856_000_000_000_000_000 + number)
    data = {
        "id": post,
        "text": text,
        "author_id": author,
        "created_at": f"2026-11-23T12:{number // 1000 % 60:02d}:{number // 17 % 60:02d}.{number % 1000:03d}Z",
        "conversation_id": post,
        "edit_history_tweet_ids": [post],
        "lang": "en",
        "entities": entities,
        "public_metrics": {"retweet_count": 0, "reply_count": 0, "like_count": 0, "quote_count": 0},
        "possibly_sensitive": False,
        "reply_settings": "everyone",
    }
    counts = {"followers_count": rnd.randrange(5000), "following_count": 1, "tweet_count": 9, "listed_count": 0}
    user = {"id": author, "username": f"u{author}", "name": "Some One", "verified": False, "public_metrics": counts}
    rules = [{"id": "1", "tag": brand}]
    return json.dumps(
        {"data": data, "includes": {"users": [user]}, "matching_rules": rules},
        ensure_ascii=False,
        separators=(",", ":"),
    )
