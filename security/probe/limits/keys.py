"""All keys of a tenant draw on the same allowance."""

from dataclasses import replace

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.limits.caller import limited
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import TRIES, exhausted_there
from security.probe.limits.sending import in_turn
from security.probe.site import Need, Site


@limit_probe("keys", "All keys of a tenant share one allowance", Need.STRANGER, Need.KEYS)
def keys(check: OpenCheck, site: Site) -> None:
    """With nothing left for one key, call with another of the same tenant; the second tenant is the one asked."""
    with limited(site) as small:
        if small.keys is None or small.stranger is None:
            raise Inconclusive("the limited server has no second tenant, or gives it no second key")
        second = small.keys.new_key(small.stranger)
        with exhausted_there(site, small, check, small.stranger) as drained:
            requests = [replace(drained.caller, tenant=second).request()] * TRIES
            drained.try_way(check, "second", "with another of its keys", lambda: in_turn(drained.line, requests))
