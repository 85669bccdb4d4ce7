"""Text for helpdesks' fields: cut where it must be, and nothing but text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline import adapter_text as fields
from pipeline.adapter_chatwoot import markdown
from pipeline.clean import clean

SIGNS = st.text("[]()!<>*_`~#+=-.:|&\\/\n 1a;{}\"'\t", max_size=60) | st.text(max_size=60)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("@NorthwindHelp my bag", "@NorthwindHelp my bag"),
        ("I <3 trams & you", "I <3 trams & you"),
        ("=1+1", "'=1+1"),
        ("  -1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1", "'＝1"),
        ("[here](https://evil.example)", "[here] (https://evil.example)"),
        ("{{ticket.id}} {% if %}", "{ {ticket.id}} { % if %}"),
        ("[code]x[/CODE]", "(code]x(/CODE]"),
        ("a\u202eb\x00c\r\nd", "abc\nd"),
        ("\u200b", "(no text)"),
    ],
)
def test_text_is_only_text(value: str, expected: str) -> None:
    """What would act in a spreadsheet, in Markdown, in Liquid or in a [code] tag is told as words."""
    assert expected == fields.text(value)


@given(st.text(max_size=300), st.integers(4, 400))
def test_what_is_cut_fits(value: str, most: int) -> None:
    """Bytes for texts, UTF-16 units for lines; what fits stays as it is."""
    short, one = fields.fit_bytes(value, most), fields.fit(value, most)

    assert len(short.encode()) <= most
    assert len(one.encode("utf-16-le")) // 2 <= most
    assert (len(value.encode()) > most) == (short != value)


@given(st.text(max_size=300))
def test_ids_are_plain(value: str) -> None:
    """Two ids stay two, whatever they are made of."""
    found = fields.ascii_id(value, 100)

    assert found.isascii()
    assert 1 <= len(found) <= 100
    assert found != fields.ascii_id(value + "2", 100)


@pytest.mark.parametrize(
    ("name", "handle", "expected"),
    [
        ("Lena", "lena_k81", "Lena"),
        (None, "lena_k81", "lena_k81"),
        ("\u200b", None, "501"),
        ("win http://evil.example", "x", "win http evil.example"),
        ("=HYPERLINK(1)", "x", "'=HYPERLINK(1)"),
    ],
)
def test_people_have_names(name: str | None, handle: str | None, expected: str) -> None:
    """Name, handle or id, whichever there is; never a link, which helpdesks would put into their e-mails."""
    assert expected == fields.person(name, handle, "501")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a b", "https://a/\n", "https://é", "", "//x", None])
def test_only_links_to_the_web(url: str | None) -> None:
    """Whatever else stands in the place of a link is left out."""
    assert fields.web(url) is None


def test_times() -> None:
    """As the Channel framework and as a database have them, both in UTC."""
    time = "2026-03-02T08:06:18.222Z"

    assert ("2026-03-02T08:06:18Z", "2026-03-02 08:06:18") == (fields.to_the_second(time), fields.for_a_database(time))


@given(SIGNS)
def test_markdown_shows_text_as_it_is(value: str) -> None:
    """Rendered, it is paragraphs of text with the very same words and signs."""
    plain = clean(value).strip()

    tokens = MarkdownIt("commonmark").parse(markdown(plain))
    inner = [child for token in tokens for child in token.children or ()]

    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    assert {child.type for child in inner} <= {"text", "softbreak", "hardbreak"}
    if "://" not in plain:
        shown = " ".join("".join(child.content or " " for child in token.children or ()) for token in tokens)
        assert plain.split() == shown.split()


@given(st.lists(SIGNS | st.just("https://e.example/a_b?c=1&d=2"), max_size=6).map(" ".join))
def test_no_link_hides_behind_words(value: str) -> None:
    """Links in the text are seen as they are: none is made by Markdown."""
    tokens = MarkdownIt("commonmark").parse(markdown(clean(value)))

    found = {child.type for token in tokens for child in token.children or ()}

    assert not found & {"link_open", "image", "html_inline", "code_inline"}


@given(st.text(max_size=200) | st.text("_*-\n1.", max_size=200))
def test_markdown_at_most_doubles(value: str) -> None:
    """So that a text of 65,535 bytes stays in Chatwoot's 150,000 characters."""
    assert len(markdown(value)) <= 2 * len(value)
