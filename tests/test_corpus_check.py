"""The check of the corpus finds what it is there for, on made-up rows; and the corpus itself passes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.corpus_check import check, main, skeleton

ROW = {"stage": "reactive", "industry": "hotels", "kind": "complaint", "language": "en", "family": "staywell"}


def _rows(*texts: str) -> list[dict[str, str]]:
    return [ROW | {"id": f"c{number:05d}", "text": text} for number, text in enumerate(texts)]


def _found(rows: list[dict[str, str]], others: list[str] | None = None) -> list[tuple[str, tuple[str, ...]]]:
    return [(complaint.what, complaint.ids) for complaint in check(rows, others or [])]


def test_different_posts_pass() -> None:
    """Posts that share a subject and a few words are no copies."""
    rows = _rows(
        "@StayWell no hot water in 412 since we got here, front desk says tomorrow",
        "@StayWell the front desk lost my booking and there is no room left",
        "is there parking at the one near the station @StayWell",
    )

    assert [] == _found(rows)


@pytest.mark.parametrize(
    "copy",
    [
        "no hot water in our room since we got here and the front desk says tomorrow",
        "@48213 No hot water in our room since we got here, and the front desk says TOMORROW!! https://t.co/a1",
        "no hot water in our room since we got here and the manager says tomorrow",
    ],
)
def test_a_near_copy_is_found(copy: str) -> None:
    """The same words count however they are dressed; half of them in a row are enough."""
    rows = _rows("no hot water in our room since we got here and the front desk says tomorrow", copy)

    assert [("near-duplicates", ("c00000", "c00001"))] == _found(rows)


def test_short_copies_are_found() -> None:
    """Three words said twice are a copy; one word is none."""
    assert [("near-duplicates", ("c00000", "c00001"))] == _found(_rows("Sent you DM", "@a sent you dm"))
    assert [] == _found(_rows("Thanks!", "@a thanks"))


def test_a_template_is_found() -> None:
    """Sentences that differ by their nouns share a skeleton; four of them are a template."""
    nouns = [("kettle", "Leeds"), ("toaster", "York"), ("heater", "Hull"), ("blender", "Bath"), ("mixer", "Ripon")]
    filler = [
        "can you help me please",
        "is it broken in your shop",
        "my from is the",
        "please help is my can you broken?",
    ]
    rows = _rows(
        *(f"My {thing} from your shop in {town} is broken, can you help me please?" for thing, town in nouns), *filler
    )

    [what] = [complaint for complaint in check(rows) if complaint.what == "a template"]

    assert 5 == len(what.ids)


def test_the_skeleton_keeps_common_words() -> None:
    """Rare words, handles and links lose their names."""
    common = frozenset({"my", "is", "on", "the"})

    assert "@ my _ is on the _ ! /" == skeleton("@acme my red lamp is on the floor! https://t.co/x", common)


def test_what_is_near_another_file_is_found() -> None:
    """Nothing may be near a post that somebody wrote."""
    rows = _rows("my bag never came out on belt four and nobody at the desk knows where it is")
    others = ["something else", "@x my bag never came out on belt four, nobody at the desk knows where it is"]

    assert [("near a post of the other file", ("c00000", "line 3"))] == _found(rows, others)


def test_incomplete_rows_are_found() -> None:
    """An id given twice, an empty column, a stage that does not exist."""
    rows = _rows("a post about rain", "another about sun", "a third one entirely")
    rows[1] |= {"id": "c00000"}
    rows[2] |= {"stage": "urgent", "family": " "}

    assert [("the id is given twice", ("c00000",)), ("empty", ("c00002",)), ("no such stage", ("c00002",))] == _found(
        rows
    )


def test_the_corpus_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """What the model is trained on has no copies and no templates."""
    assert 0 == main([]), capsys.readouterr().out


def test_a_corpus_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command names each complaint, and ends with 1."""
    file = tmp_path / "posts.csv"
    header = ",".join(["id", "text", *ROW])
    line = ",".join(ROW.values())
    file.write_text(
        f"{header}\n1,we have been waiting here for hours,{line}\n2,we have been waiting here for hours,{line}\n"
    )

    assert 1 == main(["--corpus", str(file)])
    assert "near-duplicates: 1, 2" in capsys.readouterr().out
