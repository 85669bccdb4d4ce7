"""compose/fake-x.yaml: the settings with which all programs of the laptop talk to its fake X and its Kafka."""

from __future__ import annotations

from pathlib import Path

import yaml

from agents import fake_x_by_hand
from agents.fake_x import FakeX
from pipeline.settings import load

FILE = Path(__file__).parent / "fake-x.yaml"
SAMPLE = Path(fake_x_by_hand.__file__).parent / "sample" / "settings.yaml"
HEAD = "# Made by `make deploy-files`: the invented brands of the sample, on the laptop's fake X and Kafka.\n"


def text() -> str:
    """As YAML."""
    x = FakeX(host="fake-x", port=8321)  # never started: it only knows its accounts
    sample = load(SAMPLE)
    found = yaml.safe_load(fake_x_by_hand.settings_for(x, sample.brands))
    kafka = {"bootstrap_servers": ["kafka:29092"], "allow_plaintext": True}
    topics = {"partitions": sample.topics.partitions}
    return HEAD + yaml.safe_dump({"kafka": kafka, "topics": topics, **found}, sort_keys=False)
