"""The allowance comes evenly: no edge of a second, or of a minute, gives it anew."""

from harness.collector import OpenCheck
from security.probe.limits.allowance import judge, steadily
from security.probe.limits.caller import calling, limited
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import LINES, required_limit, use_up
from security.probe.limits.sending import opened
from security.probe.site import Site

SECONDS = 2.2
"""Two edges of a second lie in it, wherever it begins."""
REFILLS = 3
LONGEST_SECONDS = 10.0


@limit_probe("clock-edges", "The allowance is refilled evenly: no edge of a clock gives it anew", at_least=20)
def clock_edges(check: OpenCheck, site: Site) -> None:
    """Use up the allowance, and call on over two edges of a second: a window that begins anew gives too much at once.

    One that is longer gives nothing meanwhile.
    """
    with limited(site) as small, calling(site, small, small.owner) as caller, opened(small, LINES) as lines:
        limit = required_limit(small)
        calls = use_up(caller, limit, lines)
        seconds = max(SECONDS, REFILLS * 60 / limit.per_minute)
        calls += steadily(caller, min(seconds, LONGEST_SECONDS))
    judge(check, calls, limit, full=False)
