"""What is refilled while nobody calls is at least 99 % of what it should be, and never more."""

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.limits.allowance import judge, usable
from security.probe.limits.caller import calling, limited
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import LINES, required_limit, use_up
from security.probe.limits.sending import opened
from security.probe.site import Need, Site

REFILLS = 120
"""For how many tokens it waits: one more or less is then less than 1 %."""
OVERFLOW = 0.8
"""The most that is waited for, as a share of the burst: a full bucket takes no more."""


@limit_probe(
    "refill",
    "Over many refills a tenant gets at least 99 % of what it is allowed, and never more",
    Need.KEYS,
    at_least=10,
    waits=True,
)
def refill(check: OpenCheck, site: Site) -> None:
    """Use up the allowance of a new tenant, wait, and use up what has been refilled."""
    with limited(site) as small:
        limit = required_limit(small)
        if small.keys is None:
            raise Inconclusive("the limited server makes no new tenant, and others use the ones that it has")
        with calling(site, small, small.keys.new_tenant()) as learned, opened(small, LINES) as lines:
            caller, (one, *_) = usable(learned, lines[0]), lines
            use_up(caller, limit, lines)
            # On one line it is known to a call when nothing was left.
            calls = use_up(caller, limit, [one])
            one.close()  # a server ends connections that nobody uses
            tokens = min(REFILLS, OVERFLOW * limit.burst)
            if site.over.wait(tokens * 60 / limit.per_minute):
                raise Inconclusive("the audit ended before enough was refilled")
            calls += use_up(caller, limit, [one])
    check.evidence.append(f"{caller.words}, taken to cost one token; {tokens:g} tokens were waited for")
    judge(check, calls, limit, full=False)
