"""Wrong keys tried on a server that others asked before: a tenant's own limit is no lockout, whoever spent it."""

from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.record import Check
from harness.verdict import CheckStatus
from security.probe.authentication.brute_force import brute_force
from security.probe.authentication.door import Told, bearer, open_door
from security.probe.run import ask_alone
from security.probe.site import RateLimit, Site, Tenant
from tests.integration.parts import StartTarget

RPM = 120


def ask(site: Site, folder: Path) -> Check:
    run = Run(folder, SilentProgress(), site.target)
    ask_alone(run, (brute_force,), site, ())
    (check,) = run.checks
    return check


@pytest.mark.parametrize("limit", [RateLimit(RPM, 2 * RPM), None], ids=["known limit", "unknown limit"])
def test_an_allowance_that_was_spent_before_is_no_lockout(
    limit: RateLimit | None, start_target: StartTarget, tmp_path: Path
) -> None:
    target = start_target(settings={"RATE_LIMIT_RPM": str(RPM)})
    site = Site(target=target.target, owner=Tenant(target.token), limit=limit)
    door = open_door(site)
    for _ in range(4 * RPM):
        if (told := door.knock(bearer(target.token))) is Told.LATER:
            break
    assert told is Told.LATER
    check = ask(site, tmp_path)
    assert (check.status, check.reason) == (CheckStatus.PASSED, "")
    assert any(each.startswith("the owner's own limit was waited for") for each in check.evidence)
