"""Calls that are refused for what they are draw on the tenant's allowance like good ones."""

import functools
from collections.abc import Iterator
from dataclasses import replace

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from harness.verdict import Severity
from security.probe.calls import is_reading
from security.probe.limits.answers import fate_of_invalid
from security.probe.limits.bucket import Call
from security.probe.limits.caller import LIST, Caller, patiently
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import TRIES, Exhausted, exhausted
from security.probe.site import Site

TOKENS = 1.2
"""What is there when the first arrives: who only looks whether there is a token lets all of them in."""
NOWHERE = "nowhere_to_be_found"
"""A name that no server has given to anything."""


@limit_probe(
    "invalid", "Calls that are invalid draw on the allowance as good ones do", severity=Severity.MEDIUM, at_least=3
)
def invalid(check: OpenCheck, site: Site) -> None:
    """With next to nothing left, send requests that are to be refused: for their arguments, tool, method, or params.

    What is no request at all (no JSON, no JSON-RPC) is not asked: a server may refuse it before it knows whose it is.
    """
    picky = _picky(site)
    untold = []
    with exhausted(site, check) as drained:
        for what, caller in _ways(drained.caller, picky):
            if not drained.try_way(check, what, what, functools.partial(_send, drained, caller)):
                untold.append(what)
    if picky is None:
        check.evidence.append("no tool that only reads requires arguments: none was called without them")
    if untold:
        raise Inconclusive(f"calls {untold[0]} get no JSON-RPC answer: whether the limit counts them is not known")


def _picky(site: Site) -> str | None:
    """A tool that only reads and requires arguments; None where there is none."""
    with patiently(site.connect) as client:
        tools = patiently(client.list_tools)
    picky = [each for each in tools if is_reading(each) and (each.get("inputSchema") or {}).get("required")]
    return min((str(tool["name"]) for tool in picky), default=None)


def _ways(caller: Caller, picky: str | None) -> Iterator[tuple[str, Caller]]:
    if picky is not None:
        params = {"name": picky, "arguments": {}}
        yield "without the arguments that a tool requires", replace(caller, method="tools/call", params=params)
    params = {"name": NOWHERE, "arguments": {}}
    yield "with the name of no tool", replace(caller, method="tools/call", params=params)
    yield "without the name of a tool", replace(caller, method="tools/call", params={"arguments": {}})
    yield "with the name of no method", replace(caller, method=f"{NOWHERE}/list", params=None)
    yield "for a page of tools that was never told of", replace(caller, method=LIST, params={"cursor": NOWHERE})


def _send(drained: Exhausted, caller: Caller) -> list[Call]:
    drained.wait_for_tokens(TOKENS)
    request, calls = caller.request(), []
    for _ in range(TRIES):
        sent = drained.line.send(request)
        response = drained.line.receive()
        kind = response.headers.get("content-type", "")
        calls.append(Call(sent, response.at, fate_of_invalid(response.status, kind, response.body)))
    return calls
