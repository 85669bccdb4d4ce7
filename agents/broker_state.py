"""What a broker leaves in its folder, so that another process finds it, stops it, or starts on the same data."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

from agents.jars import KAFKA
from pipeline.errors import BrokerError

STATE = "broker.json"
PROPERTIES_FILE = "server.properties"
MAIN = "kafka.Kafka"
STOP_WITHIN_S = 30.0


class State(msgspec.Struct):
    """What another process needs to find a broker: written into its folder."""

    pid: int
    port: int
    cluster: str
    kafka: str


def status(folder: Path) -> State | None:
    """The broker that runs in a folder, or None; its command line tells it from a stranger with the same number."""
    try:
        state = msgspec.json.decode((folder / STATE).read_bytes(), type=State)
        command = psutil.Process(state.pid).cmdline() if state.pid > 0 else []
    except (OSError, msgspec.MsgspecError, psutil.Error):
        return None
    return state if command[-2:] == [MAIN, str(folder.resolve() / PROPERTIES_FILE)] else None


def down(folder: Path) -> bool:
    """Stop the broker that runs in a folder; False if none does."""
    state = status(folder)
    if state is None:
        return False
    with suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
        process = psutil.Process(state.pid)
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait()
    return True


def write_state(folder: Path, state: State) -> None:
    """Leave the state in the folder, whole or not at all."""
    new = folder / f"{STATE}.new"
    new.write_bytes(msgspec.json.encode(state))
    new.replace(folder / STATE)


def cluster_of(folder: Path, data: Path) -> str | None:
    """The id of the cluster in a folder, None where it is new; a folder that is not ours is refused."""
    if not data.exists():
        return None
    properties = data / "meta.properties"
    try:
        state = msgspec.json.decode((folder / STATE).read_bytes(), type=State)
        fits = state.kafka == KAFKA and f"cluster.id={state.cluster}" in properties.read_text().splitlines()
    except (OSError, msgspec.DecodeError):
        fits = False
    if not fits:
        raise BrokerError(
            f"the data in {data} is stale: of another cluster or version, or only half made; delete {folder}, "
            "or choose another folder"
        )
    return state.cluster
