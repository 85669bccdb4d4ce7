"""Kafka Streams as a peer: built by Maven where it and a JDK are found."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np

from models.artifact import SHIPPED, load_weights
from pipeline import phrases
from pipeline.posts import STAGES
from pipeline.settings import URGENT_WORDS, Settings

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def found() -> bool:
    """Whether Maven and a Java compiler are there."""
    return shutil.which("mvn") is not None and shutil.which("javac") is not None


def command(settings: Path) -> list[str]:
    """Build if need be, write the weights beside the settings, and say how it is started."""
    weights = settings.with_suffix(".weights")
    loaded = load_weights(SHIPPED)
    weights.write_bytes(loaded.pairs.view(np.float32).astype("<f4").tobytes() + loaded.bias.astype("<f8").tobytes())
    Path(f"{weights}.urgent").write_text(" ".join(URGENT_WORDS))
    model, thresholds = loaded.model, Settings().thresholds_by_stage()
    arguments = [str(weights), model.version, model.sha256, *(str(thresholds[one]) for one in STAGES)]
    return ["java", "-Xmx1g", "-cp", _built(), "ks.Main", str(settings), *arguments]


def state_command(settings: Path) -> list[str]:
    """The same for the bookkeeping of response times: beside the settings stands what texts are searched for."""
    file = settings.with_suffix(".phrases")
    found = {
        "thanks": " ".join(sorted(phrases._THANKS)),  # noqa: SLF001 - so that both look for the same
        "along": " ".join(sorted(phrases._ALONG)),  # noqa: SLF001
        "no_words": phrases._NO_WORDS.pattern,  # noqa: SLF001
        "emoji": phrases._EMOJI.pattern,  # noqa: SLF001
        "praise": phrases._PRAISE.pattern,  # noqa: SLF001
        "dm": phrases._DM.pattern,  # noqa: SLF001
        "email": rf"[\w.+-]{phrases._ADDRESS_END.pattern}|{phrases._EMAIL.pattern}",  # noqa: SLF001
    }
    file.write_text(json.dumps(found, ensure_ascii=False))
    return ["java", "-Xmx1g", "-cp", _built(), "ks.State", str(settings), str(file)]


def _built() -> str:
    """The classpath; built if the sources are newer."""
    target = ROOT / "build" / "kafka_streams"
    classpath = target / "classpath"
    sources = max(path.stat().st_mtime for path in HERE.rglob("*") if path.is_file())
    if not classpath.exists() or classpath.stat().st_mtime < sources:
        build = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), f"-DbuildDirectory={target}", "package"]
        subprocess.run([*build, "dependency:build-classpath", f"-Dmdep.outputFile={classpath}"], check=True)
    return f"{target / 'classes'}:{classpath.read_text().strip()}"
