"""Reading posts from files: JSON Lines and CSV become records of `tweets`, and nothing is dropped."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.csv_posts import Columns, Links, as_x_escapes, rfc3339, slug
from agents.posts_file import Item, PostsReader, UnreadableFile
from pipeline.brands import Brands
from pipeline.decode import decode, unescape
from pipeline.errors import BadMessage, Reason
from pipeline.posts import Post
from pipeline.settings import Brand

BRANDS = Brands([Brand(name="northwind", handles=("NorthwindAir",), ids=("900",))])
SUPPORT = "tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id\n"
CHAIN = (
    SUPPORT
    + "3,NorthwindAir,False,2026-03-01T10:05:00Z,@c1 so sorry,4,2\n"
    + "2,c1,True,2026-03-01T10:01:00Z,@NorthwindAir still no bag,3,1\n"
    + "4,c1,True,Sun Mar 01 10:09:00 +0000 2026,@NorthwindAir thanks,,3\n"
    + "1,c1,True,2026-03-01T10:00:00Z,@NorthwindAir where is my bag?,2,\n"
)


def read(data: bytes | str, **options: int) -> list[Item]:
    """The items of what comes by standard input."""
    raw = data.encode() if isinstance(data, str) else data
    return list(PostsReader(BRANDS, stdin=io.BytesIO(raw), **options).read("-"))


def read_file(folder: Path, data: bytes | str, name: str = "posts") -> list[Item]:
    """The items of a file."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(PostsReader(BRANDS).read(path))


def decoded(item: Item) -> Post:
    """The post that the worker would see."""
    [post] = decode([item.value], [0])
    assert isinstance(post, Post), post
    return post


def reason(item: Item) -> Reason:
    """Why the worker would give a record to the dead letters."""
    [bad] = decode([item.value], [0])
    assert isinstance(bad, BadMessage), bad
    return bad.reason


def post_json(post_id: str, **fields: Any) -> str:
    """An envelope with one post, a line of JSON."""
    return json.dumps({"data": {"id": post_id, "text": "hello", "author_id": "7", **fields}})


def test_envelopes_and_bare_posts_go_through_as_they_stand() -> None:
    """Records are the lines' own bytes, keyed by the author, with the time that they say."""
    envelope = post_json("1", created_at="2026-03-01T10:00:00.000Z")
    bare = '{"id": "2",  "text": "spaces stay"}'

    items = read(f"{envelope}\r\n{bare}\n")

    expected = [Item(b"7", envelope.encode(), 1_772_359_200_000, 1), Item(b"2", bare.encode(), None, 2)]
    assert expected == items


def test_own_posts_are_keyed_by_whom_they_answer() -> None:
    """A brand's answer meets the customer's posts in one partition."""
    [item] = read(post_json("1", author_id="900", in_reply_to_user_id="42"))

    assert item.key == b"42"


def test_a_page_is_split_and_each_post_keeps_what_it_refers_to() -> None:
    """Users, parents and media of other posts stay out, so that records stay small."""
    page = {
        "data": [
            {"id": "1", "text": "a", "author_id": "7", "attachments": {"media_keys": ["m1"]}},
            {"id": "2", "text": "b", "author_id": "8", "referenced_tweets": [{"type": "replied_to", "id": "50"}]},
        ],
        "includes": {
            "users": [{"id": "7", "username": "ann"}, {"id": "8", "username": "bob"}, {"id": "9", "username": "cyd"}],
            "tweets": [{"id": "50", "author_id": "9"}],
            "media": [{"media_key": "m1", "type": "photo", "url": "https://example.com/1.png"}],
        },
        "meta": {"result_count": 2},
    }

    first, second = (decoded(item) for item in read(json.dumps(page)))

    assert ("1", "ann", 1) == (first.id, first.author.handle, len(first.attachments))
    assert ("2", "bob", "9", ()) == (second.id, second.author.handle, second.parent_author_id, second.attachments)


def test_a_page_larger_than_a_record_may_be_is_split_all_the_same() -> None:
    """A page of a hundred long posts is over the size limit of a record; each post is not."""
    posts = [{"id": str(number), "text": "x" * 1000} for number in range(1, 101)]

    items = read(json.dumps({"data": posts}))

    assert [str(number).encode() for number in range(1, 101)] == [item.key for item in items]


