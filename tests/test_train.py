"""Training: the same corpus gives the same model, judged on families that it has not seen."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from models import corpora, train
from models.artifact import load_weights
from models.card import calibration_error, figures
from models.corpora import Corpus, joined, read_corpus
from models.pipeline_artifact import load_pipeline
from models.reference import load_reference
from models.train import temperature
from pipeline.errors import ModelError
from pipeline.posts import Stage

CORPUS = train.HERE / "corpus" / "posts.csv"


@pytest.fixture(scope="module")
def small() -> Corpus:
    """Every fifth post of the corpus, as if a team had them in its own file."""
    whole = read_corpus(CORPUS)
    return Corpus(whole.texts[::5], whole.stages[::5], whole.families[::5], whole.industries[::5], whole.languages[::5])


@pytest.fixture(scope="module")
def trained(small: Corpus) -> train.Trained:
    """A model of the small corpus."""
    said: list[str] = []
    return train.train(small, 2, said.append)


def test_the_corpus_is_in_order() -> None:
    """Ids and texts are unique, the stages are ours, each well represented, in at least 30 families."""
    with CORPUS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    stages = Counter(row["stage"] for row in rows)

    assert list(rows[0]) == ["id", "text", "stage", "industry", "kind", "language", "family"]
    assert len(rows) == len({row["id"] for row in rows}) == len({row["text"].strip().casefold() for row in rows})
    assert {stage.value for stage in Stage} == set(stages)
    assert min(stages.values()) >= 500
    assert len({row["family"] for row in rows}) >= 30


def test_the_same_corpus_gives_the_same_model(small: Corpus, trained: train.Trained) -> None:
    """A second training ends in the same digest and figures, and has said how far it is."""
    said: list[str] = []

    again = train.train(small, 2, said.append)

    assert (trained.digest, trained.figures) == (again.digest, again.figures)
    assert [line.partition(":")[0] for line in said[:2]] == ["fold 1 of 2", "fold 2 of 2"]
    assert said[2].startswith("macro-F1 0.")


def test_no_family_is_judged_by_a_model_that_knows_it(small: Corpus) -> None:
    """Each fold learns and judges different families, and each post is judged once."""
    families = np.array(small.families)
    folds = list(corpora.folds(small, 3))

    assert list(range(len(small.texts))) == sorted(row for _, unseen in folds for row in unseen.tolist())
    for learnt, unseen in folds:
        assert set() == set(families[learnt]) & set(families[unseen])


def test_it_learns_something(trained: train.Trained) -> None:
    """From 1,950 posts, unseen families are judged far better than by chance."""
    assert trained.figures.macro_f1 > 0.6
    assert trained.figures.ece < 0.15


def test_made_up_posts_are_corrected_for(small: Corpus, trained: train.Trained) -> None:
    """What is learnt from made-up posts leans to reactive and is surer of nothing; half of them, half as far."""
    made_up = train.train(small._replace(made_up=1.0), 2, lambda _: None)
    half = joined(small, small._replace(made_up=1.0))

    assert (made_up.judged == 0).sum() > 1.2 * (trained.judged == 0).sum()
    assert half.made_up == 0.5


def test_what_is_written_can_be_read(trained: train.Trained, tmp_path: Path) -> None:
    """Weights, Pipeline and card belong together: one hash, one digest, the same weights."""
    weights, whole, beside, card = train.write(trained, tmp_path / "new", tmp_path / "CARD.md", "Notes.")

    loaded, pipeline = load_weights(weights), load_pipeline(whole)
    reference = load_reference(weights, loaded.model)

    assert reference is not None
    assert trained.reference.shares == reference.shares
    assert beside.name == "stages.reference.npz"
    assert trained.digest == train.digest(*train.weights_of(pipeline))
    np.testing.assert_array_equal(pipeline.named_steps["model"].coef_[0], loaded.pairs.real)
    assert f"`{loaded.model.sha256}`" in card.read_text()
    assert f"`{trained.digest}`" in card.read_text()


def test_the_shipped_card_is_of_the_shipped_weights() -> None:
    """The card states the hash of the weights that lie beside it."""
    assert f"`{load_weights().model.sha256}`" in (train.HERE / "MODEL_CARD.md").read_text()


def test_temperature_calms_what_is_too_sure() -> None:
    """Scores that are three times too large are divided by three, and confidence then fits what is right."""
    random = np.random.default_rng(7)
    scores = random.normal(size=(4_000, 3))
    stages = np.array([random.choice(3, p=row) for row in softmax(scores, axis=1)])

    found = temperature(scores * 3, stages, np.zeros(3))

    assert pytest.approx(3, rel=0.1) == found
    assert calibration_error(scores * 3 / found, stages) < 0.03 < calibration_error(scores * 3, stages)


def test_figures_by_industry_and_language() -> None:
    """A perfect and a hopeless industry are told apart, and so are languages."""
    scores = np.eye(3)[[0, 1, 1, 0]] * 9.0

    found = figures(scores, np.array([0, 1, 0, 1]), ["a", "a", "b", "b"], ["en", "de", "en", "de"])

    assert found.by_industry == {"a": (2, 1.0), "b": (2, 0.0)}
    assert {language: (count, round(f1, 3)) for language, (count, f1) in found.by_language.items()} == {
        "de": (2, 0.667),
        "en": (2, 0.667),
    }
    assert found.by_stage["reactive"] == (2, 0.5, 0.5, 0.5)


@pytest.mark.parametrize("content", ["text,stage\nhello,reactive\n", "text,stage,family\nhello,angry,cars\n"])
def test_a_broken_corpus_is_refused(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing column or an unknown stage ends with code 1 and a message."""
    path = tmp_path / "posts.csv"
    path.write_text(content)

    with pytest.raises(ModelError, match="is not a corpus"):
        read_corpus(path)
    assert train.main(["--corpus", str(path)]) == 1
    assert "it needs the columns text, stage, family" in capsys.readouterr().out


def test_the_command_writes_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m models.train` writes the artifacts and the card where it is told, and prints the digest."""
    with CORPUS.open(encoding="utf-8") as file:
        (tmp_path / "posts.csv").write_text("".join(file.readlines()[:301]), encoding="utf-8")
    places = ["--corpus", tmp_path / "posts.csv", "--folder", tmp_path / "out", "--card", tmp_path / "CARD.md"]

    code = train.main([*map(str, places), "--folds", "2"])

    assert code == 0
    artifacts = ("stages.npz", "stages.reference.npz", "stages.skops")
    assert {name + end for name in artifacts for end in ("", ".sha256")} == {
        path.name for path in (tmp_path / "out").iterdir()
    }
    assert "digest " in capsys.readouterr().out
