"""The figures of an evaluation: held to scikit-learn's, from files as people have them, shown three ways."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from sklearn.metrics import f1_score

from agents.evaluate import as_json, show, write_page
from models.evaluate import Evaluation, Labelled, calibration, evaluate, interval, macro_f1, read_labelled
from pipeline.classify import Model
from pipeline.errors import EvaluationError
from pipeline.posts import STAGES, Opinion, Post, Stage, Verdict

REACTIVE, PROACTIVE, ENGAGEMENT = STAGES
THRESHOLDS = dict.fromkeys(Stage, 0.5)
PAIRS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60)


class Fixed:
    """Says of each text what stands in it: a stage's first letter, then the confidence."""

    model = Model("fixed", "1", "0" * 64)
    second = None

    def __init__(self, decided_by: Opinion = Opinion.FIRST) -> None:
        self._decided_by = decided_by

    def classify(self, posts: Sequence[Post]) -> list[Verdict]:
        """The stage and the confidence that the text names."""
        stages = {"r": REACTIVE, "p": PROACTIVE, "e": ENGAGEMENT}
        return [
            Verdict(stages[post.text[0]], float(post.text[1:]), (1.0, 0.0, 0.0), self._decided_by) for post in posts
        ]

    def explain(self, post: Post) -> list[tuple[str, float]]:
        """Nothing."""
        return [(post.text, 0.0)]


ROWS = [
    Labelled("r0.9", REACTIVE, True, "acme", "fault"),
    Labelled("r0.8", REACTIVE, False, "acme", "order"),
    Labelled("r0.7", PROACTIVE, True, "otto", "outage"),
    Labelled("p0.4", PROACTIVE, False, "otto", "outage"),
    Labelled("e0.95", ENGAGEMENT, True, "otto", "praise"),
    Labelled("r0.45", ENGAGEMENT, False, "", ""),
]


def _found() -> Evaluation:
    return evaluate(ROWS, Fixed(), Fixed(), THRESHOLDS)


@given(PAIRS)
def test_macro_f1_is_the_fields(pairs: list[tuple[int, int]]) -> None:
    """The same as scikit-learn's over all three stages."""
    true, judged = np.array(pairs).T

    expected = f1_score(true, judged, average="macro", labels=[0, 1, 2], zero_division=0)
    assert pytest.approx(expected) == macro_f1(true, judged)


@given(PAIRS)
def test_the_interval_is_steady(pairs: list[tuple[int, int]]) -> None:
    """The same rows give the same interval, with its ends in order and between 0 and 1."""
    true, judged = np.array(pairs).T

    low, high = interval(true, judged)

    assert 0 <= low <= high <= 1
    assert (low, high) == interval(true, judged)


def test_more_rows_make_a_narrower_interval() -> None:
    """Twenty-five times the rows: a fifth of the width."""
    true, judged = np.array([0, 0, 0, 1, 1, 2, 2, 2] * 4), np.array([0, 0, 1, 1, 0, 2, 2, 1] * 4)

    low, high = interval(true, judged)
    narrow_low, narrow_high = interval(np.tile(true, 25), np.tile(judged, 25))

    assert pytest.approx((high - low) / 5, rel=0.2) == narrow_high - narrow_low


def test_calibration_by_ranges() -> None:
    """Posts of like confidence stand together: how sure, how often right; 1.0 belongs to the last range."""
    found = calibration(np.array([0.41, 0.49, 0.95, 1.0]), np.array([True, False, True, True]))

    assert [(2, 0.45, 0.5), (2, 0.975, 1.0)] == [(one.posts, round(one.confidence, 6), one.right) for one in found]


