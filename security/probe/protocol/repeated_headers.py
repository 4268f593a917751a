"""A header that may stand once stands once: who reads the first of two must not be fooled by who reads the last."""

import json
from collections.abc import Iterator
from functools import partial

import httpx

from harness.client import Client
from harness.client.transport import HttpAnswer
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from harness.verdict import Severity
from security.probe.limits.line import Line
from security.probe.messages import LIST, body, is_answered, require_answered
from security.probe.patience import patiently
from security.probe.probe import probe
from security.probe.site import Site
from security.probe.wire import head

# Source: RFC 9110, 5.3: a sender must not repeat a field that is no list; RFC 9112, 3.2: two Hosts are answered 400.
OTHERS = {
    "Authorization": "Bearer made-up",
    "Host": "attacker.example",
    "Origin": "https://attacker.example",
    "MCP-Protocol-Version": "1999-01-01",
    "Mcp-Method": "ping",
}
"""Headers that say who calls what, and a second value each."""


@probe(
    "protocol.repeated-headers",
    "Requests that say who calls what twice are refused",
    "A06:2025",
    "MCP:input-validation",
    severity=Severity.MEDIUM,
)
def repeated_headers(check: OpenCheck, site: Site) -> None:
    """Send a good request with a second value for a header, before and after the right one."""
    with site.connect() as client, Line(site) as line:
        require_answered(site, client)
        good = next(
            (each for each in _good(site, client) if is_answered(patiently(partial(_send, line, _joined(each))))), None
        )
        if good is None:
            raise Inconclusive("a request as it should be, written byte by byte, is refused")
        for name, value in OTHERS.items():
            if not any(each.lower().startswith(f"{name.lower()}:") for each in good[1:-1]):
                continue
            answered = []
            for order, request in _spoilt(good, f"{name}: {value}"):
                check.examined += 1
                if is_answered(patiently(partial(_send, line, _joined(request)))):
                    answered.append(order)
            if answered:
                message = f"a request with a second {name}, {' and '.join(answered)} the right one, is answered"
                check.find("repeated-header", message, key=name, references=("CWE-436", "CWE-444"))


def _good(site: Site, client: Client) -> Iterator[list[str]]:
    """A good request in lines, the body last: as a page of the server's own origin sends it, and as no page does."""
    content = json.dumps(body(client))
    usual = {name: value for name, value in client.headers(LIST, {}).items() if value}
    for origin in (site.base_url, ""):
        fields = {**usual, "Origin": origin, "Content-Length": str(len(content))}
        yield [*head(site, fields).decode("latin-1").removesuffix("\r\n\r\n").split("\r\n"), content]


def _spoilt(good: list[str], line: str) -> Iterator[tuple[str, list[str]]]:
    """The request with a line more, before all others and after them."""
    first, *lines, content = good
    yield "before", [first, line, *lines, content]
    yield "after", [first, *lines, line, content]


def _joined(request: list[str]) -> bytes:
    *lines, content = request
    return "\r\n".join([*lines, "", content]).encode("latin-1")


def _send(line: Line, request: bytes) -> HttpAnswer:
    """The answer; status 0 where the connection was closed instead."""
    sent = line.send(request)
    response = line.receive()
    return HttpAnswer(response.status, httpx.Headers(response.headers), response.body, response.at - sent)
