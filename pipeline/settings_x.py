"""Settings of X's API: which app asks, as which account, where, and what reading costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from pipeline.settings_part import Part, Url, secret


class X(Part):
    """Our app at X. The bearer token reads; consumer key and secret, with a brand's tokens, act as that brand."""

    bearer_token: SecretStr | None = None
    """For reading ..."""
    bearer_token_file: Path | None = None
    """... or the file that holds it."""
    consumer_key: SecretStr | None = None
    """Of the app, for acting as an account ..."""
    consumer_key_file: Path | None = None
    """... or the file that holds it."""
    consumer_secret: SecretStr | None = None
    """Its secret ..."""
    consumer_secret_file: Path | None = None
    """... or the file that holds it."""
    base_url: Annotated[Url, Field(pattern=r"^https?://[^/]+$")] | None = None
    """Another server that speaks X's API, such as the fake one; null: X."""

    def bearer(self) -> str:
        """The bearer token; empty where none is set."""
        return secret(self.bearer_token, self.bearer_token_file)

    def consumer(self) -> tuple[str, str]:
        """Consumer key and secret; empty where none are set."""
        return (
            secret(self.consumer_key, self.consumer_key_file),
            secret(self.consumer_secret, self.consumer_secret_file),
        )


class XAccount(Part):
    """The account as which a brand answers and reads its private messages."""

    access_token: SecretStr | None = None
    """Of the brand's account, for our app ..."""
    access_token_file: Path | None = None
    """... or the file that holds it."""
    access_token_secret: SecretStr | None = None
    """Its secret ..."""
    access_token_secret_file: Path | None = None
    """... or the file that holds it."""

    def tokens(self) -> tuple[str, str]:
        """Access token and its secret; empty where none are set."""
        return (
            secret(self.access_token, self.access_token_file),
            secret(self.access_token_secret, self.access_token_secret_file),
        )