def test_broken_lines_pass_through_unchanged() -> None:
    """They are for the dead letters, with their original bytes; the lines around them are not touched."""
    broken = [b'{"data": {"id": "1"', b"\xff\xfe{}", b'{"data": [3]}', b"[" * 100_000, b'{"data": {"id": 5}}']

    items = read(b"\n".join([post_json("8").encode(), *broken, post_json("9").encode()]))

    assert [b"7", None, None, None, None, None, b"7"] == [item.key for item in items]
    assert [broken[0], broken[1], b'{"data":3}', broken[3], broken[4]] == [item.value for item in items[1:-1]]
    assert list(range(1, 8)) == [item.line for item in items]


@pytest.mark.parametrize("data", [post_json("1") + "\n\n \n\n" + post_json("2"), "\n\nid,text\n1,a\n\n2,b\n"])
def test_empty_lines_are_passed_over_and_counted(data: str) -> None:
    """In JSON Lines and in CSV, before the header too."""
    reader = PostsReader(BRANDS, stdin=io.BytesIO(data.encode()))

    items = list(reader.read("-"))

    assert ["1", "2"] == [decoded(item).id for item in items]
    assert 3 == reader.blank


@pytest.mark.parametrize("data", [post_json("1"), CHAIN])
def test_gzip_is_told_by_its_bytes(tmp_path: Path, data: str) -> None:
    """Names say nothing: packed and plain give the same, from a file and from standard input."""
    packed = gzip.compress(data.encode())

    assert read_file(tmp_path, data) == read_file(tmp_path, packed, "posts.txt")
    assert read(data) == read(packed)


def test_json_lines_stream() -> None:
    """A line is given on before the next one is asked for."""

    class OneLine(io.RawIOBase):
        asked = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.asked += 1
            assert self.asked == 1, "read on before the first line was used"
            line = (post_json("1") + "\n").encode()
            buffer[: len(line)] = line
            return len(line)

    item = next(PostsReader(BRANDS, stdin=io.BufferedReader(OneLine())).read("-"))

    assert decoded(item).id == "1"


@pytest.mark.parametrize("from_stdin", [True, False])
def test_a_conversation_is_found_though_rows_stand_before_their_parents(tmp_path: Path, *, from_stdin: bool) -> None:
    """All rows get the root's id, the author of their parent, and the customer's key."""
    items = read(CHAIN) if from_stdin else read_file(tmp_path, CHAIN)

    found = [(p.id, p.conversation_id, p.parent_id, p.parent_author_id) for p in map(decoded, items)]

    expected = [("3", "1", "2", "c1"), ("2", "1", "1", "c1"), ("4", "1", "3", "NorthwindAir"), ("1", "1", None, None)]
    assert expected == found
    assert [b"c1"] * 4 == [item.key for item in items]
    assert [2, 3, 4, 5] == [item.line for item in items]


def test_the_brand_is_recognised_by_its_handle() -> None:
    """Rows with inbound=False carry the author as a handle; the customers' rows do not."""
    posts = [decoded(item) for item in read(CHAIN)]

    assert ["northwind", None, None, None] == [(own := BRANDS.own(p)) and own.name for p in posts]
    assert ["c1", "NorthwindAir"] == [m.username for post in posts[:2] for m in post.mentions]


def test_an_absent_parent_ends_the_chain_and_its_author_is_read_from_the_text() -> None:
    """Two answers to the same absent post are one conversation still."""
    rows = "11,NorthwindAir,False,,@c9 hello,,10\n12,NorthwindAir,False,,no name here,,10\n"
    first, second = read(SUPPORT + rows)

    assert ("10", "10") == (decoded(first).conversation_id, decoded(second).conversation_id)
    assert (b"c9", b"12") == (first.key, second.key)


