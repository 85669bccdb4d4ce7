"""`triage train`: a team's own labels become a model that the worker can use, or a message that says why not."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from agents.classifiers import load_first
from agents.train import train_on
from models.train import HERE
from pipeline.errors import EvaluationError, ModelError
from pipeline.posts import STAGES, Author, Post
from pipeline.settings import Settings

STAGE_OF = {stage.value: stage for stage in STAGES}


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """A labelled file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label", "brand"])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="module")
def own() -> list[dict[str, str]]:
    """400 posts of the corpus, as if a team had labelled them."""
    with (HERE / "corpus" / "posts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[::23][:400]
    return [{"text": row["text"], "label": row["stage"], "brand": row["family"]} for row in rows]


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory, own: list[dict[str, str]]) -> Settings:
    """A model in use that is bad: trained on labels that are turned round."""
    folder = tmp_path_factory.mktemp("bad")
    turned = {"reactive": "engagement", "engagement": "proactive", "proactive": "reactive"}
    data = write(folder / "turned.csv", [row | {"label": turned[row["label"]]} for row in own])
    train_on(Settings(), data, base=False, out=folder, force=True, say=lambda _: None)
    return Settings(model=folder / "stages.npz")


def test_a_better_model_is_written_and_judges(tmp_path: Path, own: list[dict[str, str]], bad: Settings) -> None:
    """It takes the place of a bad one, says by how much it is better, and judges what it has learnt."""
    said: list[str] = []

    paths = train_on(bad, write(tmp_path / "own.csv", own), base=False, out=tmp_path, force=False, say=said.append)

    verdicts = load_first(tmp_path / "stages.npz").classify(
        [Post("0", "0", row["text"], Author(""), 0, "0") for row in own]
    )
    right = [verdict.stage is STAGE_OF[row["label"]] for verdict, row in zip(verdicts, own, strict=True)]
    assert sum(right) > 0.9 * len(own)
    assert {"stages.npz", "stages.reference.npz", "stages.skops", "MODEL_CARD.md"} == {path.name for path in paths}
    assert "labelled posts, against 0." in said[-1]


def test_a_worse_model_is_refused(tmp_path: Path, own: list[dict[str, str]]) -> None:
    """Turned labels are worse than the shipped model's; nothing is written."""
    turned = [row | {"label": "proactive" if row["label"] == "reactive" else "reactive"} for row in own[::2]]
    data = write(tmp_path / "turned.csv", turned + own[1::2])

    with pytest.raises(ModelError, match="it is worse, nothing was written"):
        train_on(Settings(), data, base=False, out=tmp_path / "model", force=False, say=lambda _: None)

    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("keep", "message"),
    [(slice(0, 20), "label at least 50"), (slice(0, 0), "holds no rows")],
    ids=["too few", "empty"],
)
def test_too_little_is_refused(tmp_path: Path, own: list[dict[str, str]], keep: slice, message: str) -> None:
    """A file that cannot teach is refused with what it lacks."""
    data = write(tmp_path / "own.csv", own[keep])

    with pytest.raises((ModelError, EvaluationError), match=message):
        train_on(Settings(), data, base=True, out=tmp_path / "model", force=False, say=lambda _: None)


def test_a_missing_stage_is_named(tmp_path: Path, own: list[dict[str, str]]) -> None:
    """Without one proactive post nothing proactive is learnt."""
    data = write(tmp_path / "own.csv", [row for row in own if row["label"] != "proactive"])

    with pytest.raises(ModelError, match="no post labelled proactive"):
        train_on(Settings(), data, base=True, out=tmp_path / "model", force=False, say=lambda _: None)


def test_posts_of_one_brand_are_split_by_time(tmp_path: Path, own: list[dict[str, str]], bad: Settings) -> None:
    """One brand alone: fifths of the file are held out, and the base joins in."""
    said: list[str] = []
    data = write(tmp_path / "own.csv", [row | {"brand": "acme"} for row in own])

    train_on(bad, data, base=True, out=tmp_path, force=False, say=said.append)

    assert float(said[-1].split("macro-F1 ")[1].split()[0]) > 0.6
