"""Our own server keeps strangers out and tenants apart; and a limit in the way makes no verdict of either kind."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.record import Check
from harness.verdict import CheckStatus
from security.probe.authentication.malformed_key import malformed_key
from security.probe.authentication.timing import timing
from security.probe.catalogue import PROBES
from security.probe.isolation.error_texts import error_texts
from security.probe.isolation.tools import tools
from security.probe.local import open_local
from security.probe.probe import Probe
from security.probe.run import ask_alone, ask_together
from security.probe.site import RateLimit, Site
from tests.integration.security.probes.vulnerable_site import open_vulnerable

OURS = [probe for probe in PROBES if probe.id.partition(".")[0] in {"authentication", "isolation"}]
ALL_TOOLS = 36


def ask(probes: Sequence[Probe], site: Site, folder: Path) -> list[Check]:
    run = Run(folder, SilentProgress(), site.target)
    ask_together(run, probes, site, ())
    ask_alone(run, probes, site, ())
    return run.checks


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Check]:
    """What each probe of these two kinds says of our own server."""
    folder = tmp_path_factory.mktemp("ours")
    with open_local(logs=folder, environ=os.environ) as site:
        return {check.id: check for check in ask(OURS, site, folder)}


@pytest.mark.parametrize("probe", OURS, ids=lambda probe: probe.id)
def test_our_server_passes(probe: Probe, checks: dict[str, Check]) -> None:
    check = checks[probe.id]
    # Where many tests run at once, time cannot be measured; that is no finding, and says so.
    noisy = probe is timing and check.status is CheckStatus.INCONCLUSIVE and "too noisy" in check.reason
    if probe.id == "authentication.session":  # ours opens none
        assert check.status is CheckStatus.NOT_APPLICABLE
        assert "opens no session" in check.reason
        return
    assert noisy or check.status is CheckStatus.PASSED, check.reason


def test_every_tool_of_ours_is_called_by_the_owner_and_tried_by_the_stranger(checks: dict[str, Check]) -> None:
    check = checks["isolation.tools"]
    assert f"all {ALL_TOOLS} tools were called by the owner with success" in check.evidence
    assert check.examined > 2 * ALL_TOOLS
    assert any(line.endswith("0 the owner's store") for line in check.evidence)
    assert checks["isolation.error-texts"].examined > ALL_TOOLS


def test_the_stranger_writes_for_good_and_the_owner_keeps_its_stores(checks: dict[str, Check]) -> None:
    check = checks["isolation.writes"]
    assert check.examined > 20
    assert any(line.startswith("to the letter as before: ") and "stores_list" in line for line in check.evidence)
    assert any(line.endswith("0 the owner's store") for line in check.evidence)


@pytest.mark.parametrize("probe", [timing, malformed_key], ids=lambda probe: probe.id)
def test_where_wrong_keys_are_limited_there_is_no_verdict(
    probe: Probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security.probe.authentication.door.PATIENCE_SECONDS", 0.5)
    with open_vulnerable(limit=RateLimit(per_minute=100_000, burst=100_000), logs=tmp_path) as site:
        (check,) = ask([probe], site, tmp_path)
    assert check.status is CheckStatus.INCONCLUSIVE
    assert "limits wrong keys" in check.reason


def test_a_limit_that_passes_is_waited_out(tmp_path: Path) -> None:
    with open_vulnerable(limit=RateLimit(per_minute=1200, burst=10), logs=tmp_path) as site:
        (check,) = ask([tools], site, tmp_path)
    assert check.status is CheckStatus.PASSED, check.reason


@pytest.mark.parametrize("probe", [tools, error_texts], ids=lambda probe: probe.id)
def test_a_limit_that_lasts_leaves_the_question_open(probe: Probe, tmp_path: Path) -> None:
    with open_vulnerable("cross-tenant", limit=RateLimit(per_minute=0.1, burst=12), logs=tmp_path) as site:
        (check,) = ask([probe], site, tmp_path)
    assert check.status is CheckStatus.INCONCLUSIVE
    assert "the server's limit let through" in check.reason