def test_answers_named_by_the_parent_close_a_gap() -> None:
    """response_tweet_id tells the parent of a post that is absent, and of a row that does not say it itself."""
    rows = '1,c1,True,,a,"2,5",\n3,c1,True,,b,,2\n5,c2,True,,c,,\n'

    posts = [decoded(item) for item in read(SUPPORT + rows)]

    assert [("1", None), ("1", "2"), ("1", "1")] == [(post.conversation_id, post.parent_id) for post in posts]


def test_circles_end() -> None:
    """Posts that answer each other, and one that answers itself, have a conversation like others."""
    rows = "1,a,True,,x,,2\n2,a,True,,y,,3\n3,a,True,,z,,2\n4,a,True,,w,4,4\n"

    posts = [decoded(item) for item in read(SUPPORT + rows)]

    assert ["2", "2", "2", "4"] == [post.conversation_id for post in posts]


def columns_of(header: str) -> Columns:
    """The columns of a header that is one."""
    columns = Columns.of(header.encode())
    assert columns is not None
    return columns


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30), st.randoms())
def test_conversations_do_not_depend_on_the_order_of_rows(pairs: Sequence[tuple[int, int]], random: Any) -> None:
    """For any trees of replies, every post has the id of the root above it, in whatever order the rows come."""
    parents = {child: parent for child, parent in pairs if parent < child}
    rows = [[str(child), str(parent)] for child, parent in parents.items()]
    random.shuffle(rows)
    columns, links = columns_of("tweet_id,in_response_to_tweet_id,text"), Links()

    for row in rows:
        links.add(columns, row)

    for child in parents:
        root = child
        while root in parents:
            root = parents[root]
        assert str(root) == links.conversation(str(child))


def test_from_standard_input_links_reach_a_window_and_no_further() -> None:
    """With windows of two rows, a parent four rows away counts as absent; one in the next window is found."""
    rows = ["9,c1,True,,a,,1", "8,c1,True,,b,,2", "2,c2,True,,c,,", "7,c3,True,,d,,", "1,c4,True,,e,,"]
    reader = PostsReader(BRANDS, stdin=io.BytesIO((SUPPORT + "\n".join(rows)).encode()), window=2)

    posts = [decoded(item) for item in reader.read("-")]

    assert [None, "c2", None, None, None] == [post.parent_author_id for post in posts]
    assert (2, 1) == (reader.replies, reader.linked)


def test_quotes_newlines_and_a_byte_order_mark_are_read() -> None:
    """The dialect that spreadsheets write; lines are counted as an editor counts them."""
    data = '\ufeffid,text,other\r\n1,"said ""hi"",\nthen left",x\r\n2,plain,y\r\n'

    items = read(data)

    assert ['said "hi",\nthen left', "plain"] == [decoded(item).text for item in items]
    assert [2, 4] == [item.line for item in items]


def test_other_csvs_need_only_a_text() -> None:
    """The brand becomes a rule's tag, a missing id column the line number; semicolons and tabs separate too."""
    [full] = read("id,source,brand,text,created_at,lang_guess\np1,made,North Wind,hello,18-02-2026 19:30,fr\n")
    [bare] = read("text;brand\nhello;Northwind\n")

    post = decoded(full)
    assert ("p1", ("north-wind",), "fr", "p1") == (post.id, post.rules, post.lang, post.conversation_id)
    assert 1_771_443_000_000 == full.created_at
    assert ("2", ("northwind",)) == (decoded(bare).id, decoded(bare).rules)


def test_a_row_that_lacks_something_is_a_dead_letter_with_its_reason() -> None:
    """No id, no text, no time that could be read, too few cells, bytes that are no UTF-8: each is a record."""
    data = (SUPPORT + ",c,True,,a,,\n2,c,True,,,,\n3,c,True,02/03/2026,a,,\n4,c\n").encode() + b"5,c,True,,\xff,,\n"

    reasons = [reason(item) for item in read(data)]

    expected = [Reason.MISSING_ID, Reason.MISSING_TEXT, Reason.WRONG_TYPE, Reason.MISSING_TEXT, Reason.NOT_UTF8]
    assert expected == reasons


