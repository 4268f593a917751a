"""Calls in a JSON-RPC array cost as much as one by one."""

import contextlib
import json

from harness.client import ProtocolError, RpcError
from harness.collector import OpenCheck
from security.probe.limits.bucket import Call
from security.probe.limits.caller import Caller, calling
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import Exhausted, exhausted
from security.probe.limits.sending import in_turn
from security.probe.site import Site

REVISION = "2025-03-26"
"""The only revision that has arrays."""
CALLS = 20


@limit_probe("batch", "Calls in one JSON-RPC array get no more than the allowance")
def batch(check: OpenCheck, site: Site) -> None:
    """With next to nothing left, send many calls in one array."""
    with exhausted(site, check) as drained, contextlib.ExitStack() as stack:
        caller = drained.caller
        # A server without that revision may take arrays all the same.
        with contextlib.suppress(ProtocolError, RpcError):
            caller = stack.enter_context(calling(site, caller.site, caller.tenant, version=REVISION))
        if not drained.try_way(check, "array", "with many calls in one array", lambda: _send(drained, caller)):
            check.not_applicable("an array of calls is not answered as calls")


def _send(drained: Exhausted, caller: Caller) -> list[Call]:
    array = json.dumps([caller.message(number) for number in range(1, CALLS + 1)]).encode()
    # There is a token when it arrives, so that a limiter that charges it as one call lets it in.
    drained.require_refill()
    return in_turn(drained.line, [caller.request(body=array)])
