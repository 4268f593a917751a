"""Calls of one tenant's, told apart as success and refusal; and patience with a server that limits them."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from harness.client import Client, HttpStatusError, ProtocolError, RpcError
from harness.client.wire import Answer
from harness.errors import Inconclusive
from security.probe.patience import TOO_MANY_REQUESTS, asked_to_wait
from security.probe.site import Site, Tenant

PATIENCE_SECONDS = 240.0
"""These probes make some hundreds of calls; a distant server may allow its canary two a second in all."""


@dataclass(frozen=True)
class Seen:
    """What came back: whether the call succeeded, its text, its data, and the response's status and headers."""

    ok: bool
    text: str
    status: int
    headers: httpx.Headers
    structured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all(self) -> str:
        """Everything that the caller could read."""
        headers = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
        return "\n".join((self.text, json.dumps(self.structured, ensure_ascii=False), headers))

    @property
    def request_id(self) -> str:
        """The server's own id of the request; empty where it gives none."""
        return str(self.headers.get("x-request-id", ""))


class Patient(Client):
    """A client that waits where the server's limit asks it to, in all for no longer than PATIENCE_SECONDS."""

    def __init__(self, client: Client) -> None:
        vars(self).update(vars(client))  # the same session, which is agreed on already
        self._patience = PATIENCE_SECONDS
        self._answered = 0

    def request(
        self, method: str, params: Mapping[str, Any] | None = None, headers: Mapping[str, str | None] | None = None
    ) -> Answer:
        """Send a request until no limit refuses it. Raises Inconclusive where that takes too long."""
        while True:
            try:
                answer = super().request(method, params, headers)
            except (RpcError, HttpStatusError) as error:
                if error.status != TOO_MANY_REQUESTS:
                    raise
                told = error.headers
            else:
                told = answer.headers
                if "retry-after" not in told or not answer.result.get("isError"):
                    self._answered += 1
                    return answer
            self._wait(asked_to_wait(told))

    def _wait(self, seconds: float) -> None:
        self._patience -= seconds
        if self._patience < 0:
            raise Inconclusive(
                f"the server's limit let through {self._answered} requests: ask this group alone, while nothing else"
                " uses the tenants (--only isolation, or a single probe of it), or audit an instance with a higher"
                " limit (RATE_LIMIT_RPM)"
            )
        time.sleep(seconds)


@contextlib.contextmanager
def calling(site: Site, tenant: Tenant) -> Iterator[Patient]:
    """A client of the tenant that is patient. Raises as `Site.connect` does."""
    with site.connect(tenant) as client:
        yield Patient(client)


def ask(
    client: Client, tool: str, arguments: Mapping[str, Any], headers: Mapping[str, str | None] | None = None
) -> Seen:
    """What a call comes to, refused or not; `headers` as of `Client.request`. Raises NoAnswerError."""
    try:
        outcome = client.call_tool(tool, arguments, headers)
    except RpcError as error:
        data = "" if error.data is None else json.dumps(error.data, ensure_ascii=False)
        return Seen(ok=False, text=f"{error.message} {data}".strip(), status=error.status, headers=error.headers)
    except HttpStatusError as error:
        return Seen(ok=False, text=f"HTTP {error.status}", status=error.status, headers=error.headers)
    except ProtocolError as error:
        return Seen(ok=False, text=str(error), status=200, headers=httpx.Headers())
    return Seen(not outcome.is_error, outcome.text, outcome.http_status, outcome.headers, outcome.structured or {})
