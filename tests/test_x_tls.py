"""The filtered stream over TLS, as X speaks it: its ends are told for what they are there too."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import certificates
import pytest

from agents.x_api import Access, Ended, How, Stream

LINE = b'{"data":{"id":"1","text":"a"}}'
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n\r\n" % (len(LINE) + 2, LINE)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's side of TLS, which the client trusts."""
    keystore, truststore = certificates.make(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(truststore))
    return _server_side(keystore)


def _server_side(keystore: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keystore)
    return context


@contextmanager
def _serving(context: ssl.SSLContext, then: Callable[[ssl.SSLSocket], object]) -> Iterator[str]:
    """A server that sends one line, and then does something."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            plain, _ = server.accept()
            with suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(HEAD)
                then(connection)

        thread = Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def _nothing(_: ssl.SSLSocket) -> None:
    """Only close the connection."""


def _run(url: str, *, stall_after_s: float = 10.0, closing: bool = False) -> tuple[list[bytes], Ended]:
    stream = Stream(Access("a-token"), base_url=url, stall_after_s=stall_after_s)
    heard: list[bytes] = []
    came = Event()

    def hear(line: bytes) -> None:
        heard.append(line)
        came.set()

    def close() -> None:
        came.wait(10)
        stream.close()

    closer = Thread(target=close if closing else lambda: None)
    closer.start()
    ended = stream.run(hear, lambda: None, lambda: None)
    closer.join()
    return heard, ended


@pytest.mark.parametrize(
    ("then", "how"),
    [
        (lambda connection: connection.sendall(b"0\r\n\r\n"), How.CLOSED),
        (lambda connection: connection.unwrap(), How.NETWORK),
        (_nothing, How.NETWORK),
    ],
    ids=["clean", "TLS closed", "TCP closed"],
)
def test_a_connection_ends(trusted: ssl.SSLContext, then: Callable[[ssl.SSLSocket], object], how: How) -> None:
    """Each end is told, after one attempt."""
    with _serving(trusted, then) as url:
        heard, ended = _run(url)

    assert [LINE] == heard
    assert (how, 200) == (ended.how, ended.status)


def test_no_byte_comes(trusted: ssl.SSLContext) -> None:
    """For as long as was said."""
    with _serving(trusted, lambda connection: connection.recv(1)) as url:
        heard, ended = _run(url, stall_after_s=1.0)

    assert [LINE] == heard
    assert How.TIMEOUT == ended.how


def test_it_is_closed_while_it_waits(trusted: ssl.SSLContext) -> None:
    """From another thread."""
    with _serving(trusted, lambda connection: connection.recv(1)) as url:
        heard, ended = _run(url, closing=True)

    assert [LINE] == heard
    assert How.ASKED == ended.how


def test_a_stranger_is_not_trusted(tmp_path: Path) -> None:
    """A certificate of an authority that we do not know: no secret is sent."""
    keystore, _ = certificates.make(tmp_path)

    with _serving(_server_side(keystore), _nothing) as url:
        heard, ended = _run(url)

    assert [] == heard
    assert (How.NETWORK, None) == (ended.how, ended.status)
    assert "CERTIFICATE_VERIFY_FAILED" in ended.detail
    assert "/2/tweets" not in ended.detail
