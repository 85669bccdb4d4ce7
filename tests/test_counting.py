"""Length by X's own counting."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.counting import length, links, without_links


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("This is a test.", 15),
        ("a" * 280, 280),
        ("é", 1),
        ("cafe\u0301", 4),  # composed before it is counted
        ("\u10ff", 1),  # the last that counts one
        ("\u1100", 2),  # the first that counts two
        ("日本語", 6),
        ("안녕", 4),
        ("\u1112\u1161\u11ab", 2),  # three jamo, one syllable
        ("“quoted” – it’s", 15),
        ("wait…", 6),  # an ellipsis counts two
        ("\u200b", 1),
        ("\u200e", 2),
        ("\u2032\u2037\u2038", 4),
    ],
)
def test_characters(text: str, expected: int) -> None:
    """Latin, Greek, Cyrillic, Arabic and the like count one, others two, after NFC."""
    assert expected == length(text)


@pytest.mark.parametrize(
    "emoji",
    ["😷", "👍🏽", "👨\u200d👩\u200d👧\u200d👦", "👩🏾\u200d🔬", "🏳\ufe0f\u200d🌈", "🇩🇪", "1\ufe0f\u20e3", "❤\ufe0f",
     "☺", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "©\ufe0f", "❤\ufe0f\u200d🔥"],
)  # fmt: skip
def test_an_emoji_counts_two(emoji: str) -> None:
    """Whatever it is put together from."""
    assert (2, 5) == (length(emoji), length(f"a{emoji}b{emoji[:0]}c"))


@pytest.mark.parametrize(("text", "expected"), [("😷😷", 4), ("🇩🇪🇫🇷", 4), ("©", 1), ("12#*", 4), ("👍a👍", 5)])
def test_emojis_beside_each_other(text: str, expected: int) -> None:
    """Two are two; digits and signs by themselves are characters."""
    assert expected == length(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://a.de", ["http://a.de"]),
        ("see https://northwind.example/help?topic=bags&id=7#top.", ["https://northwind.example/help?topic=bags&id=7#top"]),
        ("(https://northwind.example/a_(b))", ["https://northwind.example/a_(b)"]),
        ("(see https://northwind.com/help) (northwind.de/x)", ["https://northwind.com/help", "northwind.de/x"]),
        ("https://northwind.com/a(b https://northwind.com/(a(b)c)", ["https://northwind.com/a", "https://northwind.com/(a(b)c)"]),
        ("https://northwind.de/helpをご覧 a.de/?q=1です", ["https://northwind.de/help", "a.de/?q=1"]),
        ("https://northwind.com/помощь/café http://例え.みんな", ["https://northwind.com/помощь/café", "http://例え.みんな"]),
        ("northwind.com or www.northwind.de/x, northwind.de", ["northwind.com", "www.northwind.de/x", "northwind.de"]),
        ("acme.com.xyzzy acme.com.", ["acme.com", "acme.com"]),
        ("t.co/abc", ["t.co/abc"]),
        ("acme.com/login?next=shop.acme.com a.de", ["acme.com/login?next=shop.acme.com", "a.de"]),
        ("northwind.de/help", ["northwind.de/help"]),
        ("mail help@northwind.com", []),
        ("v1.2.3, e.g. this.And that", []),
        ("@northwind.com #northwind.com $northwind.com", []),
        ("日本http://northwind.com日本", ["http://northwind.com"]),
        ("HTTPS://NORTHWIND.COM/A", ["HTTPS://NORTHWIND.COM/A"]),
    ],
)  # fmt: skip
def test_links(text: str, expected: list[str]) -> None:
    """With a protocol, or a bare domain that X takes for a link; addresses and handles are none."""
    assert expected == links(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://a.de", 23),
        ("acme.io", 23),
        ("hello.de", 23),
        *((f"acme.{end}", 23) for end in ("tech", "email", "london", "services")),
        ("münchen.de", 23),
        ("readme.md", 23),
        ("ok.no problem", 31),
        ("file.tar.gz", 11),
        ("a" * 266 + " acme.travel", 290),
        ("https://northwind.example/" + "a" * 400, 23),
        ("northwind.com", 23),
        ("Test https://test.com test https://test.com test.com test", 86),
        ("a" * 256 + " https://northwind.com", 280),
        ("https://a.com 😷", 26),
        ("(https://a.com/b)", 25),
        ("https://a.com/bをご覧", 29),
    ],
)
def test_a_link_counts_23(text: str, expected: int) -> None:
    """However long it is."""
    assert expected == length(text)


def test_text_without_its_links() -> None:
    """Something else stands in their place."""
    assert "see   or   now" == without_links("see https://t.co/a or northwind.com now")


@given(st.text())
def test_length_holds_for_any_text(text: str) -> None:
    """Never negative, the same in NFC and NFD, at most two a character where there are no links."""
    assert length(text) == length(unicodedata.normalize("NFD", text)) >= 0
    if not links(text):
        assert length(text) <= 2 * len(unicodedata.normalize("NFC", text))
