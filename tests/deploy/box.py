"""Docker's work without Docker: the steps of a Dockerfile in clean folders, and what comes out in a read-only root.

Bubblewrap gives each process a root of its own: the stage's folder, with this machine's /usr in it (to read) in place
of the base image's, a few files of its /etc, and this Python at /usr/local, where the base image has its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from dockerfile import Ignored, Stage, Step, fill

BASE_ENV = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
"""As python:3.11-slim has it."""
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
MOUNTS = ("usr", "etc", "proc", "dev", "tmp")
ETC = ("ssl", "alternatives", "resolv.conf", "hosts", "nsswitch.conf", "passwd", "group", "ld.so.cache", "localtime")
REGISTRY = ("PIP_INDEX_URL", "PIP_CERT", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
Make = Callable[["Image", Step], None]


class Image:
    """A stage as its steps made it: a folder and what the image would say of itself."""

    def __init__(self, bwrap: str, context: Path, folder: Path, others: Mapping[str, Image]) -> None:
        self.folder = folder
        self.env = dict(BASE_ENV)
        self.arguments: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self.user = "0:0"
        self.workdir = "/"
        self.entrypoint: list[str] = []
        self.ports: list[str] = []
        self._bwrap = bwrap
        self._context = context
        self._others = others
        self._ignored = Ignored((context / ".dockerignore").read_text(encoding="utf-8"))
        for name in (*MOUNTS, "root"):
            (folder / name).mkdir(parents=True)
        for name, to in LINKS.items():
            (folder / name).symlink_to(to)
        for source in (Path("/etc") / name for name in ETC):
            if source.is_dir():
                shutil.copytree(source, folder / "etc" / source.name, symlinks=True)
            elif source.exists():
                shutil.copyfile(source, folder / "etc" / source.name)

    def make(self, stage: Stage) -> Image:
        """Do its steps.

        Raises:
            KeyError: a step that is not known here.
        """
        for step in stage.steps:
            _STEPS[step.word](self, step)
        return self

    def command(
        self,
        *words: str,
        tmp: Path,
        env: Mapping[str, str] | None = None,
        volumes: Mapping[str, Path] | None = None,
    ) -> list[str]:
        """How its user runs something in it: all read-only but /tmp, no rights, nothing of our environment."""
        user, group = self.user.split(":")
        who = ["--unshare-user", "--uid", user, "--gid", group, "--cap-drop", "ALL", "--unshare-pid", "--as-pid-1"]
        root = ["--ro-bind", str(self.folder), "/", *_machine(), "--bind", str(tmp), "/tmp"]
        for target, source in (volumes or {}).items():
            self._inside(target).parent.mkdir(parents=True, exist_ok=True)
            self._inside(target).touch()
            root += ["--ro-bind", str(source), target]
        return [self._bwrap, *who, *root, *_said(self.env | dict(env or {}), self.workdir), *words]

    def _inside(self, path: str) -> Path:
        return self.folder / (Path(self.workdir) / path).relative_to("/")

    def _run(self, step: Step) -> None:
        """As root, with the cache that is asked for; what it writes stays in the folder."""
        binds = [part for flag, value in step.flags for part in _cache(flag, value)]
        reach = {name: os.environ[name] for name in (*REGISTRY, *PROXIES) if name in os.environ}
        env = self.env | self.arguments | {"HOME": "/root"} | reach
        root = ["--bind", str(self.folder), "/", *_machine(), *binds]
        as_root = ["--unshare-user", "--uid", "0", "--gid", "0"]
        command = [self._bwrap, *as_root, *root, *_said(env, self.workdir), "/bin/sh", "-c", step.rest]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            raise AssertionError(f"RUN {step.rest}\n{done.stdout}{done.stderr}")

    def _copy(self, step: Step) -> None:
        """From the context, less what is ignored, or from another stage."""
        *sources, target = step.words()
        stage = dict(step.flags).get("from")
        for source in sources:
            origin = self._others[stage].folder / source.lstrip("/") if stage else self._context / source
            to = self._inside(target)
            if origin.is_dir():
                copy, left_out = (os.link, None) if stage else (shutil.copy2, self._left_out)
                shutil.copytree(origin, to, symlinks=True, dirs_exist_ok=True, ignore=left_out, copy_function=copy)
            elif self._ignored(Path(source)):
                raise AssertionError(f"COPY {source}: .dockerignore keeps it from the builder")
            else:
                folder = to if target.endswith("/") else to.parent
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy2(origin, to / origin.name if target.endswith("/") else to)

    def _left_out(self, folder: str, names: list[str]) -> set[str]:
        seen = Path(folder).relative_to(self._context)
        return {name for name in names if self._ignored(seen / name)}

    def _workdir(self, step: Step) -> None:
        self.workdir = step.rest
        self._inside(".").mkdir(parents=True, exist_ok=True)

    def _environment(self, step: Step) -> None:
        self.env |= dict(word.split("=", 1) for word in step.words())

    def _argument(self, step: Step) -> None:
        name, _, value = step.rest.partition("=")
        self.arguments[name] = value

    def _label(self, step: Step) -> None:
        self.labels |= dict(fill(word, self.arguments).split("=", 1) for word in step.words())

    def _be(self, step: Step) -> None:
        self.user = step.rest

    def _enter(self, step: Step) -> None:
        self.entrypoint = step.words()

    def _default(self, step: Step) -> None:
        """What is run when nothing is asked for is of no matter here."""

    def _expose(self, step: Step) -> None:
        self.ports += step.words()


_STEPS: dict[str, Make] = {
    "RUN": Image._run,
    "COPY": Image._copy,
    "WORKDIR": Image._workdir,
    "ENV": Image._environment,
    "ARG": Image._argument,
    "LABEL": Image._label,
    "USER": Image._be,
    "ENTRYPOINT": Image._enter,
    "CMD": Image._default,
    "EXPOSE": Image._expose,
}


def build(bwrap: str, stages: list[Stage], context: Path, folder: Path) -> dict[str, Image]:
    """All stages by name, each in a folder of its own; one that only names a base is a clean one."""
    made: dict[str, Image] = {}
    for stage in stages:
        made[stage.name] = Image(bwrap, context, folder / stage.name, made).make(stage)
    return made


def _machine() -> list[str]:
    """This machine's system and Python, in place of the base image's."""
    python = Path(sys.base_prefix).resolve()
    if python == Path("/usr"):
        raise AssertionError(
            "run these tests with a Python 3.11 that is not the system's: make PYTHON=/path/to/python3.11"
        )
    return ["--ro-bind", "/usr", "/usr", "--ro-bind", str(python), "/usr/local", "--proc", "/proc", "--dev", "/dev"]


def _cache(flag: str, value: str) -> list[str]:
    """A cache that is mounted for one step: this machine's own."""
    options = dict(option.split("=") for option in value.split(","))
    assert flag == "mount"
    assert options["type"] == "cache"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache.mkdir(parents=True, exist_ok=True)
    return ["--bind", str(cache), options["target"]]


def _said(env: Mapping[str, str], workdir: str) -> list[str]:
    shared = {"LD_LIBRARY_PATH": "/usr/local/lib"}  # where a Python that is moved there has its library
    said = [part for name, value in {**shared, **env}.items() for part in ("--setenv", name, value)]
    return ["--die-with-parent", "--chdir", workdir, "--clearenv", *said]
