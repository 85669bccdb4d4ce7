"""Certificates and passwords exchanged by rolling restarts under load, as docs/upgrade.md has it: nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from arena import Arena, Result, Run, terminate, wait_for
from certificates import Authority
from fixtures import _results, long, report
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from agents import clients
from agents.broker import Broker
from agents.broker_properties import Secure
from pipeline.settings_kafka import Kafka

pytestmark = [pytest.mark.timeout(900), pytest.mark.operations]
RATE = 500.0
TWO = ("w1", "w2")


class Place:
    """The files of a broker that looks at certificates and asks for passwords, and those of its clients."""

    def __init__(self, folder: Path) -> None:
        self._old, self._new = Authority("old authority"), Authority("new authority")
        self._folder = folder
        self.keystore, self.truststore = folder / "broker.pem", folder / "broker-ca.pem"
        self.ca, self.certificate, self.password = folder / "ca.pem", folder / "client.pem", folder / "password"
        self.keystore.write_bytes(self._old.signed("broker"))
        self.truststore.write_bytes(self._old.pem)
        self.ca.write_bytes(self._old.pem)
        self.certificate.write_bytes(self._old.signed("client"))
        self.password.write_text("first-password")

    def secure(self) -> Secure:
        """For the broker."""
        users = {"admin": "admin-password", "care": "first-password"}
        return Secure(keystore=self.keystore, truststore=self.truststore, users=users)

    def settings(self, user: str = "care") -> dict[str, Any]:
        """The section `kafka`."""
        password = (
            {"sasl_password": "admin-password"} if user == "admin" else {"sasl_password_file": str(self.password)}
        )
        files = {"ssl_cafile": str(self.ca), "ssl_certfile": str(self.certificate)}
        return {"security_protocol": "SASL_SSL", "sasl_username": user} | password | files

    def trust_both(self) -> None:
        """Clients and broker trust the old authority and the new one."""
        self.ca.write_bytes(self._old.pem + self._new.pem)
        self.truststore.write_bytes(self._old.pem + self._new.pem)

    def renew(self) -> None:
        """Clients and broker show certificates of the new authority."""
        self.certificate.write_bytes(self._new.signed("client"))
        self.keystore.write_bytes(self._new.signed("broker"))

    def trust_new(self) -> None:
        """The old authority is trusted no more."""
        self.ca.write_bytes(self._new.pem)
        self.truststore.write_bytes(self._new.pem)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Files of certificates and passwords."""
    return Place(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module")
def guarded(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker."""
    folder = tmp_path_factory.mktemp("guarded")
    properties = {"listener.name.clients.ssl.client.auth": "requested"}  # verified where it is shown
    with Broker(folder, log=lambda _: None, port=19592, secure=place.secure(), properties=properties) as broker:
        yield broker


@pytest.fixture(scope="module")
def secret_arena(place: Place, guarded: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """Where runs are made on it."""
    arena = Arena(guarded.bootstrap, tmp_path_factory.mktemp("runs"), place.settings())
    yield arena
    arena.end()


def restart(run: Run, names: Sequence[str]) -> None:
    """One worker after the other, with what the files say now."""
    for name in names:
        assert terminate(run.workers[-len(names)], within=25)[0] == 0
        run.worker(name)
        wait_for(lambda: "ready" in run.said(), within=60, what="it is ready again")


def start(run: Run, names: Sequence[str]) -> None:
    """So many workers."""
    for name in names:
        run.worker(name)
        wait_for(lambda: "ready" in run.said(), within=60, what="it is ready")


def test_password(secret_arena: Arena, place: Place, guarded: Broker, report: list[Result]) -> None:
    """The broker takes a new password; whoever is connected stays so, and the restarted ones use the new one."""
    run = secret_arena.run("secret-password")
    feed = run.feed(RATE).start()
    start(run, TWO)

    kafka = Kafka.model_validate({"bootstrap_servers": [guarded.bootstrap]} | place.settings("admin"))
    with closing(clients.admin(kafka)) as admin:
        new = UserScramCredentialUpsertion("care", ScramMechanism.SCRAM_SHA_512, "second-password", iterations=4096)
        admin.alter_user_scram_credentials([new])
    place.password.write_text("second-password")
    restart(run, TWO)

    _judge(run, report, run.result(feed.end(), most_duplicates=int(RATE * 20)))


def test_certificates(secret_arena: Arena, place: Place, guarded: Broker, report: list[Result], long: bool) -> None:
    """Another authority: first all trust both, then show certificates of the new one, then trust the old no more."""
    run = secret_arena.run("secret-certificates")
    names = TWO if long else TWO[:1]
    start(run, names)
    sent = set[tuple[int, int]]()

    for step in (place.trust_both, place.renew, place.trust_new):
        step()
        feed = run.feed(RATE).start()
        restart(run, names)
        sent |= feed.end()
        guarded.restart()  # it reads its own files only then; who is connected comes back

    _judge(run, report, run.result(sent, most_duplicates=int(RATE * 60)))


def _judge(run: Run, report: list[Result], result: Result) -> None:
    run.stop()
    report.append(result)
    assert result.passed, f"{result}; logs in {run.folder}"
