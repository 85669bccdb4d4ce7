"""X as a source: rules changed by difference, what X says of them, sweeps through search and mentions."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from agents.fake_x import FakeX
from agents.listener import check
from agents.sources import Ending, Heard
from agents.x_api import XApi
from agents.x_source import XSource, access_of, require_credentials, require_handles
from pipeline.backoff import Cause
from pipeline.clocks import SystemClock
from pipeline.errors import SettingsError, XRefused
from pipeline.gaps import Gap
from pipeline.listener_metrics import ListenerMetrics
from pipeline.settings import Brand, Settings
from pipeline.settings_listener import Prices
from pipeline.settings_x import X
from pipeline.sweeps import Route

NOW = SystemClock().now()


class Bench:
    """A source on a fake X of its own, and its metrics."""

    def __init__(self, fake: FakeX) -> None:
        account = fake.world.user("Acme")
        access = fake.access(account)
        self.fake = fake
        self.registry = CollectorRegistry()
        self.metrics = ListenerMetrics(self.registry, Prices(), SystemClock().now)
        self.settings = Settings(
            brands=(Brand(name="acme", handles=("Acme",), aliases=("lost bag",)),),
            x=X.model_validate({"bearer_token": access.bearer, "base_url": fake.base_url}),
        )
        self.api = XApi(access_of(self.settings), base_url=fake.base_url)
        self.source = XSource(self.settings, self.api, self.metrics)

    def listen(self) -> Ending:
        """One connection that is closed as soon as it is open."""
        return self.source.listen(Heard(lambda *_: None, lambda: None, self.source.hang_up), None)

    def rules(self) -> list[tuple[str, str | None]]:
        """What stands on the server."""
        return [(rule.value, rule.tag) for rule in self.fake.world.rules.values()]


@pytest.fixture
def bench() -> Iterator[Bench]:
    """With a fake X in real time."""
    with FakeX() as fake:
        made = Bench(fake)
        yield made
        made.api.close()


def test_rules_are_changed_by_difference(bench: Bench) -> None:
    """What is there stays, with its id; what is missing is added; what is nobody's, or has another tag, goes."""
    kept = bench.fake.world.add_rule("(@Acme OR to:Acme) -is:retweet", "acme:mentions")
    bench.fake.world.add_rule("from:Acme", "old:own")
    bench.fake.world.add_rule("something else", "other")

    assert Ending(None) == bench.listen()

    assert kept.id in bench.fake.world.rules
    assert sorted(bench.rules()) == [
        ('"lost bag" -is:retweet', "acme:aliases"),
        ("(@Acme OR to:Acme) -is:retweet", "acme:mentions"),
        ("from:Acme", "acme:own"),
    ]


def test_xs_reason_for_a_rule_is_shown(bench: Bench) -> None:
    """It stands in `details`, beside a title that says nothing."""
    brand = Brand(name="acme", aliases=("!",))
    source = XSource(bench.settings.model_copy(update={"brands": (brand,)}), bench.api, bench.metrics)

    with pytest.raises(SettingsError, match=r"X does not take rules .*: there is no word in '!'"):
        source.listen(Heard(lambda *_: None, lambda: None, source.hang_up), None)


def test_the_second_connection_asks_for_no_rules(bench: Bench) -> None:
    """Until X says that there are none."""
    bench.listen()
    before = bench.fake.counts.of("GET /2/tweets/search/stream/rules")
    bench.listen()

    assert (1, 1) == (before, bench.fake.counts.of("GET /2/tweets/search/stream/rules"))


def _leave_stuck(bench: Bench) -> None:
    """A listener connects and is frozen: X goes on counting its stream."""

    def frozen() -> None:
        bench.fake.faults.half_open(stuck=True)
        bench.source.hang_up()

    bench.source.listen(Heard(lambda *_: None, lambda: None, frozen), None)


def test_a_stream_that_x_still_counts_is_ended(bench: Bench) -> None:
    """TooManyConnections: waiting does not cure it; the other stream is ended, and the next attempt gets in."""
    _leave_stuck(bench)

    refused, after = bench.listen(), bench.listen()

    assert (Cause.CLOSED, None, True) == (refused.cause, refused.reset_at, refused.reached)
    assert Ending(None) == after


def test_too_many_connections_though_they_were_ended(bench: Bench) -> None:
    """The second refusal in a row waits as X asks: two programs that end each other's stream are no hot loop."""
    bench.fake.faults.too_many_connections(times=2)

    assert [Cause.CLOSED, Cause.LIMITED] == [bench.listen().cause, bench.listen().cause]
    assert 1 == bench.fake.counts.of("DELETE /2/connections/all")


def test_too_many_connections_that_cannot_be_ended(bench: Bench) -> None:
    """X does not answer that either: it waits as for any 429."""
    bench.fake.faults.too_many_connections()
    bench.fake.faults.unavailable(to="DELETE /2/connections/all")

    assert Cause.LIMITED is bench.listen().cause


def test_who_has_lost_the_lease_ends_nobodys_stream(bench: Bench) -> None:
    """A frozen listener that wakes up is refused, and the one that took over goes on."""
    _leave_stuck(bench)
    late = XSource(bench.settings, bench.api, bench.metrics, held=lambda: False)

    assert Cause.LIMITED is late.listen(Heard(lambda *_: None, lambda: None, late.hang_up), None).cause
    assert 0 == bench.fake.counts.of("DELETE /2/connections/all")


