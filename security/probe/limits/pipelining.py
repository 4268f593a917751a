"""Requests that arrive in one piece cost as much as one by one."""

from harness.collector import OpenCheck
from security.probe.limits.bucket import Call
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import Exhausted, exhausted
from security.probe.limits.line import Line
from security.probe.limits.sending import in_one_write
from security.probe.site import Site

PIPELINED = 24


@limit_probe("pipelining", "Requests pipelined in one write get no more than the allowance")
def pipelining(check: OpenCheck, site: Site) -> None:
    """With next to nothing left, send many requests in one write."""
    with exhausted(site, check) as drained:
        drained.try_way(check, "one-write", "with many requests in one write", lambda: _send(drained))


def _send(drained: Exhausted) -> list[Call]:
    # There is a token when they arrive, so that a limiter that charges them as one lets them in.
    drained.require_refill()
    with Line(drained.caller.site) as line:
        return in_one_write(line, [drained.caller.request()] * PIPELINED)
