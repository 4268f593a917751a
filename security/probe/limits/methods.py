"""Every method draws on the tenant's allowance, and none gives it anew."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.client import LATEST_LEGACY, LATEST_MODERN, ProtocolError, RpcError
from harness.client.wire import CLIENT_CAPABILITIES, CLIENT_INFO
from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.limits.bucket import Fate, of, overdraft
from security.probe.limits.caller import Caller, calling
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import THROTTLING, TRIES, Exhausted, exhausted, use_up
from security.probe.limits.sending import in_turn
from security.probe.site import Site

LISTS = ("tools/list", "prompts/list", "resources/list")
METHODS: Mapping[str, tuple[str, ...]] = {
    LATEST_MODERN: ("server/discover", *LISTS),
    LATEST_LEGACY: ("initialize", "ping", *LISTS),
}
"""What may be asked in each era besides calling a tool."""
HELLO: Mapping[str, Any] = {
    "protocolVersion": LATEST_LEGACY,
    "capabilities": CLIENT_CAPABILITIES,
    "clientInfo": CLIENT_INFO,
}
TOKENS = 2.0
"""What is there when a method is first asked for, so that one that gives the allowance anew is answered and does."""


@limit_probe("methods", "Every method draws on the allowance, and none gives it anew", at_least=2)
def methods(check: OpenCheck, site: Site) -> None:
    """With nothing left, ask for each method, and then call as before."""
    with exhausted(site, check) as drained, contextlib.ExitStack() as stack:
        for era in METHODS:
            # Who does not speak that era has none of its methods.
            with contextlib.suppress(ProtocolError, RpcError):
                tenant = drained.caller.tenant
                caller = stack.enter_context(calling(site, drained.caller.site, tenant, version=era))
                for name, asked in _each(caller, era):
                    _judge(check, drained, f"{name} in revision {era}", asked)


def _each(caller: Caller, era: str) -> Iterator[tuple[str, Caller]]:
    for method in METHODS[era]:
        if method == "initialize":
            yield method, replace(caller, method=method, params=HELLO, version=None, session=None)
        else:
            yield method, replace(caller, method=method, params=None)


def _judge(check: OpenCheck, drained: Exhausted, what: str, asked: Caller) -> None:
    """Find a method that is free, or after which more is served than was refilled. Raises Inconclusive."""
    start = drained.refused()
    drained.wait_for_tokens(TOKENS)
    calls = in_turn(drained.line, [asked.request()] * TRIES)
    after = drained.plainly()
    free, anew = (overdraft([start, *each], drained.limit) for each in (calls, [*calls, *after]))
    if free or anew:
        use_up(drained.caller, drained.limit, [drained.line])
        if overdraft([drained.refused(), *drained.plainly()], drained.limit) is not None:
            raise Inconclusive("plain calls too are served beyond the limit: see limits.allowance")
    if free:
        message = f"a tenant whose allowance is used up goes on to be answered {what}: {free}"
        check.find("free-method", message, key=what, references=THROTTLING)
    elif anew:
        message = f"a tenant whose allowance is used up has more of it after {what}: {anew}"
        check.find("refilling-method", message, key=what, references=THROTTLING)
    elif not of(calls, Fate.REFUSED):
        if of(calls, Fate.SERVED):
            raise Inconclusive(f"{what} was answered so slowly that all of it may have been within the limit")
        check.evidence.append(f"{what} is answered neither as a call nor as beyond the limit")
        return
    elif len(of(calls, Fate.REFUSED)) == len(calls):
        raise Inconclusive(f"{what} was never answered: whether it gives the allowance anew is not known")
    check.examined += 1