def test_mentions_and_hashtags_are_found_as_x_does() -> None:
    """No mention inside an address; no hashtag of digits alone."""
    [item] = read('text\n"@NorthwindAir mail a@example.com or ask .@bob #LostBag #1"\n')

    post = decoded(item)

    assert ["NorthwindAir", "bob"] == [mention.username for mention in post.mentions]
    assert ("LostBag",) == post.hashtags


@given(st.text(alphabet="a&<>;mplgt ", max_size=40))
def test_escaping_is_what_decoding_undoes(text: str) -> None:
    """A text without entities comes back as it was, and escaping twice is escaping once."""
    escaped = as_x_escapes(text)

    assert escaped == as_x_escapes(escaped)
    assert unescape(escaped) == (text if not re.search("&(amp|lt|gt);", text) else unescape(escaped))


@given(st.lists(st.lists(st.text(max_size=20), min_size=2, max_size=2), max_size=20))
def test_every_row_of_any_csv_becomes_one_record(rows: list[list[str]]) -> None:
    """Whatever the cells hold: quotes, newlines, null characters."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["id", "text"], *rows])

    items = read(out.getvalue().encode("utf-8", "surrogatepass"))

    assert len(rows) == len(items)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Tue Oct 31 22:10:47 +0000 2017", "2017-10-31T22:10:47.000Z"),
        ("Tue Oct 31 22:10:47 -0800 2017", "2017-11-01T06:10:47.000Z"),
        ("2017-10-31T22:10:47Z", "2017-10-31T22:10:47.000Z"),
        ("2017-10-31 22:10:47.5+02:00", "2017-10-31T20:10:47.500Z"),
        ("2017-10-31 22:10:47 -0800", "2017-11-01T06:10:47.000Z"),
        ("2017-10-31 22:10", "2017-10-31T22:10:00.000Z"),
        ("31.10.2017", "2017-10-31T00:00:00.000Z"),
        ("10/31/2017", "10/31/2017"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("Tue Foo 31 22:10:47 +0000 2017", "Tue Foo 31 22:10:47 +0000 2017"),
        ("", ""),
    ],
)
def test_times_are_written_as_x_writes_them(written: str, expected: str) -> None:
    """Without an offset UTC is meant; what is no time stays, to be refused by decoding."""
    assert expected == rfc3339(written)


def test_a_brand_column_becomes_a_name_that_settings_allow() -> None:
    """Lower case, hyphens for what a name may not hold."""
    assert ["northwind-air-uk", "ask_contoso", ""] == [slug(name) for name in ("Northwind Air/UK", "Ask_Contoso", "?")]


def test_what_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    """A missing file, damaged gzip, a CSV without posts, a quote that never ends."""
    with pytest.raises(UnreadableFile, match="No such file"):
        list(PostsReader(BRANDS).read(tmp_path / "none"))
    with pytest.raises(UnreadableFile, match="gzip data is damaged"):
        read(gzip.compress(post_json("1").encode() * 500)[:-9])
    with pytest.raises(UnreadableFile, match="no column is named `text`"):
        read_file(tmp_path, "id,tweet\n1,a\n", "posts.csv")
    with pytest.raises(UnreadableFile, match="never closed"):
        read('text\n"' + "x" * 200_000)


def test_an_empty_file_has_no_posts(tmp_path: Path) -> None:
    """Nothing in, nothing out, whatever the name says."""
    assert ([], []) == (read_file(tmp_path, ""), read_file(tmp_path, "", "posts.csv"))


def test_how_much_is_read_is_known_of_files_only(tmp_path: Path) -> None:
    """For a progress bar: 0 to 1 of a file, nothing of standard input."""
    path = tmp_path / "posts"
    path.write_text(CHAIN)
    reader = PostsReader(BRANDS)
    shares = [reader.share_read() for _ in reader.read(path)]

    assert [1.0] * 4 == shares
    assert PostsReader(BRANDS).share_read() is None


def test_prose_is_no_posts(tmp_path: Path) -> None:
    """A file in which nothing looks like a post is refused as a whole; what comes through a pipe is passed on."""
    page = tmp_path / "README.md"
    page.write_text("# A page\n\nwith words\n")

    with pytest.raises(UnreadableFile, match="'# A page'"):
        list(PostsReader(BRANDS).read(page))
