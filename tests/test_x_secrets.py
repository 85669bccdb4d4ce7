"""No log and no error holds a secret, whichever library writes it."""

from __future__ import annotations

import logging
from contextlib import closing

import pytest
from x_reader import Reader, calls

from agents.fake_x import FakeX
from agents.x_api import XApi
from agents.x_secrets import STARS, Redactor, keep_out_of_logs
from pipeline.errors import TriageError


def test_no_log_holds_a_secret(x: FakeX, caplog: pytest.LogCaptureFixture) -> None:
    """Neither tweepy's debug logs, which hold every header, nor oauthlib's, nor what ends in errors."""
    caplog.set_level(logging.DEBUG)
    access = x.access("brand")._replace(bearer="AAAA%2Bsecret+bearer/=", consumer_key="consumer/key+secret")
    said: list[str] = []
    with closing(XApi(access, base_url=x.base_url)) as api:
        for call in calls(api).values():
            call()
            x.faults.lose_answer(to=None)
            with pytest.raises(TriageError) as raised:
                call()
            said.append(str(raised.value))
    with Reader(x) as reader:
        reader.connected()
    logging.getLogger("tweepy").warning("Bearer %s and %s", access.bearer, access)

    logged = caplog.text + "".join(said) + repr(access) + str(access)

    assert "Making API request" in caplog.text
    assert STARS in caplog.text
    assert [] == [secret for secret in access if secret in logged]
    assert "consumer%2Fkey" not in logged
    assert "secret%2Bbearer" not in logged


def test_a_traceback_in_a_log_holds_no_secret(x: FakeX, caplog: pytest.LogCaptureFixture) -> None:
    """Errors of libraries carry requests, and requests carry headers."""
    access = x.access("brand")
    keep_out_of_logs(access)

    try:
        float(f"Authorization: Bearer {access.bearer}")
    except ValueError:
        logging.getLogger("any").exception("it failed")

    assert "it failed" in caplog.text
    assert "ValueError" in caplog.text
    assert access.bearer not in caplog.text


def test_a_broken_log_call_breaks_nothing(x: FakeX, capsys: pytest.CaptureFixture[str]) -> None:
    """Logging reports a message that does not fit its arguments where it is written, and so it stays."""
    keep_out_of_logs(x.access())
    logger, two_numbers = logging.getLogger("broken"), "%d and %d"
    logger.propagate = False
    logger.addHandler(logging.StreamHandler())

    logger.warning(two_numbers, "one")

    assert "Logging error" in capsys.readouterr().err


def test_ordinary_words_stay() -> None:
    """A secret so short that it may be a word is not looked for; the forms of credentials always are."""
    redact = Redactor()
    redact.add(["a", "order", "token-of-ours", ""])

    assert f"an order: {STARS}" == redact("an order: token-of-ours")
    assert f"Authorization: Bearer {STARS}" == redact("Authorization: Bearer abc")
    assert f'oauth_token="{STARS}", oauth_version="1.0"' == redact('oauth_token="1-a", oauth_version="1.0"')
    assert "the bearer of news" == redact("the bearer of news")
