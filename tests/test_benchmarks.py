"""The benchmark is fair: its posts are all good, its peers make the worker's record, and what differs is noticed."""

from __future__ import annotations

from itertools import islice

from benchmarks import added
from benchmarks.check import Checked, Expected, Output, check
from benchmarks.contenders.stock import StockClassifier
from benchmarks.posts import brands, posts
from models.classifier import StageClassifier
from pipeline.classify import Classifier
from pipeline.decode import decode
from pipeline.posts import Post
from pipeline.route import Place, Router, route_all, topic_of
from pipeline.settings import Settings

COUNT, AT, NOW = 300, 1_790_000_000_000, 1_790_000_000_123
SETTINGS = Settings.model_validate({"brands": brands(5)})
VALUES = [value for _, value in posts(COUNT)]
INPUTS = {(3, offset): (value, AT) for offset, value in enumerate(VALUES)}


def _outputs(classifier: Classifier) -> list[Output]:
    """What a contender with some model writes of the posts."""
    found = [post for post in decode(VALUES, [AT] * COUNT) if isinstance(post, Post)]
    places = [Place("tweets", 3, offset, AT) for offset in range(COUNT)]
    router = Router(SETTINGS, classifier.model)
    routed = route_all(router, found, classifier.classify(found), places, NOW)
    return [Output(topic_of(one.queue), one.partition, one.key, one.value, one.headers) for one in routed]


def test_the_same_arguments_make_the_same_posts() -> None:
    """Every contender and every sitting gets the same bytes."""
    assert list(islice(posts(COUNT), 50)) == list(islice(posts(COUNT), 50))


def test_a_peer_makes_the_workers_record() -> None:
    """With stock scikit-learn, all of the record but the verdict is the worker's, value for value."""
    assert Checked(COUNT, COUNT, 0, "") == check(Expected(SETTINGS, INPUTS, None), _outputs(StockClassifier()))


def test_the_worker_makes_its_own_record() -> None:
    """With the worker's model the verdict is compared too."""
    ours = StageClassifier.load()

    assert Checked(COUNT, COUNT, 0, "") == check(Expected(SETTINGS, INPUTS, ours), _outputs(ours))


def test_what_differs_is_noticed() -> None:
    """A changed value, a header that is missing and a record in another place are each counted as wrong."""
    first, second, third, *_ = _outputs(StageClassifier.load())
    changed = first._replace(value=first.value.replace(b'"language":"en"', b'"language":"de"'))
    bare = second._replace(headers=[header for header in second.headers if header[0] != "ce_time"])
    moved = third._replace(partition=4)

    found = check(Expected(SETTINGS, INPUTS, None), [changed, bare, moved])

    assert (3, 3) == (found.unique, found.wrong)


def test_what_watching_costs_is_measured_side_by_side() -> None:
    """Each pair does the same work; here once, for the figures need many turns."""
    found = added.compared(added.works(50), 1)

    assert {"drift"} <= set(found)
    assert all(one["ratio"] > 0 for one in found.values())
    assert added.counting_alone(1) > 0
