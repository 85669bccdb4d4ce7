"""From what mistakes cost to the confidence under which a verdict goes to people.

Chow's rule (1970, On optimum recognition error and reject tradeoff): act where the expected cost of acting is below
that of a look by a person. What the model does not give to the stage it chose is taken to lie on the other stages in
the proportion in which they come, so the rule becomes one threshold a stage.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.posts import Stage

SHARES = {Stage.REACTIVE: 0.55, Stage.PROACTIVE: 0.06, Stage.ENGAGEMENT: 0.39}
"""How often each stage comes among posts about a brand: counted by two readers on 900 of them."""


def threshold(judged: Stage, cost_of: Mapping[Stage, float], review: float) -> float:
    """The confidence from which acting on a verdict costs less than `review`.

    Args:
        judged: the stage that the verdict names.
        cost_of: what it costs when a post of another stage is judged so, by the true stage.
        review: what a look by a person costs.
    """
    others = [stage for stage in Stage if stage is not judged]
    mistake = sum(SHARES[stage] * cost_of[stage] for stage in others) / sum(SHARES[stage] for stage in others)
    return round(max(0.0, 1 - review / mistake), 4) if mistake > 0 else 0.0
