"""docs/configure.md: its commands are run on the real broker, with the least settings that it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

from pipeline.settings import Settings

PAGE = (Path(__file__).parents[1] / "docs" / "configure.md").read_text(encoding="utf-8")
[LEAST] = re.findall(r"## The least that works\n\n```yaml\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line.split()[1:] for line in re.findall(r"(?m)^triage .+$", PAGE)]


def test_the_page_is_run(settings: Settings, folder: Path) -> None:
    """Settings shown, topics made and checked; and the password is a file's, of which no word is shown."""
    secret = folder / "password"
    secret.write_text("never shown")
    least = yaml.safe_load(LEAST)
    least["kafka"]["sasl_password_file"] = str(secret)
    here = {"bootstrap_servers": list(settings.kafka.bootstrap_servers), "security_protocol": "PLAINTEXT"}
    content = least | {"kafka": least["kafka"] | here, "topics": {"prefix": settings.topics.prefix, "partitions": 1}}
    (folder / "settings.yaml").write_text(yaml.safe_dump(content))

    said = [_run(words, folder) for words in COMMANDS]

    assert ["settings", "topics", "topics"] == [words[2] for words in COMMANDS]
    assert "northwind_air" in said[0]
    assert not any("never shown" in one for one in said)


def _run(words: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "agents", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout + done.stderr
