"""The `[sentry]` table of ops.toml: which project alerts, and where its token is."""

from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import AnyHttpUrl, Field, model_validator

from harness.config import Table, VariableName

Slug = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9_-]*)?$")]
"""A name as Sentry has it in addresses; empty where there is none."""


class SentryTable(Table):
    """`[sentry]`: the project whose alert rules are kept as security/sentry/rules.py has them."""

    url: AnyHttpUrl = AnyHttpUrl("https://sentry.io")
    organization: Slug = ""
    project: Slug = ""
    token_env: VariableName = "SENTRY_AUTH_TOKEN"  # noqa: S105 -- a variable's name
    """The environment variable that holds a token with the scopes alerts:read and alerts:write."""

    @model_validator(mode="after")
    def _keeps_the_token_safe(self) -> Self:
        if self.url.username or self.url.password or self.url.query:
            raise ValueError("url must not carry credentials or a query")
        if self.url.scheme != "https" and not _is_loopback(self.url.host or ""):
            raise ValueError("url must be https: a token is sent there")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