def test_all_figures() -> None:
    """Six posts counted by hand."""
    found = _found()

    assert found.n == 6
    assert pytest.approx(2 / 6) == found.review_share
    assert {"reactive": 1, "proactive": 1, "engagement": 0} == found.confusion["proactive"]
    assert (0.5, 1.0) == (found.per_stage["reactive"].precision, found.per_stage["reactive"].recall)
    assert (1.0, 0.5) == (found.per_stage["proactive"].precision, found.per_stage["proactive"].recall)
    assert pytest.approx((0.8 + 0 + 1) / 3) == found.accepted_macro_f1
    assert pytest.approx((2 / 3 + 0 + 1) / 3) == found.high_confidence_macro_f1
    assert {"otto": (3, 2 / 3), "acme": (2, 1.0)} == {k: (v.posts, v.right) for k, v in found.by_brand.items()}
    assert ["r0.7", "r0.45"] == [mistake.text for mistake in found.worst]


def test_the_second_opinion_counts() -> None:
    """What the first model would have got alone stands beside, and the share that the second decided."""
    wrong = [Labelled("e0.9", REACTIVE), Labelled("r0.9", REACTIVE)]

    found = evaluate(wrong, Fixed(Opinion.SECOND), Fixed(), THRESHOLDS)

    assert (1.0, None) == (found.second_share, found.high_confidence_macro_f1)
    assert found.macro_f1 == found.first_model_macro_f1


def test_a_labelled_file(tmp_path: Path) -> None:
    """Columns as people name them: label or stage, brand or family, confidence high or low."""
    file = tmp_path / "labelled.csv"
    file.write_text("\ufefftext,label,confidence,brand\nhi there,engagement,low,acme\n", encoding="utf-8")
    other = tmp_path / "corpus.csv"
    other.write_text("text,stage,family,kind\ndown?,proactive,otto,outage\n", encoding="utf-8")

    assert [Labelled("hi there", ENGAGEMENT, False, "acme", "")] == read_labelled(file)
    assert [Labelled("down?", PROACTIVE, None, "otto", "outage")] == read_labelled(other)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"text,label\nhi,urgent\n", "line 2.*reactive, proactive, engagement.*'urgent'"),
        (b"text,label\nhi,reactive\n,reactive\n", "line 3: needs a text"),
        (b"message\nhi\n", "line 2: needs a text"),
        (b"text,label\n", "holds no rows"),
        (b"text,label\n\xff,reactive\n", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: bytes, says: str) -> None:
    """The message names the line and what must stand there."""
    file = tmp_path / "labelled.csv"
    file.write_bytes(content)

    with pytest.raises(EvaluationError, match=says):
        read_labelled(file)


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there is said."""
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_labelled(tmp_path / "none.csv")


def test_json_for_programs() -> None:
    """One object with the names that programs rely on."""
    found = json.loads(as_json(_found()))

    promised = {"macro_f1", "interval", "n", "per_stage", "high_confidence_macro_f1", "ece", "review_share"}
    assert promised | {"accepted_macro_f1", "first_model_macro_f1"} <= set(found)
    assert {"precision", "recall", "f1"} <= set(found["per_stage"]["reactive"])


def test_tables_for_readers() -> None:
    """The figures and the surest mistakes, with what looks like markup left as it is."""
    out = Console(record=True, width=120, file=io.StringIO())
    rows = [*ROWS[:5], Labelled("r0.99", ENGAGEMENT)]

    show(evaluate(rows, Fixed(), Fixed(), THRESHOLDS), out)

    text = out.export_text()
    assert "macro-F1" in text
    assert "r0.99" in text


def test_a_page_stands_alone(tmp_path: Path) -> None:
    """The page holds its plots, loads nothing, and shows a mistake's text as text."""
    page = tmp_path / "page.html"
    found = _found()
    nasty = Evaluation(
        **{name: getattr(found, name) for name in found.__struct_fields__}
        | {"worst": [type(found.worst[0])("<script>alert(1)</script>", "reactive", "engagement", 0.9)]}
    )

    write_page(nasty, page, "first 1")

    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 4
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert 'src="http' not in text
