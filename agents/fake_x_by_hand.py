"""`triage fake-x`: the fake X run by hand, with a crowd that writes the project's sample of posts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event

import yaml

from agents.fake_x import FakeX
from agents.fake_x_crowd import Crowd
from pipeline.settings import Brand
from pipeline.settings import load as load_settings

_SAMPLE = Path(__file__).parent / "sample"
_GROUPS = {name: {"group": f"fake-x-{name}"} for name in ("worker", "responses", "poster", "listener")}
APART = {"topics": {"prefix": "fake-x."}, **_GROUPS}
"""Settings with which it shares a broker: what waits in another installation is not known to a fake X, so gone."""


def run_fake_x(
    *,
    host: str,
    port: int,
    rate: float,
    visible_after_s: float,
    say: Callable[[str], None],
    out: Callable[[str], None],
) -> None:
    """Serve until Ctrl-C; the settings that point at it go to `out`, all else to `say`.

    Raises:
        OSError: the port is taken.
    """
    brands = load_settings(_SAMPLE / "settings.yaml").brands
    with FakeX(host=host, port=port, visible_after_s=visible_after_s) as x:
        out(settings_for(x, brands) + yaml.safe_dump(APART, sort_keys=False))
        say(_words(x, rate))
        crowd = Crowd(x.world, (_SAMPLE / "posts.jsonl").read_bytes().splitlines())
        never = Event()
        while not never.wait(1 / rate if rate else 3600.0):
            if rate and crowd.publish_next() is None:
                say("the crowd has written all of its posts; publish more with /fake/publish")
                rate = 0.0


def settings_for(x: FakeX, brands: tuple[Brand, ...]) -> str:
    """Settings, as YAML, with which everything talks to this fake X instead of X."""
    bearer, consumer_key, consumer_secret, _, _ = x.access(brands[0].handles[0])
    found = []
    for brand in brands:
        access = x.access(brand.handles[0])
        account = {"access_token": access.access_token, "access_token_secret": access.access_secret}
        ids = [x.world.user(handle).id for handle in brand.handles]
        names = {"name": brand.name, "handles": list(brand.handles), "ids": ids, "aliases": list(brand.aliases)}
        found.append({**names, "x": account})
    app = {"base_url": x.base_url, "bearer_token": bearer}
    consumer = {"consumer_key": consumer_key, "consumer_secret": consumer_secret}
    return yaml.safe_dump({"x": {**app, **consumer}, "brands": found}, sort_keys=False)


def _words(x: FakeX, rate: float) -> str:
    crowd = f"A crowd writes {rate:g} posts a second." if rate else "Nobody writes by himself."
    return f"""The fake X is at {x.base_url}; Ctrl-C ends it. {crowd}
Point the settings at it with what stands above, as a file: triage --settings fake-x.yaml …
Write to it by hand:
  curl {x.base_url}/fake/publish -d '{{"text": "@Brewbound where is my order?", "author": "anna"}}'
  curl {x.base_url}/fake/dm -d '{{"sender": "anna", "recipient": "Brewbound", "text": "my number is 7"}}'
  curl {x.base_url}/fake/faults/drop -d '{{}}'    (every fault: curl {x.base_url}/fake/)
  curl {x.base_url}/fake/counts"""