@pytest.mark.parametrize(
    ("status", "cause", "refused"),
    [(503, Cause.UNAVAILABLE, False), (429, Cause.LIMITED, False), (401, Cause.UNAVAILABLE, True)],
)
def test_rules_that_cannot_be_asked_for(status: int, cause: Cause, refused: bool, bench: Bench) -> None:
    """That is no attempt to connect, and waits as one."""
    bench.fake.faults.refuse(status, to="GET /2/tweets/search/stream/rules")

    ending = bench.listen()

    assert (cause, refused, False) == (ending.cause, ending.refused, ending.reached)


def test_a_sweep_reads_mentions_and_search(bench: Bench) -> None:
    """Each post once, with the tags of all that found it."""
    world = bench.fake.world
    both = world.publish("@Acme lost bag again", author="lena")
    world.publish("nothing of ours", author="max")
    gap = Gap("g", "x", Cause.CLOSED, NOW - 60, NOW, until=NOW)
    search = bench.source.search(gap, NOW)
    while search.step():
        pass

    found = {taken.first_id: json.loads(taken.value) for taken in search.found}
    assert {both.id} == set(found)
    tags = [rule["tag"] for rule in found[both.id]["matching_rules"]]
    assert "acme:mentions" in tags
    assert search.read == sum(bench.metrics.reading.posts[route] for route in (Route.SEARCH, Route.MENTIONS))


def test_a_sweep_reads_no_further_than_the_gap(bench: Bench) -> None:
    """What came after a gap that ended a while ago is not paid for again, of mentions as little as of search."""
    bench.fake.world.publish("@Acme lost bag", author="lena")
    before = bench.fake.counts.posts_read
    later = bench.fake.clock.now() + 1.0

    for until, read in ((later - 60, 0), (later, 1)):
        search = bench.source.search(Gap("g", "x", Cause.RESTART, later - 600, later - 500, until=until), later)
        while search.step():
            pass
        assert read == search.read == bench.fake.counts.posts_read - before


def test_an_account_that_x_does_not_know(bench: Bench) -> None:
    """Before it connects all such handles are said; where X does not answer, it listens all the same."""
    brand = Brand(name="acme", handles=("Acme", "nobody", "neither"))
    settings = bench.settings.model_copy(update={"brands": (brand,)})

    with pytest.raises(SettingsError, match="no account @nobody, @neither: correct the handle"):
        require_handles(settings)
    bench.fake.faults.unavailable()
    require_handles(settings)


def test_an_account_that_vanishes_stops_no_other(bench: Bench) -> None:
    """Its timeline is refused, which is asked for again later; sweeps go on with the other accounts."""
    brands = (Brand(name="gone", handles=("nobody",)), *bench.settings.brands)
    source = XSource(bench.settings.model_copy(update={"brands": brands}), bench.api, bench.metrics)

    with pytest.raises(XRefused, match="no account @nobody"):
        source.user_id("nobody")
    assert ["acme"] == [name for _, name in source.accounts()]


def test_an_account_that_vanishes_later_keeps_no_gap_open(bench: Bench) -> None:
    """X says 404 of its mentions, whose id was known by then: the searches go on."""
    bench.source.accounts()
    bench.fake.faults.refuse(404, to="GET /2/users/:id/mentions")
    now = bench.fake.clock.now() + 60

    search = bench.source.search(Gap("g", "x", Cause.CLOSED, now - 120, now, until=now - 1), now)
    while search.step():
        pass

    asked = bench.fake.counts.by_route
    assert 1 == asked["GET /2/users/:id/mentions", 404]
    assert len(bench.source.queries) == asked["GET /2/tweets/search/recent", 200]


def test_what_was_read_has_its_price(bench: Bench) -> None:
    """So far, and in a month like this."""
    bench.metrics.active(True)
    bench.metrics.reading.read(Route.MENTIONS, [str(number) for number in range(1000)])

    assert 1000 == bench.registry.get_sample_value("triage_x_posts_read", {"route": "mentions"})
    assert 1.0 == bench.registry.get_sample_value("triage_x_cost_dollars", {"route": "mentions"})
    assert 720 == pytest.approx(bench.registry.get_sample_value("triage_x_cost_month_dollars", {"route": "mentions"}))


def test_without_a_bearer_token() -> None:
    """The error says where to get one, and where to put it."""
    with pytest.raises(SettingsError, match=r"developer\.x\.com.*x\.bearer_token_file"):
        require_credentials(Settings())


def test_the_apps_token_that_cannot_be_one_is_said_at_the_start() -> None:
    """Also where no brand has an account."""
    with pytest.raises(SettingsError, match="holds a space"):
        require_credentials(Settings.model_validate({"x": {"bearer_token": "AA AA"}}))


def test_a_brands_token_that_cannot_be_one_is_said_at_the_start() -> None:
    """Before anything is connected, and without showing it."""
    brand = {"name": "acme", "handles": ["Acme"], "x": {"access_token": "5-a b", "access_token_secret": "c"}}
    made = Settings.model_validate({"brands": [brand], "x": {"bearer_token": "AAAA"}})

    with pytest.raises(SettingsError, match="X's access_token holds a space"):
        require_credentials(made)


def test_rules_that_no_search_takes_end_the_start() -> None:
    """Not only the one that takes over: gaps are filled by searches, which are half as long."""
    brand = {"name": "acme", "aliases": ["air"], "listen": {"exclude": [f"word {number:02}" for number in range(60)]}}
    made = Settings.model_validate({"x": {"bearer_token": "AAAAAA"}, "brands": [brand]})

    with pytest.raises(SettingsError, match="no search of 512 characters"):
        check(made, None)
