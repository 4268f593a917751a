"""Many connections have no more than one."""

from harness.collector import OpenCheck
from security.probe.limits.bucket import Call
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import TRIES, Exhausted, exhausted
from security.probe.limits.sending import at_once, in_turn, opened
from security.probe.site import Site

BURST = 3


@limit_probe("connections", "Many connections, and bursts on each of them, get no more than the allowance", at_least=3)
def connections(check: OpenCheck, site: Site) -> None:
    """With nothing left, call on new connections: all at once, one after the other, and with a burst on each."""
    # Used up on one connection: what another one has of its own would be used up with it.
    with exhausted(site, check, lines=1) as drained:
        drained.try_way(check, "at-once", "on many new connections at once", lambda: _at_once(drained, 1))
        drained.try_way(check, "in-turn", "on a new connection each time", lambda: _in_turn(drained))
        drained.try_way(check, "bursts", "in bursts on kept-alive connections", lambda: _at_once(drained, BURST))


def _at_once(drained: Exhausted, burst: int) -> list[Call]:
    request = drained.caller.request()
    with opened(drained.caller.site, TRIES) as lines:
        return [call for _ in range(burst) for call in at_once(lines, [request] * TRIES)]


def _in_turn(drained: Exhausted) -> list[Call]:
    with opened(drained.caller.site, TRIES) as lines:
        return [call for line in lines for call in in_turn(line, [drained.caller.request()])]
