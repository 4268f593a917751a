"""One cheap call of a tenant as bytes, to be sent in any way; and the site whose limit can be reached."""

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from harness.client import Client, ClientError, HttpStatusError, RpcError
from harness.client.session import AUTO, SESSION_HEADER
from harness.client.wire import envelope, protocol_headers
from harness.errors import Inconclusive
from security.probe.calls import is_reading
from security.probe.limits.answers import LIMIT_WORDS, TOO_MANY_REQUESTS
from security.probe.site import Site, Tenant

PATIENCE_SECONDS = 20.0
"""How long a handshake waits for a token."""
MOST_TOOLS = 3
LIST = "tools/list"
T = TypeVar("T")


@dataclass(frozen=True)
class Caller:
    """A tenant's call: `method` with `params`, in a revision (None: none is named), in a session where there is one."""

    site: Site
    tenant: Tenant
    version: str | None
    session: str | None
    method: str = LIST
    params: Mapping[str, Any] | None = None

    def request(
        self,
        *,
        verb: str = "POST",
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> bytes:
        """The call as an HTTP request; `headers` replace the usual ones, an empty value leaves one out."""
        parts = urlsplit(self.site.url)
        body = self.body() if body is None else body
        fields = {
            "Host": parts.netloc,
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **({"Authorization": f"Bearer {self.tenant.key}"} if self.tenant.key is not None else {}),
            **protocol_headers(self.method, self.params or {}, self.version),
            **({SESSION_HEADER: self.session} if self.session else {}),
            **(headers or {}),
        }
        lines = [f"{name}: {value}" for name, value in fields.items() if value]
        head = "\r\n".join([f"{verb} {path or parts.path or '/'} HTTP/1.1", *lines, "", ""])
        return head.encode("latin-1") + body

    def body(self, number: int = 1) -> bytes:
        """The call as JSON-RPC, with this id."""
        return json.dumps(self.message(number)).encode()

    def message(self, number: int) -> dict[str, Any]:
        """The JSON-RPC message with this id."""
        return envelope(self.method, self.params or {}, self.version, number)

    @property
    def words(self) -> str:
        """What is called, in words."""
        return f"tools/call of {self.params['name']}" if self.params else self.method


@contextlib.contextmanager
def limited(site: Site) -> Iterator[Site]:
    """The site whose limit can be reached: one opened for that, else this one."""
    with site.limited() if site.limited else contextlib.nullcontext(site) as small:
        yield small


@contextlib.contextmanager
def calling(site: Site, small: Site, tenant: Tenant, version: str = AUTO) -> Iterator[Caller]:
    """A call of a tenant of `small`, sent there; its session ends with the context.

    What to call is learned at `site`, where it costs `small` nothing: a tool that only reads and needs no arguments,
    where there is one, else the list of tools. Raises ClientError where the server does not speak the revision.
    """
    with patiently(lambda: site.connect(tenant if small is site else site.owner, version)) as client:
        learned = Caller(small, tenant, client.version, client.headers(LIST, {}).get(SESSION_HEADER))
        yield replace(learned, **_cheapest(client))


def patiently(ask: Callable[[], T]) -> T:
    """What `ask` returns, asked again while the limit refuses it. Raises what it raises otherwise, or Inconclusive."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    for seconds in itertools.chain((0.25, 0.5), itertools.repeat(1.0)):
        try:
            return ask()
        except (RpcError, HttpStatusError) as error:
            if error.status != TOO_MANY_REQUESTS and not LIMIT_WORDS.search(str(error)):
                raise
        if time.monotonic() > deadline:
            raise Inconclusive(f"the rate limit refused a handshake for {PATIENCE_SECONDS:g} s: ask again later")
        time.sleep(seconds)
    raise AssertionError


def _cheapest(client: Client) -> dict[str, Any]:
    tools = [tool for tool in patiently(client.list_tools) if is_reading(tool)]
    free = [tool for tool in tools if not (tool.get("inputSchema") or {}).get("required")]
    for name in [str(tool["name"]) for tool in sorted(free, key=_closed_first)][:MOST_TOOLS]:
        if _answers(client, name):
            return {"method": "tools/call", "params": {"name": name, "arguments": {}}}
    return {}


def _closed_first(tool: Mapping[str, Any]) -> tuple[bool, str]:
    """Before those that reach the world outside come those that do not: they are cheaper."""
    return bool((tool.get("annotations") or {}).get("openWorldHint", True)), str(tool["name"])


def _answers(client: Client, name: str) -> bool:
    def ask() -> bool:
        outcome = client.call_tool(name)
        if outcome.is_error and LIMIT_WORDS.search(outcome.text):
            raise HttpStatusError(outcome.text, status=TOO_MANY_REQUESTS, headers=outcome.headers)
        return not outcome.is_error

    try:
        return patiently(ask)
    except ClientError:
        return False
