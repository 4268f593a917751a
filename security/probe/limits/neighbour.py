"""A tenant that keeps within its allowance is served while another floods."""

from collections.abc import Iterator

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.limits.bucket import Fate
from security.probe.limits.caller import Caller, calling, limited
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import Exhausted, exhausted_there
from security.probe.limits.line import Line
from security.probe.limits.sending import in_turn
from security.probe.site import Need, Site

CALLS = 5
TOKENS = 1.2
"""What is refilled for the well-behaved tenant between two of its calls, so that each of them must be served."""


@limit_probe("neighbour", "A tenant within its allowance is served while another floods", Need.STRANGER, at_least=CALLS)
def neighbour(check: OpenCheck, site: Site) -> None:
    """Use up all of the owner's, and keep it used up; each call of the second tenant is one that it has a token for."""
    with limited(site) as small:
        if small.stranger is None:
            raise Inconclusive("the limited server has no second tenant")
        with exhausted_there(site, small, check, small.owner) as flooder, calling(site, small, small.stranger) as other:
            refused = [fate for fate in _fates(flooder, other, check) if fate is Fate.REFUSED]
    if refused:
        check.find(
            "shared-bucket",
            f"of {CALLS} calls of a tenant for each of which it had a token, {len(refused)} were refused by the rate "
            "limit, because another tenant flooded",
            key="neighbour",
            references=("CWE-799",),
        )


def _fates(flooder: Exhausted, other: Caller, check: OpenCheck) -> Iterator[Fate]:
    """What becomes of each call of the second tenant. Raises Inconclusive."""
    with Line(other.site) as line:
        for _ in range(CALLS):
            flooder.wait_for_tokens(TOKENS)
            flooder.refused()
            (call,) = in_turn(line, [other.request()])
            if call.fate is Fate.OTHER:
                raise Inconclusive("the second tenant's call was neither served nor refused by the limit")
            check.examined += 1
            yield call.fate
