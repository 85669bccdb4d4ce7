"""A Dockerfile as its stages and steps: what is run without Docker is taken from the very file that Docker gets."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """One instruction: its word, its flags (--from=build), the rest."""

    word: str
    flags: tuple[tuple[str, str], ...]
    rest: str

    def words(self) -> list[str]:
        """The rest in words, from JSON or as they stand."""
        return list(json.loads(self.rest)) if self.rest.startswith("[") else shlex.split(self.rest)


class Stage(NamedTuple):
    """What one FROM begins."""

    base: str
    name: str
    steps: list[Step]


def read(text: str) -> list[Stage]:
    """All stages, in their order."""
    found: list[Stage] = []
    for step in _steps(text):
        if step.word == "FROM":
            base, _, name = step.rest.partition(" AS ")
            found.append(Stage(base, name or str(len(found)), []))
        else:
            found[-1].steps.append(step)
    return found


def _steps(text: str) -> Iterator[Step]:
    lines = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        flags = []
        while flag := re.match(r"--([a-z]+)=(\S+)\s+", rest := rest.strip()):
            flags.append((flag[1], flag[2]))
            rest = rest[flag.end() :]
        yield Step(word, tuple(flags), rest)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Text with its ${NAME}s put in.

    Raises:
        KeyError: a name that is not declared.
    """
    return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text)


class Ignored:
    """What .dockerignore keeps from the builder: the last line that fits decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        self._lines = [line for line in lines if line and not line.startswith("#")]

    def __call__(self, path: Path) -> bool:
        """Whether it is kept back; `path` is seen from the context."""
        ignored = False
        for line in self._lines:
            if any(_fits(line.removeprefix("!"), part) for part in (path, *path.parents)):
                ignored = not line.startswith("!")
        return ignored


def _fits(pattern: str, path: Path) -> bool:
    if pattern.startswith("**/"):
        return fnmatch(path.name, pattern.removeprefix("**/"))
    return len(path.parts) == pattern.count("/") + 1 and fnmatch(str(path), pattern)
