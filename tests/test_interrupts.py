"""Ctrl-C is never lost."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from agents.interrupts import Interrupts


def _ctrl_c_into_a_library() -> None:
    """A library that catches whatever comes, as kafka-python's tasks do."""
    try:
        os.kill(os.getpid(), signal.SIGINT)
        signal.sigtimedwait([], 1)
    except BaseException:  # noqa: BLE001 - that is the fault
        return


def test_a_swallowed_interrupt_comes_again() -> None:
    """Where a library has swallowed it, the next check raises it."""
    with Interrupts() as interrupts:
        interrupts.check()
        _ctrl_c_into_a_library()

        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


def test_the_handler_is_put_back() -> None:
    """Afterwards Ctrl-C is what it was before; in another thread nothing is changed."""
    before = signal.getsignal(signal.SIGINT)
    failed: list[BaseException] = []

    def elsewhere() -> None:
        try:
            with Interrupts() as interrupts:
                interrupts.check()
        except BaseException as error:  # noqa: BLE001 - a thread keeps its errors to itself
            failed.append(error)

    with Interrupts():
        pass
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()

    assert signal.getsignal(signal.SIGINT) == before
    assert [] == failed
