"""Kafka Streams as a peer: built by Maven where it and a JDK are found."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np

from models.artifact import SHIPPED, load_weights
from pipeline.posts import STAGES
from pipeline.settings import URGENT_WORDS, Settings

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def found() -> bool:
    """Whether Maven and a Java compiler are there."""
    return shutil.which("mvn") is not None and shutil.which("javac") is not None


def command(settings: Path) -> list[str]:
    """Build if need be, write the weights beside the settings, and say how it is started."""
    target = ROOT / "build" / "kafka_streams"
    classpath = target / "classpath"
    sources = max(path.stat().st_mtime for path in HERE.rglob("*") if path.is_file())
    if not classpath.exists() or classpath.stat().st_mtime < sources:
        build = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), f"-DbuildDirectory={target}", "package"]
        subprocess.run([*build, "dependency:build-classpath", f"-Dmdep.outputFile={classpath}"], check=True)
    weights = settings.with_suffix(".weights")
    loaded = load_weights(SHIPPED)
    weights.write_bytes(loaded.pairs.view(np.float32).astype("<f4").tobytes() + loaded.bias.astype("<f8").tobytes())
    Path(f"{weights}.urgent").write_text(" ".join(URGENT_WORDS))
    jars = f"{target / 'classes'}:{classpath.read_text().strip()}"
    model, thresholds = loaded.model, Settings().thresholds_by_stage()
    arguments = [str(settings), str(weights), model.version, model.sha256, *(str(thresholds[one]) for one in STAGES)]
    return ["java", "-Xmx1g", "-cp", jars, "ks.Main", *arguments]
